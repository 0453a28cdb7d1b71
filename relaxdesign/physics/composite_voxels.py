"""Composite voxels: moduli of voxels that an interface cuts, from the shares of the two phases in them.

A voxel that belongs to one phase or the other moves an interface by up to half a voxel, and particles that nearly
touch become one. A cut voxel takes instead the generalised mean of its phases' values,

    m(f) = ((1 - f) m_matrix^p + f m_inclusion^p)^(1/p),

smooth in the share f of the inclusions. The exponent p depends on the contrast c = m_inclusion / m_matrix alone: a
stiff inclusion passes load across its interface (in series, p near -1), around a soft one load passes along it (in
parallel, p near 1); in a 2D cell the thickness is always in parallel. A coating that passes less on than what it
separates is in series with both: else a voxel that it cuts would let through what it keeps apart (a barrier of 0.4
voxels around a sphere: 4 % off instead of 8 %, one ten times better 3 % instead of 25 %). A physics may know better for
some phases: beside rubber bulk moduli are in series, see `relaxdesign.physics.elasticity`. `EXPONENTS` are those whose
effective bulk modulus lies nearest to the limit of fine grids, found on random packings (volume fraction 0.15 to 0.45,
diameter 0.18 and 0.3; 64² and 32³) by ``benchmarks/composite_voxels.py``. Whatever p is, the error that is left falls
as the edge of a voxel, so that two grids tell the limit, see `limit`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
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

Coefficients = Mapping[str, Any]
"""Of a phase by name, floats; or fields, of what is itself a mixture."""

_GEOMETRIC = 1e-6  # |p| below which a mean is the geometric one

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


def exponent(contrast: Any, dim: int) -> Any:
    """p for a contrast (inclusion to matrix), a float or a tensor, in a cell of dimension 2 or 3."""
    logs, values = zip(*EXPONENTS[dim], strict=True)
    if isinstance(contrast, Tensor):
        known = torch.from_numpy(np.interp(contrast.detach().log10().numpy(), logs, values))
        return torch.where(_beside_void(contrast), 1.0, known)
    if _beside_void(contrast):
        return 1.0
    return float(np.interp(math.log10(contrast), logs, values))


def _beside_void(contrast: Any) -> Any:
    """Whether one of the phases is a void."""
    return (contrast >= VOID_CONTRAST) | (contrast * VOID_CONTRAST <= 1.0)


def composite_field(matrix: Any, inclusion: Any, shares: Tensor, dim: int, p: float | None = None) -> Tensor:
    """Values of the voxels, float64 in the shape of ``shares``, for positive values of the phases.

    matrix, inclusion: floats; or fields, of what is itself a mixture. shares: of the inclusions in every voxel, 0 to 1.
    p: of the mean; None: that of their contrast.
    """
    contrast, share = inclusion / matrix, shares.double()
    if isinstance(contrast, Tensor):
        return _between_fields(matrix, contrast, share, dim, p)
    power = float(exponent(contrast, dim)) if p is None or _beside_void(contrast) else p
    if abs(power) < _GEOMETRIC:
        return matrix * torch.exp(share * math.log(contrast))
    return matrix * ((1.0 - share) + share * contrast**power) ** (1.0 / power)


def _between_fields(matrix: Any, contrast: Tensor, share: Tensor, dim: int, p: float | None) -> Tensor:
    """As `composite_field`, with a contrast of its own in every voxel."""
    known = exponent(contrast, dim)
    if p is not None:
        known = torch.where(_beside_void(contrast), known, p)
    power = torch.where(known.abs() < _GEOMETRIC, _GEOMETRIC, known)
    return matrix * ((1.0 - share) + share * contrast**power) ** (1.0 / power)


def own_means(
    first: Coefficients,
    second: Coefficients,
    shares: Tensor,
    dim: int,
    fields: Mapping[str, Tensor],
    barriers: Collection[str] = (),
) -> dict[str, Tensor]:
    """Coefficients by name, each the mean that its own contrast asks for; see `relaxdesign.physics.base.Composite`."""
    return {
        name: composite_field(value, second[name], shares, dim, SERIES if name in barriers else None)
        for name, value in first.items()
    }


BARRIER = 0.5
"""Part of the coefficient of both its neighbours below which a layer between them counts as a barrier."""


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
