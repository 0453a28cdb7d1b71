"""What a family of microstructures has to know of itself, and what it may know besides.

A *family* says how a relaxed sample is read as one of its cells. What refinement can do with it depends on what else it
knows: `Inclusions` are placed anew at random, many times, with a volume fraction that can be varied; of a `Shape` there
is one, whose interface can be moved. Both find their way through study, library and export by these protocols alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue, Material

if TYPE_CHECKING:
    from manifold3d import Manifold


class FitError(ValueError):
    """A sample that cannot be read as a cell of the family; the text says why."""


class PlacementError(ValueError):
    """Inclusions that cannot be placed; the text says why."""


@dataclass(frozen=True)
class Parameter:
    """A number that describes the cells of a family, e.g. the diameter of its particles.

    low, high: what is supported. unit: "" for fractions of the cell edge and for shares. symbol: short, for cards.
    plane: what is supported in 2D, where that differs from 3D.
    """

    name: str
    label: str
    symbol: str
    low: float
    high: float
    unit: str = ""
    plane: tuple[float, float] | None = None

    def in_dimension(self, dim: int) -> Parameter:
        """With what is supported in cells of this dimension, 2 or 3."""
        low, high = self.range if self.plane is None or dim == 3 else self.plane
        return replace(self, low=low, high=high, plane=None)

    @property
    def range(self) -> tuple[float, float]:
        return self.low, self.high

    def clip(self, value: float) -> float:
        """The supported value that is nearest."""
        return float(np.clip(value, self.low, self.high))

    def check(self, value: float) -> float:
        """The same value. Raises ValueError if it is not supported."""
        if not self.low <= value <= self.high:
            raise ValueError(f"the {self.label} is {value:g}; supported are {self.low:g} to {self.high:g}")
        return value


VOLUME_FRACTION = Parameter("volume_fraction", "volume fraction", "vf", 0.0, 1.0)
"""Of all phases but the first; cells of every family have it."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A relaxed field read as a cell of a family.

    phases: channel values (channels,) of every phase. labels: phase of every voxel, (*grid). parameters: of the
    family, and the volume fraction of inclusions. remark: what is unusual. homogeneous: all phases are the same
    material. sampled: of a sample between two given phases, its values (*grid), -1 in the first and 1 in the second.
    """

    phases: tuple[Tensor, ...]
    labels: NDArray
    parameters: Mapping[str, float] = field(default_factory=dict)
    remark: str = ""
    homogeneous: bool = False
    sampled: NDArray | None = None


def singular(phase: str) -> str:
    """What one piece of a phase is called, "particle" of "particles": in options, columns and keys of its material."""
    return phase if phase.endswith("ss") else phase.removesuffix("s")


class Family(Protocol):
    """A kind of microstructure.

    name: in requests and files. title: in the app. summary: one line that explains it. composites: what its cells are
    called in messages, "particle composites". phases: names of the phases, that of label 0 first.
    directional: whether its cells can be stiffer along one axis of their plane than along the other.
    parameters: numbers that tell its cells apart, beside their volume fraction.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def composites(self) -> str: ...
    @property
    def phases(self) -> tuple[str, ...]: ...
    @property
    def directional(self) -> bool: ...
    @property
    def parameters(self) -> tuple[Parameter, ...]: ...

    def fit(self, clean: Tensor) -> Fit:
        """Reads one relaxed field (channels, *grid) in channel units. Raises FitError."""
        ...


@runtime_checkable
class Bodies(Protocol):
    """A family that can build the inclusions of a cell as bodies, for exact meshes."""

    def body(self, geometry: Mapping[str, Any], tile: int, height: float, chord: float, phase: int = 0) -> Manifold:
        """The inclusions of a block of cells, which may reach beyond it, lengths in cell edges.

        phase: 0 for all, or those of one phase. geometry: as from `Geometry.to_dict`. tile: cells along each edge.
        height: of a block of 2D cells. chord: largest distance of a facet from a curved surface, relative to the size
        of an inclusion.
        """
        ...


@runtime_checkable
class Round(Protocol):
    """A family whose inclusions are spheres (2D: discs), which may lie inside of each other."""

    def spheres(self, geometry: Mapping[str, Any]) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Centres (n, dim) and diameters (n,) in cell edges of the spheres with each phase inside, outer ones first."""
        ...


class Geometry(Protocol):
    """The phases of a cell as they are on any grid."""

    def shares(self, grid: int) -> Tensor:
        """Share of phase 1 in every voxel, float64 (grid,)*dim, 0 to 1.

        Of more than two phases those of all but the first, (phases - 1, *(grid,)*dim).
        """
        ...

    def moved(self, distance: float) -> Geometry:
        """The cell with all interfaces of phase 0 moved into it by a distance, in cell edges."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """What it takes to build the cell again, in cell edges, for JSON; empty where only its labels tell it."""
        ...


class Contour(Geometry, Protocol):
    """A cell that a level set tells, whose interface can be moved anywhere by itself."""

    def by_level(self, by_share: Tensor) -> NDArray[np.float64]:
        """Derivatives (count, *level) by the level set, from those by the shares of the voxels, (count, *shares)."""
        ...


@runtime_checkable
class Placement(Geometry, Protocol):
    """Inclusions in one cell.

    share: their volume fraction, of all phases but the matrix. size: of each, a fraction of the cell edge; of unlike
    ones a mean, with which all grow in proportion. gap: between the nearest two, in cell edges.
    """

    @property
    def share(self) -> float: ...

    @property
    def size(self) -> float: ...

    @property
    def gap(self) -> float: ...

    @property
    def parameters(self) -> dict[str, float]:
        """The family's, of this cell."""
        ...

    def with_share(self, share: float) -> Placement:
        """The same centres, with as large inclusions as fill this share."""
        ...

    def with_size(self, size: float) -> Placement:
        """The same centres; whether they overlap is not checked."""
        ...

    def largest_size(self, gap: float = 0.0) -> float:
        """The size at which the first two come as near as this, in cell edges, or what is left of less room."""
        ...

    def voxelise(self, grid: int) -> Tensor:
        """Labels (grid,)*dim: the phase in which a voxel's centre lies; bool for two of them."""
        ...


