"""``relaxdesign train``: a prior from a catalogue of materials, of shapes, or from own images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from relaxdesign.cli.console import interrupted, messages, progress, user_errors
from relaxdesign.cli.options import OwnMaterials, grouped, read_catalogue

if TYPE_CHECKING:
    from relaxdesign.io.own_images import OwnImages
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.prior.model import Prior
    from relaxdesign.prior.own_cells import OwnCells
    from relaxdesign.prior.training import TrainingConfig, TrainingProgress


WARM_UP_OF_TUNING = 20
"""Optimiser steps: a prior that is tuned knows much already."""
MEASURED, MEASURED_STEPS = 64, 30
"""Samples that the card of a tuned prior tells of, and denoising steps of each."""


@dataclass(frozen=True)
class Network:
    """What is trained, as options."""

    name: Annotated[
        str | None, typer.Option(help="Name of the prior. Default: composite-<dim>d-<grid>[-conditional].")
    ] = None
    dim: Annotated[int, typer.Option(min=2, max=3, help="2 or 3.")] = 2
    grid: Annotated[int, typer.Option(min=4, help="Voxels per edge.")] = 64
    widths: Annotated[str, typer.Option(help="Channels per resolution, finest first.")] = "32,64,128"
    patch: Annotated[int, typer.Option(min=1, help="Voxels per edge that enter the network as one.")] = 2
    cells: Annotated[
        Literal["particles", "shapes"],
        typer.Option(help="particles: of random materials; shapes: of two phases that are given when it is used."),
    ] = "particles"
    conditional: Annotated[
        bool, typer.Option("--conditional", help="A network that can be told ln K (classifier-free guidance).")
    ] = False
    channels: Annotated[
        Literal["asinh", "linear"], typer.Option(help="asinh: softened log-moduli; linear: E, nu, rho of the paper.")
    ] = "asinh"

    def fields(self) -> dict[str, Any]:
        """Fields of a `TrainingConfig`. Raises ValueError for widths that no network has."""
        from relaxdesign.materials.channels import AsinhChannels, LinearChannels
        from relaxdesign.prior.unet import UNetConfig

        if self.cells == "shapes":
            return self._of_shapes()
        return {
            "name": self.name or f"composite-{self.dim}d-{self.grid}{'-conditional' if self.conditional else ''}",
            "grid": self.grid,
            "channels": (AsinhChannels() if self.channels == "asinh" else LinearChannels()).definition(),
            "network": UNetConfig(
                dim=self.dim, patch=self.patch, widths=_widths(self.widths), conditional=self.conditional
            ),
        }

    def _of_shapes(self) -> dict[str, Any]:
        from relaxdesign.prior.data import SHAPE_CLASSES
        from relaxdesign.prior.unet import UNetConfig

        if self.conditional:
            raise ValueError("--conditional: a prior of shapes is told kinds of shapes, not ln K; leave it out")
        network = UNetConfig(
            dim=self.dim,
            channels=1,
            patch=self.patch,
            widths=_widths(self.widths),
            labels=1,
            head="phases",
            classes=SHAPE_CLASSES,
        )
        return {"name": self.name or f"free-form-{self.dim}d-{self.grid}", "grid": self.grid, "network": network}


@dataclass(frozen=True)
class Optimisation:
    """How it is trained, as options named after the fields of a `TrainingConfig`."""

    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 9_000
    batch: Annotated[int, typer.Option(min=1, help="Fresh cells per step.")] = 16
    accumulation: Annotated[
        int, typer.Option(min=1, help="Parts of a step's cells computed one after the other, to need less memory.")
    ] = 1
    learning_rate: Annotated[float, typer.Option(help="Peak of the learning rate.")] = 8e-4
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, cells and noise.")] = 0
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto"


@dataclass(frozen=True)
class Images:
    """Own micrographs to learn from, as options."""

    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Tune a prior of shapes on the images in this folder (files, folders of slices), each of two phases.",
        ),
    ] = None
    image_step: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="Of every image: a step to its phases, as --step of evaluate."),
    ] = None
    mirror: Annotated[
        bool,
        typer.Option(
            "--mirror", help="Cells are windows of half their edge with their mirror images: for small images."
        ),
    ] = False
    generated: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of cells of the usual kinds among those of the images.")
    ] = 0.3

    def check(self) -> None:
        """Raises ValueError for what belongs to images and comes without them."""
        if self.images is None and (self.image_step or self.mirror):
            raise ValueError(f"{'--image-step' if self.image_step else '--mirror'} belongs to --images")

    def read(self, prior: Prior) -> OwnImages:
        """The images, to be cut into cells for a prior. Raises FieldError, and ValueError for a prior of composites."""
        from relaxdesign.io.own_images import read_own_images

        assert self.images is not None
        if not prior.of_shapes:
            raise ValueError(f"--images: {prior.name} is a prior of composites; start from one of shapes")
        return read_own_images(self.images, self.image_step or (), prior.grid, prior.dim, mirror=self.mirror)


@grouped
def train(
    *,
    network: Network,
    images: Images,
    optimisation: Optimisation,
    materials: OwnMaterials = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Train on toxic, exotic, … materials too.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for weights, card and checkpoint.")] = Path(
        "runs/training"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in DIR.")] = False,
    start_from: Annotated[
        str | None, typer.Option(metavar="PRIOR", help="Begin with this prior's weights, e.g. for an own catalogue.")
    ] = None,
) -> None:
    """Train a diffusion prior on random composites. Interrupt it at any time and go on with --resume.

    On several GPUs: torchrun --nproc-per-node 4 -m relaxdesign.cli train …
    """
    with user_errors():
        from relaxdesign.prior.model import load_prior
        from relaxdesign.prior.training import TrainingConfig

        images.check()
        offered = read_catalogue(materials).select(flagged=flagged)
        if images.images is not None:
            name = _tune(network, images, optimisation, offered, out, resume=resume, start_from=start_from)
        else:
            config = TrainingConfig(**network.fields(), **vars(optimisation))
            start = load_prior(start_from) if start_from else None
            _train(config, offered, out, resume=resume, start_from=start)
            name = config.name
    weights = out / f"{name}.safetensors"
    family = "--family free-form " if network.cells == "shapes" or images.images is not None else ""
    messages.print(f"Trained {weights}; use it with: relaxdesign design {family}--prior {weights} …", soft_wrap=True)


def _tune(
    network: Network,
    images: Images,
    optimisation: Optimisation,
    offered: Catalogue,
    out: Path,
    *,
    resume: bool,
    start_from: str | None,
) -> str:
    """A prior of shapes that knows own images, too, with measures in its card. Returns its name."""
    from relaxdesign.prior.data import ShapeCells
    from relaxdesign.prior.model import load_prior
    from relaxdesign.prior.own_cells import OwnCells, with_images
    from relaxdesign.prior.training import TrainingConfig
    from relaxdesign.study.run import SHAPE_PRIORS

    start = load_prior(start_from or SHAPE_PRIORS[network.dim])
    own = images.read(start)
    messages.print(f"{out}: {own.description}", soft_wrap=True)
    cells = OwnCells(own.windows, own.description, images.generated, ShapeCells(start.grid, start.dim))
    config = TrainingConfig(
        name=network.name or f"{start.name}-images",
        grid=start.grid,
        channels=start.channels.definition(),
        network=with_images(start.network.config),
        schedule=start.schedule,
        warm_up=WARM_UP_OF_TUNING,
        images=f"{own.digest} {images.generated:g}",
        **vars(optimisation),
    )
    _train(config, offered, out, resume=resume, start_from=start, cells=cells)
    _measure(start, config, cells, out)
    return config.name


def _measure(start: Prior, config: TrainingConfig, cells: OwnCells, out: Path) -> None:
    """Puts measures of a tuned prior into its card and tells them."""
    from relaxdesign.prior.model import add_to_card, load_prior
    from relaxdesign.prior.shape_metrics import assess_images, summary_of_images

    weights = out / f"{config.name}.safetensors"
    tuned = load_prior(weights)
    found = assess_images(start, tuned, cells, MEASURED, steps=MEASURED_STEPS, seed=config.seed)
    add_to_card(weights, {"metrics": {"prior": config.name, "sha256": tuned.card["sha256"]} | found})
    for what, value in summary_of_images(found):
        messages.print(f"{what}: {value}")


def _train(config: TrainingConfig, offered: Catalogue, out: Path, **options: Any) -> None:
    """Trains with a progress bar; in a log, which has none, with a line per validation.

    options: as of `relaxdesign.prior.training.train_prior`.
    """
    from relaxdesign.prior.training import train_prior

    validation = ""
    with progress() as bars:
        task = bars.add_task("Training", total=config.steps, note="")
        try:
            for state in train_prior(config, offered, out, **options):
                if state.validation_loss is not None:
                    validation = f", validation {state.validation_loss:.4f}"
                    if not messages.is_terminal:
                        messages.print(_line(state))
                note = f"loss {state.loss:.4f}{validation}, {state.cells_per_second:.0f} cells/s"
                bars.update(task, completed=state.step, note=note)
        except KeyboardInterrupt:
            interrupted("Stopped. The last checkpoint is kept: the same command with --resume goes on from it.")


def _line(state: TrainingProgress) -> str:
    return (
        f"step {state.step} of {state.steps}: loss {state.loss:.4f}, validation {state.validation_loss:.4f}, "
        f"{state.cells_per_second:.0f} cells/s, {state.seconds_left / 60:.0f} min left"
    )


def _widths(text: str) -> tuple[int, ...]:
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        widths = ()
    if not widths or any(width < 8 or width % 8 for width in widths):
        raise ValueError(f"--widths: got {text!r}, expected multiples of 8 such as 32,64,128")
    return widths
