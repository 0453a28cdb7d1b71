"""From the design's grid to the limit of ever finer ones: what every refinement does at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Geometry
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import Resolution, resolve

T = TypeVar("T")

_CORRECTIONS = 2


def moved_to_limit(
    start: T,
    moved: Callable[[T, Mapping[str, float]], T],
    geometry: Callable[[T], Geometry],
    materials: Sequence[Material],
    simulation: Simulation,
    tolerance: float,
    *,
    times: int = 1,
    resolved: int = 1,
) -> tuple[float, T, Resolution]:
    """Of the cells seen the one whose limit misses the targets least: its largest residual, itself, its two solves.

    Ends when that is below the tolerance, is no longer halved, or after two corrections. Raises ConvergenceError.

    Args:
        start: meets the targets on a grid.
        moved: meets them there again, with coordinates shifted by so much (see `Simulation.residuals`).
        geometry: of such a cell.
        times: voxels per edge of that grid, in multiples of the design's.
        resolved: the same of the coarser of the two grids that tell the limit.
    """
    best: tuple[float, T, Resolution] | None = None
    cell = start
    for _ in range(1 + _CORRECTIONS):
        resolution = resolve(simulation, materials, geometry(cell), times=resolved)
        miss = float(np.abs(simulation.residuals(resolution.values)).max())
        halved = best is None or miss < 0.5 * best[0]
        if best is None or miss < best[0]:
            best = miss, cell, resolution
        if miss < tolerance or not halved:
            break
        solved = resolution.on(times) or simulation.cells(materials, [geometry(cell)], times=times)
        cell = moved(cell, resolution.shift(simulation.targets, solved))
    assert best is not None
    return best