@runtime_checkable
class Inclusions(Family, Protocol):
    """A family of inclusions in a matrix, placed at random.

    share, size: the parameters of a placement, and what of them can be placed.
    """

    @property
    def share(self) -> Parameter: ...
    @property
    def size(self) -> Parameter: ...

    def place(
        self, share: float, size: float, dim: int, *, grid: int, count: int = 1, generator: torch.Generator
    ) -> Sequence[Placement]:
        """``count`` random cells of exactly this share, of about this size. Raises PlacementError."""
        ...

    def place_between(
        self,
        low: float,
        high: float,
        share: float,
        size: float,
        dim: int,
        *,
        grid: int,
        count: int,
        generator: torch.Generator,
    ) -> Sequence[Placement]:
        """Random cells of the share ``high`` whose inclusions keep a supported size down to the share ``low``.

        share, size: wanted; they tell how many inclusions there are. Raises PlacementError.
        """
        ...

    def estimate(self, catalogue: Catalogue, shares: ArrayLike, dim: int, quantity: str) -> NDArray[np.float64]:
        """Closed-form estimates (shares, matrix, inclusions) of a quantity, for every ordered pair of materials."""
        ...

    def gap_voxels(self, share: NDArray, size: float, dim: int, grid: int) -> NDArray[np.float64]:
        """Voxels between neighbours that placements keep, by share."""
        ...


@runtime_checkable
class GivenThird(Inclusions, Protocol):
    """A family of three phases, one of which the user gives.

    given: its label; what lies inside of what comes later. layered: whether it separates the other two. amount: what is
    given of it besides its material. usual: where nothing is.
    """

    @property
    def given(self) -> int: ...
    @property
    def layered(self) -> bool: ...
    @property
    def amount(self) -> Parameter: ...
    @property
    def usual(self) -> float: ...

    def with_third(self, material: Material, amount: float) -> Inclusions:
        """The family with so much of this material."""
        ...


def inclusion_label(family: Family) -> int:
    """Label of the phase that is chosen for the inclusions, beside one that may be given."""
    return 2 if isinstance(family, GivenThird) and family.given == 1 else 1


def inclusions_of(family: Family) -> str:
    """What the inclusions that are chosen are called: ``particles``."""
    return family.phases[inclusion_label(family)]


def phase_names(family: Family, count: int) -> tuple[str, ...]:
    """What the phases of a cell are called, of which there may be one more than the family always has."""
    return family.phases if count <= len(family.phases) else (*family.phases, "third phase")


def has_layers(family: Family) -> bool:
    """Whether a phase of its cells separates two others."""
    return isinstance(family, GivenThird) and family.layered


def in_dimension(family: Inclusions, dim: int) -> Inclusions:
    """The family with the shares and sizes that it supports in cells of this dimension."""
    ranges = {"share": family.share.in_dimension(dim), "size": family.size.in_dimension(dim)}
    if (family.share, family.size) == tuple(ranges.values()) or not is_dataclass(family):
        return family
    return replace(family, **ranges)


@runtime_checkable
class Sized(Protocol):
    """A family that can say how large the inclusions of a cell are."""

    def sizes(self, geometry: Mapping[str, Any]) -> tuple[float, float, float]:
        """Smallest, mean and largest size in cell edges. geometry: as from `Geometry.to_dict`."""
        ...


def draw(family: Inclusions, share: float, size: float, dim: int, *, grid: int, seed: int) -> NDArray[np.uint8]:
    """Labels (nx, ny, nz) of one random cell of a family. Raises PlacementError."""
    generator = torch.Generator().manual_seed(seed)
    placement = family.place(share, size, dim, grid=grid, generator=generator)[0]
    return placement.voxelise(grid).numpy().astype(np.uint8).reshape(grid, grid, -1)


@runtime_checkable
class Shape(Family, Protocol):
    """A family whose cells are level sets: phase 1 where a function of the voxels is positive.

    Of three phases there are two functions, in arrays (2, *grid): the first is positive in phases 1 and 2, of these the
    second in phase 2. shares: smallest and largest volume fraction of each phase but the first that a shift may lead
    to.
    """

    @property
    def shares(self) -> tuple[float, float]: ...

    def level_set(self, shares: NDArray) -> NDArray[np.float64]:
        """A function (*grid), positive in phase 1, that changes by 1 per voxel across the interface.

        shares: of phase 1 in the voxels, or labels.
        """
        ...

    def geometry(self, level: NDArray[np.float64]) -> Contour:
        """The cell of such a function."""
        ...

    def labels(self, level: NDArray[np.float64]) -> NDArray:
        """Phase of every voxel (*grid); bool of two phases."""
        ...
