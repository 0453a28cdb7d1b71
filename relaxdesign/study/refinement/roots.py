"""Searches along one variable: for a root, and for the smallest misses of several targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def stop_early(function: Callable[[float], float], tolerance: float) -> Callable[[float], float]:
    """The function with small values set to zero, so that root finding ends there."""

    def stopping(x: float) -> float:
        value = function(x)
        return 0.0 if abs(value) < tolerance else value

    return stopping


def gauss_newton(
    residuals: Callable[[float], NDArray[np.float64]],
    start: float,
    bracket: tuple[float, float],
    weights: NDArray[np.float64],
    tolerance: float,
    steps: int = 5,
) -> None:
    """Visits points x of ever smaller weighted Σ r²: Gauss–Newton with secant slopes."""
    before, x = start, start + (0.25 if start < sum(bracket) / 2 else -0.25) * (bracket[1] - bracket[0])
    old = residuals(before)
    for _ in range(steps):
        new = residuals(x)
        if abs(x - before) < 1e-12 or max(np.abs(new).max(), 0.0) < tolerance:
            return
        slope = (new - old) / (x - before)
        if (size := float((weights * slope**2).sum())) == 0.0:
            return
        following = float(np.clip(x - float((weights * slope * new).sum()) / size, *bracket))
        if abs(following - x) < 1e-3 * (bracket[1] - bracket[0]):
            return
        before, x, old = x, following, new
