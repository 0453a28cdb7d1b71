"""The relaxed channels: elastic properties of a voxel mapped to three numbers in [-1, 1].

A relaxed field has one material per voxel. The diffusion prior, the guidance and the
nearest-material search all see a material as three channel values. Two maps are offered:

``asinh``
    softened logarithms of bulk modulus, shear modulus and density,
    ``u = 2 asinh(p / p0) / asinh(p_max / p0) - 1``. Far above ``p0`` equal steps in ``u`` are equal
    *relative* steps of the property; below ``p0`` the map is linear, so foams do not
    use up the whole range.
``linear``
    Young's modulus, Poisson's ratio and density scaled linearly, as in Kreber et al.,
    TMLR 2026 (arXiv 2602.15648). Kept for comparison.

The ranges are constants, not statistics of a catalogue: a trained prior keeps its meaning when
materials are added.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from relaxdesign.materials.material import MIN_BULK_GPA, MIN_DENSITY, MIN_SHEAR_GPA, Material


@dataclass(frozen=True)
class Properties:
    """Elastic properties and density of voxels or materials, tensors of one shape.

    bulk, shear: GPa. density: g/cm³.
    """

    bulk: Tensor
    shear: Tensor
    density: Tensor

    def as_fields(self) -> dict[str, Tensor]:
        """By the names of a material's attributes, as `relaxdesign.physics.evaluator.Evaluator` takes them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def map(self, function: Callable[[Tensor], Tensor]) -> Properties:
        """A function of every property."""
        return Properties(*(function(values) for values in self.as_fields().values()))

    @property
    def young(self) -> Tensor:
        """Young's modulus E = 9KG / (3K + G), GPa."""
        return 9 * self.bulk * self.shear / (3 * self.bulk + self.shear)

    @property
    def poisson(self) -> Tensor:
        """Poisson's ratio ν = (3K − 2G) / (6K + 2G)."""
        return (3 * self.bulk - 2 * self.shear) / (6 * self.bulk + 2 * self.shear)


class Channels(ABC):
    """A one-to-one map between properties and channel values in [-1, 1]."""

    name: str
    count = 3
    coefficients = tuple(each.name for each in fields(Properties))
    """Attributes of a material that channels hold; a relaxed field has no others."""

    @abstractmethod
    def encode(self, properties: Properties, axis: int = 1) -> Tensor:
        """Channel values, stacked along ``axis``."""

    @abstractmethod
    def decode(self, field: Tensor, axis: int = 1) -> Properties:
        """Properties of channel values (clipped to [-1, 1]); differentiable inside the range."""

    def check(self, properties: Properties) -> None:  # noqa: B027
        """Raises ValueError for materials that these channels cannot hold: none, unless a kind of channels says so."""

    @abstractmethod
    def definition(self) -> dict:
        """The numbers that fix the map; a checkpoint stores them and refuses others."""


@dataclass(frozen=True)
class AsinhChannels(Channels):
    """Softened log-moduli (K, G, ρ); scales and maxima in GPa, GPa, g/cm³."""

    scale: tuple[float, float, float] = (5.0, 3.0, 1.0)
    maximum: tuple[float, float, float] = (600.0, 600.0, 23.0)

    name = "asinh"

    def encode(self, properties: Properties, axis: int = 1) -> Tensor:
        values = (properties.bulk, properties.shear, properties.density)
        encoded = [
            2 * torch.asinh(value / scale) / math.asinh(top / scale) - 1
            for value, scale, top in zip(values, self.scale, self.maximum, strict=True)
        ]
        return torch.stack(encoded, axis).clamp(-1, 1)

    def decode(self, field: Tensor, axis: int = 1) -> Properties:
        floors = (MIN_BULK_GPA, MIN_SHEAR_GPA, MIN_DENSITY)
        decoded = [
            _at_least(floor, scale * torch.sinh((channel.clamp(-1, 1) + 1) / 2 * math.asinh(top / scale)))
            for channel, scale, top, floor in zip(field.unbind(axis), self.scale, self.maximum, floors, strict=True)
        ]
        return Properties(*decoded)

    def definition(self) -> dict:
        return {"name": self.name, "scale": list(self.scale), "maximum": list(self.maximum)}


@dataclass(frozen=True)
class LinearChannels(Channels):
    """The paper's channels: (E, ν, ρ) scaled linearly; maxima in GPa, -, g/cm³."""

    maximum: tuple[float, float, float] = (500.0, 0.5, 23.0)

    name = "linear"

    def encode(self, properties: Properties, axis: int = 1) -> Tensor:
        values = (properties.young, properties.poisson, properties.density)
        encoded = [2 * value / top - 1 for value, top in zip(values, self.maximum, strict=True)]
        return torch.stack(encoded, axis).clamp(-1, 1)

    def decode(self, field: Tensor, axis: int = 1) -> Properties:
        young, poisson, density = (
            (channel.clamp(-1, 1) + 1) / 2 * top for channel, top in zip(field.unbind(axis), self.maximum, strict=True)
        )
        # ν = 1/2 is incompressible: K would be infinite. 0.4999 is the evaluator's limit.
        poisson = poisson.clamp(max=0.4999)
        return Properties(
            _at_least(MIN_BULK_GPA, young / (3 * (1 - 2 * poisson))),
            _at_least(MIN_SHEAR_GPA, young / (2 * (1 + poisson))),
            _at_least(MIN_DENSITY, density),
        )

    def check(self, properties: Properties) -> None:
        if (lowest := float(properties.poisson.min())) < -1e-9:
            raise ValueError(
                f"a material has Poisson's ratio {lowest:.3g}, linear channels hold 0 to 0.5: use asinh channels, or "
                "leave it out"
            )

    def definition(self) -> dict:
        return {"name": self.name, "maximum": list(self.maximum)}


