"""The Gauss–Newton step onto targets that are values or intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relaxdesign.study.objective import Objective

_REGULAR = 1e-5  # of the mean of the Gram matrix' diagonal


def closing_amplitudes(
    gram: NDArray[np.float64], coordinates: NDArray[np.float64], targets: Sequence[Objective]
) -> NDArray[np.float64]:
    """Amplitudes (targets,) of modes that bring missed targets to their intervals and let no other leave its own.

    gram: symmetric (targets, targets), what each mode adds to each coordinate. coordinates: where targets are.
    """
    residual = np.array([float(t.gap(np.float64(c))) for t, c in zip(targets, coordinates, strict=True)])
    amplitudes, held = np.zeros(len(residual)), residual != 0.0
    while held.any():
        rows = gram[np.ix_(held, held)]
        rows = rows + (_REGULAR * np.trace(rows) / len(rows) + 1e-30) * np.eye(len(rows))
        amplitudes[held] = -np.linalg.solve(rows, residual[held])
        there = coordinates + gram @ amplitudes
        left = np.array([t.gap(np.float64(c)) != 0.0 for t, c in zip(targets, there, strict=True)]) & ~held
        if not left.any():
            break
        held |= left
    return amplitudes
