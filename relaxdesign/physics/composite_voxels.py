"""Composite voxels: moduli of voxels that an interface cuts, from the shares of the two phases in them.

A voxel that belongs to one phase or the other moves an interface by up to half a voxel, and particles that nearly
touch become one. A cut voxel takes instead the generalised mean of its phases' values,

    m(f) = ((1 - f) m_matrix^p + f m_inclusion^p)^(1/p),

smooth in the share f of the inclusions. The exponent p depends on the contrast c = m_inclusion / m_matrix alone: a
stiff inclusion passes load across its interface (in series, p near -1), around a soft one load passes along it (in
parallel, p near 1); in a 2D cell the thickness is always in parallel. A physics may know better for some phases: beside
rubber bulk moduli are in series, see `relaxdesign.physics.elasticity`. `EXPONENTS` are those whose effective bulk
modulus lies nearest to the limit of fine grids, found on random packings (volume fraction 0.15 to 0.45, diameter 0.18
and 0.3; 64² and 32³) by ``benchmarks/composite_voxels.py``. Whatever p is, the error that is left falls as the edge of
a voxel, so that two grids tell the limit, see `limit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

VOID_CONTRAST = 1e7
"""Contrast from which the softer phase counts as a void, wherever it is. It passes nothing on, so what is solid of a
voxel carries beside it, whichever phase surrounds the other: p = 1."""

EXPONENTS = {
    2: ((-4.0, 1.0), (-2.0, 0.92), (-1.0, 0.55), (1.0, -0.45), (2.0, 0.3), (3.0, 0.8), (4.0, 0.9)),
    3: ((-4.0, 1.0), (-2.0, 0.75), (-1.0, 0.45), (1.0, -1.0)),
}
"""Per dimension of the cell: (log10 of the contrast, p), linear in between and constant beyond."""

SERIES = -1.0
"""p of phases in series."""

VOID_ORDER = 1.8
"""Order with which the error of cells with voids falls."""

LEFT = 0.7
"""Half-width of the interval around `limit`, of the difference between the two grids."""
NARROW, STRONG = {2: 1.0, 3: 0.5}, 50.0
"""Voxels between neighbouring inclusions, by dimension, and the contrast from which fewer are too few: where load
crosses such a gap two grids tell the limit badly (a chain of discs 0.5 voxels apart, contrast 130: 21 % off; spheres
0.5 %).
"""
PRECISION, PER_CONTRAST, LARGEST_CONTRAST = 1e-4, {2: 1e-3, 3: 4e-3}, 2.5
"""What the half-width is at least, relative: a constant plus so much of the square of the contrast's logarithm (base
10), by dimension of the cell, up to a largest one. How often such intervals hold the value on a grid four times as fine
is measured by ``benchmarks/composite_voxels.py`` too.
"""


def exponent(contrast: float, dim: int) -> float:
    """p for a contrast (inclusion to matrix) in a cell of dimension 2 or 3."""
    if max(contrast, 1.0 / contrast) >= VOID_CONTRAST:
        return 1.0
    logs, values = zip(*EXPONENTS[dim], strict=True)
    return float(np.interp(math.log10(contrast), logs, values))


def composite_field(matrix: float, inclusion: float, shares: Tensor, dim: int, p: float | None = None) -> Tensor:
    """Values of the voxels, float64 in the shape of ``shares``, for positive values of the phases.

    shares: of the inclusions in every voxel, 0 to 1. p: of the mean; None: that of their contrast.
    """
    contrast, share = inclusion / matrix, shares.double()
    if p is None or max(contrast, 1.0 / contrast) >= VOID_CONTRAST:
        p = exponent(contrast, dim)
    if abs(p) < 1e-6:
        return matrix * torch.exp(share * math.log(contrast))
    return matrix * ((1.0 - share) + share * contrast**p) ** (1.0 / p)


def own_means(
    phases: Mapping[str, Sequence[float]], shares: Tensor, dim: int, fields: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Coefficients by name, each the mean that its own contrast asks for; see `relaxdesign.physics.base.Composite`."""
    return {name: composite_field(*values, shares, dim) for name, values in phases.items()}


def extrapolated(coarse: Any, fine: Any, contrast: float = 1.0) -> Any:
    """Richardson's extrapolation, from a grid and one twice as fine, of floats or arrays.

    The error falls as the edge of a voxel, or as its power `VOID_ORDER` if the contrast is that of a void.
    """
    order = VOID_ORDER if max(contrast, 1.0 / contrast) >= VOID_CONTRAST else 1.0
    return fine + (fine - coarse) / (2.0**order - 1.0)


def carried(gap: float, contrast: float, dim: int) -> bool:
    """Whether a grid carries inclusions that come so near each other, see `NARROW`. gap: in voxels."""
    return gap >= NARROW[dim] or max(contrast, 1.0 / contrast) < STRONG


def limit(coarse: float, fine: float, contrast: float, dim: int, *, gap: float = math.inf) -> tuple[float, float]:
    """The limit of fine grids and the half-width of its interval, from values on a grid and on one twice as fine.

    contrast: of the phases, to either side. gap: between the nearest inclusions, in voxels of the coarse grid; one that
    it does not carry doubles the interval.
    """
    value = extrapolated(coarse, fine, contrast)
    least = PRECISION + PER_CONTRAST[dim] * min(abs(math.log10(contrast)), LARGEST_CONTRAST) ** 2
    left = LEFT if carried(gap, contrast, dim) else 2.0 * LEFT
    return value, left * abs(fine - coarse) + least * abs(value)