@dataclass(frozen=True)
class PhaseChannels(Channels):
    """One channel: which of two given materials a voxel is of, -1 the first and 1 the second.

    In between lies p, the share of the stiffer, and every coefficient of which more than an average counts is
    v₁ + p^1.5 (v₂ − v₁), as in topology optimisation (Bendsøe 1989, doi:10.1007/BF01650949) but milder: the prior makes
    cells crisp, and with p³ they became too stiff when blends were taken for one phase or the other. That of the softer
    material is taken to be no less than a thousandth of the stiffer's, so that voids can be solved.

    materials: None as long as they are not known, as in training.
    """

    materials: tuple[Material, Material] | None = None

    name = "phase"
    count = 1

    def of(self, materials: Sequence[Material]) -> PhaseChannels:
        """The channel between two materials, or the two between three. Raises ValueError for another number of them."""
        if len(materials) == 3:
            return ThreePhaseChannels((materials[0], materials[1]), materials[2])
        if len(materials) != 2:
            raise ValueError(f"a cell of free form with given phases takes two or three of them, got {len(materials)}")
        return PhaseChannels((materials[0], materials[1]))

    def encode(self, properties: Properties, axis: int = 1) -> Tensor:
        """-1 and 1: of the two materials themselves."""
        if properties.bulk.shape != (2,):
            raise ValueError("a channel of phases holds its two materials and no others")
        return torch.tensor([-1.0, 1.0]).unsqueeze(axis)

    def decode(self, field: Tensor, axis: int = 1) -> Properties:
        share = (field.squeeze(axis).clamp(-1, 1) + 1) / 2
        return Properties(*(self.coefficient(name, share) for name in self.coefficients))

    def coefficient(self, name: str, share: Tensor) -> Tensor:
        """An attribute of the materials where the second has a share (0 to 1)."""
        if self.materials is None:
            raise ValueError("the two materials of the phases are not known yet")
        first, second = (float(getattr(material, name)) for material in self.materials)
        if name in _MIXED:
            return first + share * (second - first)
        least = max(first, second) * SOFTEST_WHILE_STEERING
        first, second = max(first, least), max(second, least)
        return first + _counting(share, second_stiffer=second >= first) * (second - first)

    def definition(self) -> dict:
        return {"name": self.name}


@dataclass(frozen=True)
class ThreePhaseChannels(PhaseChannels):
    """Two channels: whether a voxel is of the first of three materials (-1) or not (1), and of which of the others.

    What is not of the first material lies between the second and the third as `PhaseChannels` say, and the voxel
    between the first and that, as Sigmund & Torquato mix two solids and a void (1997,
    doi:10.1016/S0022-5096(96)00114-7). The second channel says nothing where the first is -1.
    """

    third: Material | None = None

    count = 2

    @property
    def others(self) -> PhaseChannels:
        """The channel between the second and the third material."""
        if self.materials is None or self.third is None:
            raise ValueError("the three materials of the phases are not known yet")
        return PhaseChannels((self.materials[1], self.third))

    @property
    def all_materials(self) -> tuple[Material, ...]:
        """Of the three phases."""
        assert self.materials is not None and self.third is not None
        return *self.materials, self.third

    def encode(self, properties: Properties, axis: int = 1) -> Tensor:
        """Of the three materials themselves; of the first one the second channel is 0."""
        if properties.bulk.shape != (3,):
            raise ValueError("channels of three phases hold their three materials and no others")
        return torch.tensor([[-1.0, 1.0, 1.0], [0.0, -1.0, 1.0]]).movedim(0, axis)

    def decode(self, field: Tensor, axis: int = 1) -> Properties:
        shares = ((field.clamp(-1, 1) + 1) / 2).unbind(axis)
        return Properties(*(self.blend(name, *shares) for name in self.coefficients))

    def blend(self, name: str, share: Tensor, third: Tensor) -> Tensor:
        """An attribute of the materials. share: of both but the first. third: of the third in these, 0 to 1."""
        each = [float(getattr(material, name)) for material in self.all_materials]
        others = self.others.coefficient(name, third)
        if name in _MIXED:
            return each[0] + share * (others - each[0])
        first = max(each[0], max(each) * SOFTEST_WHILE_STEERING)
        return first + _counting(share, second_stiffer=max(each[1:]) >= first) * (others - first)


SOFTEST_WHILE_STEERING = 1e-3
"""Of the stiffer phase's coefficients, while a field is steered."""

_PENALTY = 1.5
_MIXED = ("density", "solid", "price")  # coefficients of which quantities are averages


def _counting(share: Tensor, *, second_stiffer: bool) -> Tensor:
    """What a share counts for: the stiffer phase is the one whose blends are poor."""
    return share**_PENALTY if second_stiffer else 1 - (1 - share) ** _PENALTY


def _at_least(floor: float, value: Tensor) -> Tensor:
    """The larger of both, with the derivative of the value: a field that was taken below the floor can come back."""
    return value + (value.clamp_min(floor) - value).detach()


def channels_from_definition(definition: dict) -> Channels:
    """The channels a checkpoint was trained in.

    Raises ValueError for a name or numbers that this version does not know.
    """
    kinds: dict[str, type[Channels]] = {"asinh": AsinhChannels, "linear": LinearChannels, "phase": PhaseChannels}
    name = definition.get("name")
    if name not in kinds:
        raise ValueError(f"unknown channels {name!r}; this version knows {', '.join(kinds)}")
    numbers = {key: tuple(value) for key, value in definition.items() if key != "name"}
    try:
        return kinds[name](**numbers)
    except TypeError as error:
        raise ValueError(f"channel definition {definition} does not fit {name!r}: {error}") from None
