"""How far a realised cell's numbers hold: what they come to on ever finer grids, and how well that is known.

A cell, spheres or a level set, is solved with composite voxels on the design's grid and on one twice as fine, or on
finer ones where these are far apart; its quantities are what the two are extrapolated to, see
`relaxdesign.physics.composite_voxels`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Geometry, Placement
from relaxdesign.physics.anisotropy import is_stable
from relaxdesign.physics.base import Physics
from relaxdesign.physics.composite_voxels import extrapolated, limit
from relaxdesign.physics.evaluator import Effective
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES
from relaxdesign.physics.voigt_reuss import ENTRIES
from relaxdesign.study.objective import Objective
from relaxdesign.study.sensitivity import Sensitivity, sensitivities
from relaxdesign.study.simulation import Simulation

_NORMAL = 1.96
"""Half-width of a 95 % interval, in standard deviations."""
_WHOLE = ("E",)  # takes the whole stiffness
_WORDS = {
    "grid": "the grid (a finer one would narrow it)",
    "placement": "other placements of the same inclusions",
    "material": "what is known of the materials",
}


@dataclass(frozen=True)
class Trust:
    """One quantity of the realised cell, independent of its voxels, and half-widths of its intervals (95 %).

    value: limit of fine grids, in the quantity's unit. grid: error that resolution leaves. placement: scatter over
    statistically equal cells; None of a cell that is not placed at random, or where it was not measured. material:
    from the uncertainty of the materials' own numbers; None where it was not computed. placement_doubled: what the
    placement would leave in a cell of twice the edge with inclusions of the same size, see `_scatter_doubled`.
    """

    value: float
    grid: float
    placement: float | None = None
    material: float | None = None
    placement_doubled: float | None = None

    @property
    def parts(self) -> dict[str, float]:
        """The half-widths that are known, by name."""
        every = {"grid": self.grid, "placement": self.placement, "material": self.material}
        return {name: width for name, width in every.items() if width is not None}

    @property
    def width(self) -> float:
        """Half-width of all parts together; they are independent."""
        return math.hypot(*self.parts.values())

    @property
    def low(self) -> float:
        return self.value - self.width

    @property
    def high(self) -> float:
        return self.value + self.width

    def scaled(self, times: float) -> Trust:
        """The same in another unit, whose numbers are so many times larger."""
        parts = (self.placement, self.material, self.placement_doubled)
        return Trust(self.value * times, self.grid * times, *(None if p is None else p * times for p in parts))

    def __str__(self) -> str:
        """``117.6 ± 0.3``, without the unit, to the first digit of the width."""
        if self.width <= 0:
            return f"{self.value:.4g} ± 0"
        digits = max(0, -math.floor(math.log10(self.width)))
        return f"{self.value:.{digits}f} ± {self.width:.{digits}f}"

    @property
    def brief(self) -> str:
        """The interval and its largest part: ``±6.2 %, mostly material``."""
        return f"{self._share(self.width)}, mostly {max(self.parts, key=self.parts.__getitem__)}"

    @property
    def words(self) -> str:
        """What the interval comes from: ``±6.2 %: mostly what is known of the materials; grid ±0.3 %``."""
        largest = max(self.parts, key=self.parts.__getitem__)
        others = ", ".join(f"{name} {self._share(part)}" for name, part in self.parts.items() if name != largest)
        told = f"{self._share(self.width)}: mostly {_WORDS[largest]}{'; ' if others else ''}{others}"
        if self.placement_doubled is None or largest != "placement":
            return told
        return f"{told}; in a cell of twice the edge placement {self._share(self.placement_doubled)}"

    def _share(self, width: float) -> str:
        return f"±{width:.1g}" if self.value == 0 else f"±{100 * width / abs(self.value):.2g} %"

    def to_dict(self) -> dict[str, float | None]:
        """JSON form."""
        return asdict(self) | {"low": self.low, "high": self.high}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Trust:
        """The inverse of ``to_dict``."""
        parts = ("placement", "material", "placement_doubled")
        return Trust(values["value"], values["grid"], *(values.get(name) for name in parts))


@dataclass(frozen=True, eq=False)
class Resolution:
    """A cell on a grid, on one twice as fine, and at the limit.

    coarse, fine: the two solves. materials, shares: of the phases, volume fractions. dim: of the cell. gap:
    between the nearest inclusions, in voxels of the coarse grid; infinite of a cell that has none. times: voxels per
    edge of the coarse grid, in multiples of the design's. sensitivity: of every quantity on the coarse grid, where it
    was computed.
    """

    coarse: Effective
    fine: Effective
    materials: Sequence[Material]
    shares: tuple[float, ...]
    dim: int
    gap: float = math.inf
    times: int = 1
    sensitivity: Mapping[str, Sensitivity] = field(default_factory=dict)

    def trust(self, deviation: Mapping[str, float] | None = None) -> dict[str, Trust]:
        """Of every quantity that the geometry decides, by name. deviation: over placements, as far as it is known."""
        found = {}
        for name in self.fine.values:
            if _is_mixture(name):
                if material := self._material(name):
                    found[name] = Trust(self._two(name)[1], 0.0, None, material)
                continue
            value, grid = limit(*self._two(name), self._contrast(name), self.dim, gap=self.gap)
            spread = (deviation or {}).get(name)
            placement = None if spread is None else _NORMAL * spread
            doubled = None if placement is None else _scatter_doubled(self.dim) * placement
            found[name] = Trust(value, grid, placement, self._material(name), doubled)
        return found | _couplings(found)

    @property
    def values(self) -> dict[str, float]:
        """The limit of every quantity; of those that volume fractions alone decide, the value on the finer grid."""
        return {
            name: self._two(name)[1] if _is_mixture(name) else extrapolated(*self._two(name), self._contrast(name))
            for name in self.fine.values
        }

    def on(self, times: int) -> Effective | None:
        """The values on a grid, if it is one of the two. times: its voxels per edge, in multiples of the design's."""
        return {self.times: self.coarse, 2 * self.times: self.fine}.get(times)

    def shift(self, targets: Sequence[Objective], solved: Effective) -> dict[str, float]:
        """By how much the limit's coordinate lies above that of the cell as solved, by the targets' quantities."""
        values = self.values
        return {
            target.quantity: float(
                target.coordinate(values[target.quantity]) - target.coordinate(float(solved.values[target.quantity][0]))
            )
            for target in targets
        }

    def doubt(self, targets: Sequence[Objective]) -> float:
        """How far the limit lies from the finer grid: the largest distance of a target's coordinate."""
        return max(map(abs, self.shift(targets, self.fine).values()), default=0.0)

    @property
    def stiffness(self) -> NDArray[np.float64] | None:
        """C in GPa (6, 6), if it was computed: the limit of fine grids.

        That of phases which hardly shear beside stiff ones may be no stiffness; then it is that of the finer grid.
        """
        if self.coarse.stiffness is None or self.fine.stiffness is None:
            return None
        coarse, fine = (solved.stiffness[0].numpy() for solved in (self.coarse, self.fine))
        C = extrapolated(coarse, fine, self._contrast("K"))
        return C if is_stable(C) else fine

    def _contrast(self, name: str) -> float:
        return contrast_of(self.materials, PHYSICS[QUANTITIES[name].physics])

    def _material(self, name: str) -> float | None:
        """Half-width from the uncertainty of the materials' numbers, to first order; densities are known."""
        if name not in self.sensitivity:
            return None
        sensitivity = self.sensitivity[name]
        causes = sensitivity.causes or {PHYSICS[QUANTITIES[name].physics].coefficients[0].name: sensitivity.phases}
        parts = [
            slope * material.uncertainty(cause)
            for cause, slopes in causes.items()
            for slope, material in zip(slopes, self.materials, strict=True)
        ]
        return _NORMAL * math.hypot(*parts)

    def _two(self, name: str) -> tuple[float, float]:
        return float(self.coarse.values[name][0]), float(self.fine.values[name][0])


