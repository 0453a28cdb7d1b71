"""Which values of a quantity composites of the materials on offer can have: intervals, and the gaps between them.

Two materials give two intervals, that of inclusions of the first in the second and the reverse, at volume fractions
that can be placed. Where few materials are on offer nothing may lie between them. The closed-form estimates of the
family tell the intervals; they err where fractions are high and contrasts large, so the ends of a gap in which a target
would lie are simulated before it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Inclusions, PlacementError, has_layers, inclusions_of
from relaxdesign.physics.attainable import Interval, reachable_by_any
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.physics.quantities import QUANTITIES, format_value
from relaxdesign.study.family import family_of, with_third
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.selection import shares
from relaxdesign.study.simulation import Simulation

_GRID = {2: 64, 3: 32}  # of the shipped priors
_COARSE = [0, 3, 6, 9, 12, 15, 18, 21, 23]  # of the shares at which estimates are made
_SIMULATED_PAIRS = 2
_PLACEMENTS = 3
_ACCEPTED = 0.01  # coordinates by which a value may miss its target, as refinement accepts it


@dataclass(frozen=True)
class Gap:
    """An open interval without any attainable value. low, high: attainable, in the quantity's unit."""

    low: float
    high: float

    def nearest(self, target: Objective) -> float:
        """The end that misses the target by less."""
        coordinate = QUANTITIES[target.quantity].coordinate
        return min((self.low, self.high), key=lambda end: abs(float(target.gap(np.float64(coordinate(end))))))


def attainable(catalogue: Catalogue, dim: int, name: str, family: str = "particles") -> list[Interval]:
    """Intervals of a quantity that composites of two different materials can have, ascending.

    Few materials leave gaps between them. By inclusions placed at random as their family estimates them; by a family
    that has no estimates any microstructure can be made, one interval from the Voigt and Reuss bounds. Raises
    RequestError for a catalogue of a single material.
    """
    if len(catalogue) < 2:
        raise RequestError("a composite needs two materials: tick at least one more")
    kind = family_of(family, dim, catalogue)
    if not isinstance(kind, Inclusions):
        return [reachable_by_any(catalogue, dim, name)]
    estimates = kind.estimate(catalogue, shares(kind)[_COARSE], dim, name)
    allowed = ~np.eye(len(catalogue), dtype=bool) & ~catalogue.forbidden
    return _merged(estimates.min(0)[allowed], estimates.max(0)[allowed])


def check_reachable(target: Objective, request: DesignRequest, materials: Catalogue) -> None:
    """Raises RequestError, with what can be had, if composites of these materials cannot have a target."""
    name, family = target.quantity, family_of(request.family, request.dim, materials)
    intervals = attainable(materials, request.dim, name, request.family)
    low, high = intervals[0][0], intervals[-1][1]
    slack = 1e-9 * max(abs(low), abs(high))
    within = (target.high is None or target.high >= low - slack) and (target.low is None or target.low <= high + slack)
    gap = gap_of(target, intervals)
    if gap is not None and isinstance(family, Inclusions):
        gap = simulated_gap(target, gap, materials, family, request.dim, request.boundary)
    if within and gap is None:
        return
    advice = "change the target or offer other materials"
    others = " or ".join(other.name for other in FAMILIES.values() if other.directional)
    if not family.directional and QUANTITIES[name].directional:
        advice = f"{inclusions_of(family)} placed at random have no direction in their plane: ask for {others} cells"
    elif low == high and materials.has_void:  # the expansion
        advice = "beside voids a solid expands as it does alone: give a second solid as third phase"
    elif low == high:  # the solid fraction
        advice = f"only voids change it: ask for {others} cells and give void as one of their two phases"
    between = f"between {format_value(name, low)} and {format_value(name, high)}"
    if gap is not None:
        between += f", but none between {format_value(name, gap.low)} and {format_value(name, gap.high)}"
        advice = f"the nearest that can be had is {format_value(name, gap.nearest(target))}; {advice}"
    has = f"{family.composites} of the materials on offer have a {QUANTITIES[name].label} {between}"
    raise RequestError(f"{target} is out of reach: {has}; {advice}")


def gap_of(target: Objective, intervals: Sequence[Interval]) -> Gap | None:
    """The gap between neighbouring intervals in which all of a target lies, or None."""
    for (_, low), (high, _) in pairwise(intervals):
        if target.low is not None and target.high is not None and low < target.low and target.high < high:
            return Gap(low, high)
    return None


def simulated_gap(
    target: Objective, gap: Gap, catalogue: Catalogue, family: Inclusions, dim: int, boundary: str
) -> Gap | None:
    """The gap with its ends simulated; None if a simulated end reaches the target.

    gap: between its ends by estimate. Takes seconds, in 3D up to half a minute, once per gap.
    """
    name = target.quantity
    at_shares = shares(family)[_COARSE]
    estimates = family.estimate(catalogue, at_shares, dim, name)
    ends = []
    for sign, end, values in ((1, gap.low, estimates.max(0)), (-1, gap.high, estimates.min(0))):
        beyond = np.where(sign * (end - values) >= 0, sign * (end - values), np.inf)
        np.fill_diagonal(beyond, np.inf)
        beyond[catalogue.forbidden] = np.inf
        found = []
        for flat in np.argsort(beyond, axis=None, kind="stable")[:_SIMULATED_PAIRS]:
            m, p = divmod(int(flat), len(catalogue))
            if np.isfinite(beyond[m, p]):
                at = int((sign * estimates[:, m, p]).argmax())
                phases = with_third((catalogue.materials[m], catalogue.materials[p]), family, catalogue.third)
                found += _simulated(family, phases, float(at_shares[at]), dim, name, boundary)
        ends.append(max(found, key=lambda value: sign * value, default=end))
    narrowed = Gap(*ends)
    coordinate = QUANTITIES[name].coordinate
    if abs(float(target.gap(np.float64(coordinate(narrowed.nearest(target)))))) <= _ACCEPTED:
        return None
    return gap_of(target, [(-np.inf, narrowed.low), (narrowed.high, np.inf)])


@lru_cache(maxsize=256)
def _simulated(
    family: Inclusions, phases: tuple[Material, ...], share: float, dim: int, name: str, boundary: str
) -> tuple[float, ...]:
    """Mean values over placements, of the smallest and of the largest inclusions; none where that fails."""
    simulation = Simulation.of(
        [Objective(quantity=name, sense="minimise")], boundary, dim, _GRID[dim], layers=has_layers(family)
    )
    found = []
    for size in family.size.range:
        generator = torch.Generator().manual_seed(0)
        try:
            placements = family.place(share, size, dim, grid=simulation.grid, count=_PLACEMENTS, generator=generator)
            found.append(simulation.values(phases, placements).mean[name])
        except (PlacementError, ConvergenceError):
            continue
    return tuple(found)


def _merged(low: NDArray[np.float64], high: NDArray[np.float64]) -> list[Interval]:
    """The union of intervals as ascending ones that are apart."""
    order = np.argsort(low, kind="stable")
    low, high = low[order], np.maximum.accumulate(high[order])
    slack = 1e-9 * np.maximum(np.abs(low[1:]), np.abs(high[:-1]))
    starts = np.concatenate([[True], low[1:] > high[:-1] + slack])
    ends = np.concatenate([starts[1:], [True]])
    return [(float(a), float(b)) for a, b in zip(low[starts], high[ends], strict=True)]
