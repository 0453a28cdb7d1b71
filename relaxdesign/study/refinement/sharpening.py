"""A relaxed shape made crisp while it keeps to its targets: continuation, as in topology optimisation.

The sharpness of its projection (`relaxdesign.study.projected`) rises until nearly every voxel is of one phase; after
each rise Gauss–Newton steps on the field take the targets back. Unlike a shifted interface this can close a wall that
was cut where it was thin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relaxdesign.materials.catalogue import Material
from relaxdesign.study.objective import Objective
from relaxdesign.study.projected import SHARPEST, Projected, crisp_shares, smoothing_of
from relaxdesign.study.refinement.steps import closing_amplitudes
from relaxdesign.study.simulation import Simulation

_SHARPNESS = (3.0, 4.5, 7.0, 10.0, 15.0, SHARPEST)
_STEPS, _STEPS_OF_THREE = 3, 8  # at each, at most; of three phases more, whose fields are smoothed more
_NEAR = 0.05  # distance from all targets with which the next sharpness is taken
_LARGEST = 1.0  # change of a voxel of the field by a step
_LARGEST_MEAN = 0.06  # the same, as root mean square

Values = NDArray[np.float64]


def sharpened(sampled: Values, materials: Sequence[Material], simulation: Simulation, thinnest: float = 0.0) -> Values:
    """Shares of the second phase in the voxels (*grid), nearly all 0 or 1, near the targets. Raises ConvergenceError.

    sampled: -1 in the first phase and 1 in the second; of three phases both fields (2, *grid), and so are the shares.
    thinnest: part that is asked for, in voxels.
    """
    smoothing = smoothing_of(materials, thinnest)
    projected, values = Projected(materials, simulation, smoothing=smoothing), np.clip(sampled, -1.0, 1.0)
    for sharpness in _SHARPNESS:
        for step in range(_STEPS if len(materials) == 2 else _STEPS_OF_THREE):
            coordinates, gradients = projected.solved(values, sharpness)
            if step and np.linalg.norm(projected.gaps(coordinates)) < _NEAR:
                break
            values = np.clip(values + _step(values, coordinates, gradients, simulation.targets), -1.0, 1.0)
    return crisp_shares(values, simulation.dim, smoothing)


def _step(values: Values, coordinates: Values, gradients: Values, targets: Sequence[Objective]) -> Values:
    """The smallest change that should meet the targets, of voxels that are free to go there."""
    step, free = np.zeros_like(values), np.ones(values.shape, dtype=bool)
    for _ in range(2):
        rows = (gradients * free).reshape(len(gradients), -1)
        step = np.tensordot(closing_amplitudes(rows @ rows.T, coordinates, targets), gradients, 1)
        free &= (np.abs(values) < 1.0) | (step * values < 0.0)
    step *= free
    size, largest = math.sqrt(float(np.square(step).mean())), float(np.abs(step).max())
    return step * min(1.0, _LARGEST_MEAN / max(size, 1e-30), _LARGEST / max(largest, 1e-30))
