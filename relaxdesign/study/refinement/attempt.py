"""A cell of a shape on its way to its targets: from the design's grid to the limit, and to what is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from relaxdesign.microstructure.base import Fit, Shape
from relaxdesign.study.refinement.interface import TOLERANCE, Interface
from relaxdesign.study.refinement.limit import moved_to_limit
from relaxdesign.study.refinement.outcome import Realised
from relaxdesign.study.refinement.task import Task
from relaxdesign.study.trust import Resolution, verified

ACCEPTED = 0.01
"""Largest residual of a cell that counts as met."""
LEAST_GAIN = 0.1
"""Of the miss, by a whole step of a look; what gains less leads nowhere."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """What a pair came to. miss: largest residual. found: at the limit of fine grids, once it was sought there."""

    miss: float
    level: NDArray[np.float64]
    pair: tuple[int, int]
    found: Resolution | None = None


def to_limit(look: Attempt, interface: Interface) -> Attempt:
    """The cell shifted on the design's grid, and then until its limit meets the targets.

    If it does not, because thin parts carry otherwise on finer grids, it is shifted on a grid twice as fine.
    """
    best: tuple[float, NDArray[np.float64], Resolution] | None = None
    for fine in (False, True):
        on_grid = replace(interface, times=2, least_gain=LEAST_GAIN) if fine else interface

        def shifted(
            level: NDArray[np.float64], shift: Mapping[str, float], on_grid: Interface = on_grid
        ) -> NDArray[np.float64]:
            return replace(on_grid, shift=shift).shifted(level)[1]

        start = best[2].shift(interface.simulation.targets, fine=True) if best else {}
        found = moved_to_limit(
            shifted(best[1] if best else look.level, start),
            shifted,
            interface.family.geometry,
            interface.materials,
            interface.simulation,
            TOLERANCE,
            fine=fine,
        )
        best = found if best is None or found[0] < best[0] else best
        if best[0] < ACCEPTED:
            break
    assert best is not None
    return Attempt(best[0], best[1], look.pair, best[2])


def finished(
    pair: tuple[int, int], level: NDArray[np.float64], family: Shape, task: Task, found: Resolution | None = None
) -> Realised:
    """The exported cell. found: what is known of its resolution."""
    geometry = family.geometry(level)
    resolution = verified(task.simulation, task.materials_of(pair), geometry, found)
    return Realised(pair, torch.from_numpy(level > 0), geometry, resolution)


def level_of(fit: Fit, family: Shape) -> NDArray[np.float64]:
    """The level set of a sample: of given phases it tells where in a voxel the interface lies."""
    return family.level_set(fit.labels if fit.sampled is None else (fit.sampled.clip(-1.0, 1.0) + 1.0) / 2.0)