def resolve(
    simulation: Simulation,
    materials: Sequence[Material],
    geometry: Geometry,
    names: Collection[str] = (),
    times: int = 1,
) -> Resolution:
    """A cell on two grids. Raises ConvergenceError.

    names: quantities besides those of the simulation. times: voxels per edge of the coarser grid, in multiples of the
    design's.
    """
    shares = [simulation.shares([geometry], each) for each in (times, 2 * times)]
    coarse, fine = (simulation.composites(materials, each, names=names) for each in shares)
    gap = _gap_voxels(geometry, times * simulation.grid)
    return Resolution(coarse, fine, materials, _fractions(shares[1]), simulation.dim, gap, times)


def _fractions(shares: Tensor) -> tuple[float, ...]:
    """Volume fractions of all phases, from the shares of all but the first in the voxels of one cell."""
    others = shares.flatten(2).mean(2)[0].tolist()
    return 1.0 - sum(others), *others


def _gap_voxels(geometry: Geometry, grid: int) -> float:
    """Voxels of a grid between the nearest inclusions, infinite of a cell that has none."""
    return geometry.gap * grid if isinstance(geometry, Placement) else math.inf


def verified(
    simulation: Simulation, materials: Sequence[Material], geometry: Geometry, found: Resolution | None = None
) -> Resolution:
    """A cell that is to be exported, with all that follows from its stiffness and with its sensitivities.

    found: what `resolve` said of it, if it was asked.
    """
    whole = found
    if whole is None or whole.stiffness is None:
        whole = resolve(simulation, materials, geometry, _WHOLE, times=1 if found is None else found.times)
    return replace(whole, sensitivity=sensitivities(simulation, materials, geometry, whole.coarse, whole.times))


def _scatter_doubled(dim: int) -> float:
    """Scatter over cells of twice the edge, over that of cells of the edge: as one over the root of the volume.

    The law of averages of independent parts, which random microstructures follow once a cell holds several of them
    (Kanit, Forest, Galliet, Mounoury & Jeulin 2003, doi:10.1016/S0020-7683(03)00143-4); docs/method.md has a check.
    """
    return 2.0 ** (-dim / 2)


def _couplings(found: Mapping[str, Trust]) -> dict[str, Trust]:
    """Entries of C off its diagonal, with the grid error that the diagonal leaves them.

    A grid makes every cell too stiff, or every one too soft, so that what C is off is a definite matrix, whose entries
    are at most the geometric mean of those on its diagonal. Without it an entry near 0 would count as nearly exact.
    """
    told = {}
    for name, (i, j) in ENTRIES.items():
        if i < j and {name, f"C{i}{i}", f"C{j}{j}"} <= found.keys():
            least = math.sqrt(found[f"C{i}{i}"].grid * found[f"C{j}{j}"].grid)
            told[name] = replace(found[name], grid=max(found[name].grid, least))
    return told


def _is_mixture(name: str) -> bool:
    return PHYSICS[QUANTITIES[name].physics].mixture is not None


def contrast_of(materials: Sequence[Material], physics: Physics) -> float:
    """The largest ratio of a coefficient of two phases that is positive, at least 1."""
    positive = [c.name for c in physics.coefficients if c.positive]
    values = [[float(getattr(material, name)) for material in materials] for name in positive]
    return max(max(each) / min(each) if min(each) else math.inf for each in values)
