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
_DOUBT = {2: 0.008, 3: 0.05}
"""Largest distance of a target from its value on the finer grid with which a limit counts as known, by dimension."""
_GRIDS = {2: ((1, 1), (1, 2), (2, 2)), 3: ((1, 1), (2, 1))}
"""By dimension, one after the other: voxels per edge of the grid on which a cell is shifted, and of the coarser one of
the two that tell its limit, in multiples of the design's."""
LEAST_GAIN = 0.1
"""Of the miss, by a whole step of a look; what gains less leads nowhere."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """What a pair came to.

    miss: largest residual. found: at the limit of fine grids, once it was sought there. doubt: how far that limit is
    from what was solved, relative to what is too far.
    """

    miss: float
    level: NDArray[np.float64]
    pair: tuple[int, ...]
    found: Resolution | None = None
    doubt: float = 0.0

    @property
    def rank(self) -> float:
        """Lower is better; below `ACCEPTED` the targets are met, as far as grids tell."""
        return max(self.miss, self.doubt * ACCEPTED)


def to_limit(look: Attempt, interface: Interface) -> Attempt:
    """The cell shifted on the design's grid, and then until its limit meets the targets.

    If the limit is not well known, because thin parts carry otherwise on finer grids, finer ones tell it, in 2D. If the
    targets are still not met, the cell is shifted on a grid twice as fine.
    """
    dim, best = interface.simulation.dim, None
    finest = _GRIDS[dim][-1][1]
    for times, resolved in _GRIDS[dim]:
        on_grid = interface if times == 1 else replace(interface, times=times, least_gain=LEAST_GAIN)

        def shifted(
            level: NDArray[np.float64], shift: Mapping[str, float], on_grid: Interface = on_grid
        ) -> NDArray[np.float64]:
            return replace(on_grid, shift=shift).shifted(level)[1]

        targets = interface.simulation.targets
        known = best.found.on(times) if best and best.found else None
        start = best.found.shift(targets, known) if best and best.found and known else {}
        miss, level, found = moved_to_limit(
            shifted(best.level if best else look.level, start),
            shifted,
            interface.family.geometry,
            interface.materials,
            interface.simulation,
            TOLERANCE,
            times=times,
            resolved=resolved,
        )
        doubt = found.doubt(targets) if interface.simulation.void else 0.0  # of solids intervals tell how it is known
        attempt = Attempt(miss, level, look.pair, found, doubt / _DOUBT[dim])
        best = attempt if best is None or attempt.rank < best.rank else best
        if (best.rank if resolved < finest else best.miss) < ACCEPTED:
            break
    assert best is not None
    return best


def finished(
    pair: tuple[int, ...], level: NDArray[np.float64], family: Shape, task: Task, found: Resolution | None = None
) -> Realised:
    """The exported cell. found: what is known of its resolution."""
    geometry = family.geometry(level)
    resolution = verified(task.simulation, task.materials_of(pair), geometry, found)
    return Realised(pair, torch.from_numpy(family.labels(level)), geometry, resolution)


def level_of(fit: Fit, family: Shape) -> NDArray[np.float64]:
    """The level set of a sample: of given phases it tells where in a voxel the interface lies."""
    return family.level_set(fit.labels if fit.sampled is None else (fit.sampled.clip(-1.0, 1.0) + 1.0) / 2.0)
