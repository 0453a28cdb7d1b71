"""``relaxdesign train``: a prior from a catalogue of materials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from relaxdesign.cli.console import interrupted, messages, progress, user_errors
from relaxdesign.cli.options import OwnMaterials, grouped, read_catalogue

if TYPE_CHECKING:
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.prior.training import TrainingConfig, TrainingProgress


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


@grouped
def train(
    *,
    network: Network,
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

        config = TrainingConfig(**network.fields(), **vars(optimisation))
        offered = read_catalogue(materials).select(flagged=flagged)
        start = load_prior(start_from) if start_from else None
        _train(config, offered, out, resume=resume, start_from=start)
    weights = out / f"{config.name}.safetensors"
    messages.print(f"Trained {weights}; use it with: relaxdesign design --prior {weights} …", soft_wrap=True)


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
