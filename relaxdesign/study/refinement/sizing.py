"""Realisation of inclusions: one of the placements becomes the exported cell.

Its inclusions are resized until this very cell meets the targets. The search solves it on the design's grid, shifted by
what the limit of fine grids was found to differ from that grid; the shift hardly depends on the size, so that one
correction, at most two, is enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Placement
from relaxdesign.physics.composite_voxels import NARROW, STRONG, carried
from relaxdesign.study.refinement.limit import moved_to_limit
from relaxdesign.study.refinement.outcome import Realised, Refined
from relaxdesign.study.refinement.roots import gauss_newton, stop_early
from relaxdesign.study.refinement.task import Task
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import Resolution, contrast_of, verified

_TOLERANCE = 1e-3
_TRIED = 3
_RANGE = 0.93, 1.07  # of the size


def realise(refined: Refined, task: Task, remark: str = "") -> Realised:
    """The placement nearest to the targets, its inclusions resized so that this cell meets them."""
    simulation, materials, placements = task.simulation, task.materials_of(refined.pair), refined.placements
    misses = [np.abs(simulation.residuals(refined.values.one(i))).max() for i in range(len(placements))]
    best: tuple[float, Placement, Resolution] | None = None

    def resized(placement: Placement, shift: Mapping[str, float]) -> Placement:
        return _resized(placement, materials, simulation, shift)

    for choice in np.argsort(misses)[:_TRIED]:
        start = resized(placements[int(choice)], {})
        sized = moved_to_limit(start, resized, lambda placement: placement, materials, simulation, _TOLERANCE)
        if best is None or sized[0] < best[0]:
            best = sized
        if best[0] < 2 * _TOLERANCE:
            break
    assert best is not None
    return finished(refined.pair, best[1], task, refined.values.deviation, remark, best[2])


def finished(
    pair: tuple[int, int],
    placement: Placement,
    task: Task,
    deviation: Mapping[str, float],
    remark: str,
    found: Resolution | None = None,
) -> Realised:
    """A placement as the exported cell. deviation: over placements, by quantity. found: its resolution, if known."""
    materials, simulation = task.materials_of(pair), task.simulation
    resolution = verified(simulation, materials, placement, found)
    remark = "; ".join(filter(None, (remark, _narrow(resolution, simulation))))
    labels = placement.voxelise(simulation.grid)
    return Realised(pair, labels, placement, resolution, placement.parameters, deviation, remark)


def _narrow(resolution: Resolution, simulation: Simulation) -> str:
    """What is to be said of inclusions that come too near each other for the grid; empty of others."""
    gap, dim, contrast = resolution.gap, resolution.dim, _contrast(resolution.materials, simulation)
    if carried(gap, contrast, dim):
        return ""
    needed = f"{math.ceil(NARROW[dim] * simulation.grid / gap)} voxels per edge" if gap > 0.01 else "no grid"
    return (
        f"inclusions come within {max(gap, 0.0):.2g} voxels of each other at a contrast of {contrast:.3g}, so the "
        f"grid's interval is wide: {needed} would carry that, a smaller volume fraction would avoid it"
    )


def _contrast(materials: Sequence[Material], simulation: Simulation) -> float:
    """The largest of all physics that are solved."""
    solved = [physics for physics in simulation.evaluator.physics if physics.mixture is None]
    return max(contrast_of(materials, physics) for physics in solved)


def _largest(placement: Placement, materials: Sequence[Material], simulation: Simulation) -> float:
    """Size up to which the grid carries what is left between neighbours, or that of the placement if it is larger."""
    gap = 0.0 if _contrast(materials, simulation) < STRONG else NARROW[simulation.dim] / simulation.grid
    return max(placement.largest_size(gap), placement.size)


def _resized(
    placement: Placement, materials: Sequence[Material], simulation: Simulation, shift: Mapping[str, float]
) -> Placement:
    """The size of the smallest largest residual on the design's grid."""
    weights = np.array([target.weight for target in simulation.targets])
    seen: dict[float, NDArray[np.float64]] = {}

    def residuals(size: float) -> NDArray[np.float64]:
        if size not in seen:
            values = simulation.values(materials, [placement.with_size(size)]).one(0)
            seen[size] = simulation.residuals(values, shift)
        return seen[size]

    low, high = _RANGE[0] * placement.size, _RANGE[1] * placement.size
    high = min(high, _largest(placement, materials, simulation))
    start = float(np.abs(residuals(placement.size)).max())
    if len(simulation.targets) > 1 and start > _TOLERANCE / 2:
        gauss_newton(residuals, placement.size, (low, high), weights, _TOLERANCE / 2)
    elif start > _TOLERANCE / 2:
        gap = stop_early(lambda size: float(residuals(size)[0]), _TOLERANCE / 2)
        here = gap(placement.size)
        other = next((end for end in (low, high) if end != placement.size and here * gap(end) <= 0), None)
        if other is not None:
            brentq(gap, *sorted((placement.size, other)), xtol=1e-5)
    return placement.with_size(min(seen, key=lambda size: float(np.abs(seen[size]).max())))
