"""What a physics is: the coefficients that a phase needs, the quantities it gives, and how they are computed.

A *coefficient* is a number of a material (bulk modulus, conductivity); a *quantity* is a number of a cell (effective
bulk modulus, Young's modulus along x). A `Physics` leads from fields of the ones to the others. Each has a module of
its own; `relaxdesign.physics.quantities` registers them, and nothing else knows them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.physics.composite_voxels import Coefficients, own_means
from relaxdesign.physics.fem.outcome import MAX_ITERATIONS

Fields = Mapping[str, Tensor]
"""Voxel fields (batch, nx, ny, nz) by the name of their coefficient, in its unit."""

Kind = Literal["logarithm", "softened", "plain"]


def with_unit(number: str, unit: str) -> str:
    """A number in words: ``120 GPa``, ``12 · 1e-6/K``, without a unit ``0.3``."""
    return f"{number} {'· ' if unit[:1].isdigit() else ''}{unit}".rstrip()


@dataclass(frozen=True)
class Coefficient:
    """A number of a material. name: the attribute of `relaxdesign.materials.material.Material`.

    positive: whether it is above 0, so that its logarithm may be averaged.
    """

    name: str
    label: str
    unit: str
    positive: bool = True


@dataclass(frozen=True)
class Quantity:
    """An effective quantity of a cell.

    A miss is measured in a *coordinate* of the quantity in which equal distances count alike: its logarithm where it is
    positive (so misses are relative), a softened one where it may vanish or change its sign.

    physics: name of the physics that gives it. kind: of its coordinate, see `coordinate`. scale: of the coordinates
    that are not logarithms, chosen so that a difference of 0.01 is about as noticeable as 1 % of a modulus.
    directional: whether it depends on the direction or on the placement, so that particles placed at random cannot be
    asked for it. of_material: the attribute of Material that it equals in a cell of one material, if there is one.
    least: smallest possible value. limits: open interval of possible values.
    """

    name: str
    label: str
    unit: str
    physics: str
    kind: Kind = "logarithm"
    scale: float = 1.0
    directional: bool = False
    of_material: str | None = None
    least: float | None = None
    limits: tuple[float, float] | None = None

    def coordinate(self, value: Any) -> Any:
        """The coordinate of a value (float, array or tensor): ln v, asinh(v / scale) or v / scale."""
        if isinstance(value, Tensor):
            return value.log() if self.kind == "logarithm" else self._scaled(value, Tensor.asinh)
        if self.kind == "logarithm":
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.log(value)
        return self._scaled(value, np.arcsinh)

    def value(self, coordinate: Any) -> Any:
        """What has this coordinate (float or array), the inverse of `coordinate`."""
        if self.kind == "logarithm":
            return np.exp(coordinate)
        return self.scale * (np.sinh(coordinate) if self.kind == "softened" else coordinate)

    def _scaled(self, value: Any, asinh: Any) -> Any:
        return asinh(value / self.scale) if self.kind == "softened" else value / self.scale

    @property
    def title(self) -> str:
        """The label as the beginning of a line; names and symbols in it keep their capitals."""
        return self.label[0].upper() + self.label[1:]

    def with_unit(self, number: str) -> str:
        """A number in words: ``120 GPa``, ``12 · 1e-6/K``, without a unit ``0.3``."""
        return with_unit(number, self.unit)

    @property
    def heading(self) -> str:
        """Title, symbol where that is one letter, and unit, over numbers and along axes."""
        symbol = f" {self.name}" if len(self.name) == 1 else ""
        return self.title + symbol + (f", {self.unit}" if self.unit else "")

    @property
    def positive(self) -> bool:
        """Whether it is always above zero, so that its misses are relative."""
        return self.kind == "logarithm"

    def miss(self, value: float, wanted: float) -> float:
        """Signed distance of a value from the wanted one: relative if positive, else in coordinates."""
        return value / wanted - 1.0 if self.positive else float(self.coordinate(value) - self.coordinate(wanted))


@dataclass(frozen=True)
class SolveOptions:
    """How linear systems are solved.

    boundary: "periodic", "kubc" or "uniaxial", see `relaxdesign.physics.fem.Boundary`. tolerance: relative residual;
    None: 1e-8 in float64, 1e-4 in float32. raise_on_failure: if False, a cell that fails is NaN with a message.
    """

    boundary: str = "periodic"
    tolerance: float | None = None
    max_iterations: int = MAX_ITERATIONS
    raise_on_failure: bool = True


@dataclass(frozen=True)
class Computed:
    """What one physics says of a batch of cells, and what that cost.

    values: by quantity, (batch,); NaN where the solve failed. They carry the gradient if the fields asked for one.
    tensor: the effective tensor without gradient, for example the stiffness (batch, 6, 6), if it was computed.
    fluctuation: of displacements or temperatures, from which a solve of similar fields may start.
    iterations: of conjugate gradients, (batch,). residual: largest per cell, (batch,). None: nothing was solved.
    load_cases: linear systems solved per cell. messages: why cells failed.
    """

    values: dict[str, Tensor]
    tensor: Tensor | None = None
    fluctuation: Tensor | None = None
    iterations: Tensor | None = None
    residual: Tensor | None = None
    load_cases: int = 0
    messages: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What a physics is asked to compute.

    fields: of all its coefficients at least. wanted: names of quantities of any physics. initial: ``fluctuation`` of
    an earlier result of the same physics. before: results of the physics that stand before it in the registry.
    """

    fields: Fields
    wanted: Collection[str]
    options: SolveOptions
    initial: Tensor | None = None
    before: Mapping[str, Computed] = field(default_factory=dict)


Mixture = Callable[[str, Mapping[str, NDArray], Mapping[str, NDArray], NDArray, int], NDArray]
"""A quantity by name, from the coefficients by name of matrix and particles, the particles' volume fraction and the
dimension."""


Interval = tuple[float, float]
"""Smallest and largest value."""

IntervalOf = Callable[[Mapping[str, NDArray], int, str], Interval]
"""What no microstructure leaves: from coefficients by name (materials,), the dimension and a quantity's name."""


Composite = Callable[[Coefficients, Coefficients, Tensor, int, Fields, Collection[str]], Mapping[str, Tensor]]
"""Coefficients of composite voxels by name: from those of its two phases, the share of the second in every voxel, the
dimension, the fields that physics before it gave, and the names of those whose layer is a barrier, in series."""


@dataclass(frozen=True)
class Physics:
    """Leads from the coefficients of the phases to effective quantities of a cell.

    compute: values of at least those of its quantities that are wanted, with exact gradients in all coefficients.
    needs: names of quantities that other physics have to compute before, whether wanted or not.
    mixture: closed form of its quantities for particles in a matrix, exact where nothing but volume fractions counts;
    None: a family of microstructures estimates them.
    along: derivative of its quantities, from the coefficients of every voxel, what they change by, and what every
    physics computed of the cell, by name; None: a closed form, whose differences will do.
    composite: its coefficients in composite voxels, where more than their average counts.
    interval: values that any microstructure of two of some materials can have; None: those between the materials' own.
    pairs_alone: whether microstructures of more materials than two can have others, any of them.
    """

    name: str
    coefficients: tuple[Coefficient, ...]
    quantities: tuple[Quantity, ...]
    compute: Callable[[Task], Computed]
    needs: frozenset[str] = frozenset()
    mixture: Mixture | None = None
    along: Callable[[Fields, Fields, Mapping[str, Computed]], dict[str, Tensor]] | None = None
    interval: IntervalOf | None = None
    pairs_alone: bool = False
    composite: Composite = own_means
