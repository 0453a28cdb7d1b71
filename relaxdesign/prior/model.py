"""The prior: denoiser, noise schedule, channels and grid as one object, and its file format.

A prior on disk is two files: ``NAME.safetensors`` (weights in half precision, and the materials it paints with) and
``NAME.json`` (model card with everything needed to rebuild and judge it, and the hash of the weights). Nothing is
unpickled.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from relaxdesign.data import data_file
from relaxdesign.files import write_whole
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels, PhaseChannels, Properties, channels_from_definition
from relaxdesign.microstructure.symmetry import NO_SYMMETRY, Symmetry
from relaxdesign.prior.heads import Painting, PhaseMap
from relaxdesign.prior.schedule import NoiseSchedule
from relaxdesign.prior.unet import UNet, UNetConfig

MODEL_DIRECTORY = data_file("models")
FORMAT_VERSION = 2


MATERIALS, MATERIAL_WEIGHTS = "catalogue.materials", "catalogue.weights"
"""Tensors beside the weights: channel values (materials, channels) and how often each is drawn."""


class PriorError(ValueError):
    """A prior that cannot be loaded or does not fit the request; the text says what to do."""


@dataclass(frozen=True)
class Aim:
    """What a conditional prior is told: ln K (GPa), and by how much the difference that makes is exaggerated."""

    log_bulk: float
    scale: float = 2.0


@dataclass(frozen=True)
class AimedPainting:
    """Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).

    The estimate without an aim, plus ``scale`` times what the aim changes.
    """

    free: Painting | PhaseMap
    aimed: Painting | PhaseMap
    scale: float

    def field(self, sharpness: float = 1.0) -> Tensor:
        """See `Painting.field`."""
        free = self.free.field(sharpness)
        return free + self.scale * (self.aimed.field(sharpness) - free)

    def likeliest(self) -> Tensor:
        """See `Painting.likeliest`: of the phases with the aim."""
        return self.aimed.likeliest()

    def restrict(self, allowed: Tensor) -> AimedPainting:
        """See `Painting.restrict`."""
        return replace(self, free=self.free.restrict(allowed), aimed=self.aimed.restrict(allowed))


Painted = Painting | PhaseMap | AimedPainting
"""What priors say of a noisy field."""


@dataclass
class Prior:
    """A diffusion model over relaxed fields (batch, 3, *grid).

    aim: for conditional priors, the bulk modulus its samples shall have; None: any. kind: for priors with classes, the
    one of its samples; empty: any. symmetry: of its samples, of priors of given phases.
    """

    name: str
    network: UNet
    schedule: NoiseSchedule
    channels: Channels
    grid: int
    card: dict = field(default_factory=dict)
    aim: Aim | None = None
    kind: str = ""
    symmetry: Symmetry = NO_SYMMETRY

    @property
    def dim(self) -> int:
        return self.network.config.dim

    @property
    def of_shapes(self) -> bool:
        """Whether its fields say which of two given phases a voxel is of, and not what it is made of."""
        return isinstance(self.channels, PhaseChannels)

    @property
    def field_shape(self) -> tuple[int, ...]:
        """Shape of one sample, (channels, *grid)."""
        return (self.channels.count,) + (self.grid,) * self.dim

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def offer(self, materials: Catalogue) -> None:
        """Let phases be made of these materials only, each as likely as `Catalogue.draw` makes it.

        A prior of phases takes two of them, or three, in their order: of three its fields have two channels, each of
        which it makes as if it were alone. Raises ValueError for materials that the channels cannot
        hold.
        """
        if isinstance(self.channels, PhaseChannels):
            self.channels = self.channels.of(materials.materials)
            return
        assert self.network.head is not None
        self.channels.check(materials.properties)
        self.network.set_materials(self.channels.encode(materials.properties, axis=-1), materials.weights)

    def clean_estimate(self, noisy: Tensor, t: Tensor) -> Tensor:
        """x̂_0 predicted for x_t, not clipped. t: (batch,) integer training steps."""
        return self.paint(noisy, t).field()

    def paint(self, noisy: Tensor, t: Tensor) -> Painted:
        """The same as phases and materials, to be read crisply or restricted.

        With a symmetry it is that of the network averaged over the group, which takes one pass as x_t is symmetric.
        """
        painted = self._paint(self.symmetry.averaged(noisy), t)
        if isinstance(painted, PhaseMap):
            return replace(painted, logits=self.symmetry.averaged(painted.logits))
        return painted

    def _paint(self, noisy: Tensor, t: Tensor) -> Painted:
        if self.of_shapes and self.channels.count > 1:
            return self._paint_each(noisy, t)
        time, signal = network_time(self.schedule, noisy, t)
        if self.kind:
            position = float(self.network.config.classes.index(self.kind))
            return self.network.paint(noisy, time, signal, noisy.new_full((len(noisy),), position))
        free = self.network.paint(noisy, time, signal)
        if self.aim is None:
            return free
        told = torch.full((len(noisy),), self.aim.log_bulk, dtype=noisy.dtype, device=noisy.device)
        return AimedPainting(free, self.network.paint(noisy, time, signal, told), self.aim.scale)

    def _paint_each(self, noisy: Tensor, t: Tensor) -> PhaseMap:
        """The channels of fields of shapes as samples side by side, of which the first alone is told the kind."""
        channels = self.channels.count
        alone = noisy.flatten(0, 1)[:, None]
        told = None
        if self.kind:
            told = alone.new_full((len(noisy), channels), torch.nan)
            told[:, 0] = float(self.network.config.classes.index(self.kind))
            told = told.flatten()
        painted = self.network.paint(alone, *network_time(self.schedule, alone, t.repeat_interleave(channels)), told)
        assert isinstance(painted, PhaseMap)
        return PhaseMap(painted.logits.view(noisy.shape))

    def aimed_at(self, bulk: float, scale: float = 2.0) -> Prior:
        """The same prior, told to make cells of bulk modulus ``bulk`` (GPa). Raises PriorError if it cannot be told."""
        if not self.network.config.conditional:
            raise PriorError(f"{self.name} is unconditional: steer it by guidance, or choose a conditional prior")
        if not bulk > 0:
            raise PriorError(f"the bulk modulus must be above 0 GPa, got {bulk}")
        return replace(self, aim=Aim(math.log(bulk), scale))

    def of_kind(self, kind: str) -> Prior:
        """The same prior, told what kind of cells to make. Raises PriorError for one that it does not know."""
        if kind not in (known := self.network.config.classes):
            raise PriorError(f"{self.name} knows no cells of the kind {kind!r}, but {', '.join(known) or 'none'}")
        return replace(self, kind=kind)

    def symmetric(self, symmetry: Symmetry) -> Prior:
        """The same prior of given phases, whose samples have a symmetry.

        Its samplers keep x_t symmetric by `Symmetry.copied`, so that noise has the variance of their level.
        """
        return replace(self, symmetry=symmetry)

    def decode(self, clean: Tensor) -> Properties:
        """Elastic properties of fields (batch, 3, *grid), each of shape (batch, nx, ny, nz).

        2D fields become one voxel thick.
        """
        return decode_fields(self.channels, clean)


def decode_fields(channels: Channels, clean: Tensor) -> Properties:
    """As `Prior.decode`."""
    properties = channels.decode(clean)
    if clean.ndim == 5:
        return properties
    return Properties(*(value[..., None] for value in (properties.bulk, properties.shear, properties.density)))


def predict_clean(
    network: torch.nn.Module, schedule: NoiseSchedule, noisy: Tensor, t: Tensor, told: Tensor | None = None
) -> Tensor:
    """x̂_0 of a denoiser for x_t. noisy: (batch, channels, *grid). t: (batch,) integer training steps.

    told: see `UNet.paint`.
    """
    return network(noisy, *network_time(schedule, noisy, t), told)


def network_time(schedule: NoiseSchedule, noisy: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """What the network is told of the level: time in (0, 1] and √ᾱ_t, both (batch,)."""
    return (t + 1).to(noisy.dtype) / schedule.steps, schedule.signal.to(noisy.device, noisy.dtype)[t]


def save_prior(prior: Prior, directory: str | Path) -> Path:
    """Writes weights and card; returns the path of the weights."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().half().cpu().contiguous() for key, value in prior.network.state_dict().items()}
    if (head := prior.network.head) is not None:
        tensors |= {MATERIALS: head.materials.cpu(), MATERIAL_WEIGHTS: head.log_weights.exp().cpu()}
    weights = save(tensors)
    card = prior.card | {
        "name": prior.name,
        "format": FORMAT_VERSION,
        "grid": prior.grid,
        "network": prior.network.config.to_dict(),
        "schedule": asdict(prior.schedule),
        "channels": prior.channels.definition(),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    path = directory / f"{prior.name}.safetensors"
    write_whole(path, weights)
    _write_card(path, card)
    return path


def load_prior(name: str | Path, device: str | torch.device = "cpu") -> Prior:
    """Loads a shipped prior by name or any prior by the path of its ``.safetensors`` file.

    A process reads its files once; every call returns a prior of its own. Raises PriorError when files are missing,
    damaged or of another format.
    """
    path = weights_path(name)
    stamps = []
    for part in (path, path.with_suffix(".json")):
        if not part.exists():
            raise PriorError(f"no prior at {part.name}; shipped are: {', '.join(shipped_priors()) or 'none'}")
        status = part.stat()
        stamps.append((status.st_mtime_ns, status.st_size))
    prior = copy.deepcopy(_read_prior(path.resolve(), tuple(stamps)))
    prior.network.to(device)
    return prior


@lru_cache(maxsize=4)
def _read_prior(path: Path, stamps: tuple[tuple[int, int], ...]) -> Prior:
    """The prior in these files. stamps: their times and sizes, so that a changed file is read anew."""
    try:
        card = _read_card(path)
        version = card["format"]
        if version != FORMAT_VERSION:
            raise PriorError(
                f"{path.name} has format {version}, this version reads {FORMAT_VERSION}: retrain or update RelaxDesign"
            )
        weights = path.read_bytes()
        if hashlib.sha256(weights).hexdigest() != card["sha256"]:
            raise PriorError(f"{path.name} does not match the hash in its card: the file is damaged, fetch it again")
        network = UNet(UNetConfig.from_dict(card["network"]))
        tensors = {key: value.float() for key, value in load(weights).items()}
        if network.head is not None:
            network.set_materials(tensors.pop(MATERIALS), tensors.pop(MATERIAL_WEIGHTS))
        network.load_state_dict(tensors)
        channels = channels_from_definition(card["channels"])
        schedule = NoiseSchedule(**card["schedule"])
    except (KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise PriorError(f"{path.name} is not a RelaxDesign prior ({error})") from error
    network.requires_grad_(False).eval()
    return Prior(card["name"], network, schedule, channels, card["grid"], card)


def weights_path(name: str | Path) -> Path:
    """The ``.safetensors`` file of a shipped prior's name, or of a path."""
    path = Path(name)
    return path if path.suffix == ".safetensors" else MODEL_DIRECTORY / f"{name}.safetensors"


def add_to_card(name: str | Path, entries: dict) -> None:
    """Puts entries into the model card beside the weights."""
    path = weights_path(name)
    _write_card(path, _read_card(path) | entries)


def _read_card(weights: Path) -> dict:
    return json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))


def _write_card(weights: Path, card: dict) -> None:
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    write_whole(weights.with_suffix(".json"), text.encode())


def shipped_priors() -> list[str]:
    """Names of the priors in ``models/``."""
    return sorted(path.stem for path in MODEL_DIRECTORY.glob("*.safetensors") if path.with_suffix(".json").exists())
