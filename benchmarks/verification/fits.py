"""Orders of convergence and limits fitted to numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares


@dataclass(frozen=True)
class OrderFit:
    """value(n) = limit + factor · n^(-order)."""

    limit: float
    factor: float
    order: float
    misfit: float
    """Root mean square of the residuals, relative to the limit."""

    def at(self, size: float) -> float:
        """Value of the fit on a grid of ``size`` voxels."""
        return self.limit + self.factor * size ** (-self.order)


def fit_order(sizes: Sequence[int], values: Sequence[float]) -> OrderFit:
    """Limit and order by least squares; needs four grids at least to be more than interpolation."""
    h, v = 1.0 / np.asarray(sizes, dtype=float), np.asarray(values, dtype=float)
    scale = abs(v[-1])

    def residual(x: np.ndarray) -> np.ndarray:
        return (x[0] + x[1] * (h / h[0]) ** x[2] - v / scale) * 1e3

    start = [v[-1] / scale, (v[0] - v[-1]) / scale, 1.0]
    fit = least_squares(residual, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    limit, factor, order = fit.x
    misfit = math.sqrt(float(np.mean(fit.fun**2))) / 1e3
    return OrderFit(limit * scale, factor * scale * h[0] ** (-order), order, misfit)


def order_by_halving(sizes: Sequence[int], values: Sequence[float], coarsest: int = 0) -> OrderFit:
    """Order from the changes value(n) - value(2n) of all pairs of grids n, 2n with n ≥ ``coarsest``.

    The order is the slope of their logarithms over log n, which needs no limit to be known; the limit is the Richardson
    extrapolation of the last pair.
    """
    found = dict(zip(sizes, values, strict=True))
    pairs = [n for n in sizes if n >= coarsest and 2 * n in found]
    changes = np.array([found[n] - found[2 * n] for n in pairs])
    order, intercept = np.polyfit(-np.log(pairs), np.log(np.abs(changes)), 1)
    fitted = np.exp(intercept) * np.array(pairs, dtype=float) ** (-order)
    last = pairs[-1]
    limit = found[2 * last] - changes[-1] / (2.0**order - 1.0)
    factor = math.copysign(math.exp(intercept), changes[-1]) / (1.0 - 2.0 ** (-order))
    misfit = math.sqrt(float(np.mean((fitted - np.abs(changes)) ** 2))) / abs(limit)
    return OrderFit(float(limit), float(factor), float(order), misfit)


def richardson(coarse: float, middle: float, fine: float) -> tuple[float, float]:
    """Limit and order from three grids, each twice as fine as the one before."""
    order = math.log2(abs((coarse - middle) / (middle - fine)))
    return fine + (fine - middle) / (2.0**order - 1.0), order


def linear_fit(columns: Sequence[Sequence[float]], values: Sequence[float]) -> tuple[np.ndarray, float, float]:
    """Least squares with an intercept in front: coefficients, standard error of the intercept, rms of the residuals."""
    v = np.asarray(values, dtype=float)
    matrix = np.column_stack([np.ones(len(v)), *columns])
    coefficients = np.linalg.lstsq(matrix, v, rcond=None)[0]
    residual = v - matrix @ coefficients
    free = max(1, len(v) - matrix.shape[1])
    covariance = np.linalg.inv(matrix.T @ matrix) * float(residual @ residual) / free
    return coefficients, math.sqrt(covariance[0, 0]), math.sqrt(float(np.mean(residual**2)))
