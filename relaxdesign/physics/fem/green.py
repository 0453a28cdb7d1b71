"""Discrete Green operator of a homogeneous reference cell: the preconditioner.

On a periodic grid the stiffness of a homogeneous cell is a convolution, so a discrete Fourier transform
turns it into one small symmetric matrix per frequency (for conduction a number). Its inverse, applied by two
FFTs, is spectrally equivalent to the inverse stiffness of *any* cell on the same grid: the condition number is
bounded by the material contrast alone, whatever the number of voxels. (Zeman et al. 2017, doi:10.1002/nme.5481;
Leute et al. 2022, doi:10.1016/j.jcp.2021.110931; Ladecký et al. 2023, doi:10.1016/j.amc.2023.127835.)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from relaxdesign.physics.fem.convolution import Convolution, make_convolution
from relaxdesign.physics.fem.elements import CONDUCTION
from relaxdesign.physics.fem.operator import VoxelOperator

MASS, STIFFNESS, SLOPE, MEAN = range(4)
"""Order of `stencil_symbols`."""


def stencil_symbols(size: int, *, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Fourier symbols of ∫φφ, ∫φ'φ', (times i) ∫φ'φ and ∫φ̄φ̄ for 1D hat functions on ``size`` periodic nodes.

    φ̄ is the mean of φ over each voxel.
    """
    angle = torch.arange(size, dtype=torch.float64, device=device) * (2.0 * math.pi / size)
    mass = (2.0 + angle.cos()) / 3.0
    stiffness = 2.0 - 2.0 * angle.cos()
    slope = angle.sin()
    if size % 2 == 0:
        slope[size // 2] = 0.0  # sin(π), to the last bit
    mean = (1.0 + angle.cos()) / 2.0
    return tuple(symbol.to(dtype) for symbol in (mass, stiffness, slope, mean))


def _products(
    grid: Sequence[int], active: Sequence[int], *, dtype: torch.dtype, device: torch.device
) -> Callable[..., Tensor]:
    """Tensor products of the 1D symbols at the frequencies of a real FFT, (1, *frequencies).

    The returned function takes {axis: which symbol}, numbered as in `stencil_symbols`, and what other axes get.
    """
    symbols = [stencil_symbols(n, dtype=dtype, device=device) for n in grid]
    symbols[-1] = tuple(symbol[: grid[-1] // 2 + 1] for symbol in symbols[-1])

    def product(kind_of_axis: dict[int, int], other: int = MASS) -> Tensor:
        factors = []
        for position, axis in enumerate(active):
            shape = [1] * (1 + len(grid))
            shape[1 + position] = -1
            factors.append(symbols[position][kind_of_axis.get(axis, other)].reshape(shape))
        return functools.reduce(torch.mul, factors)

    return product


def conduction_symbol(
    grid: Sequence[int], active: Sequence[int], *, dtype: torch.dtype, device: torch.device
) -> dict[tuple[int, int], Tensor]:
    """Conductance of a homogeneous cell with k = 1, the discrete Laplacian, as {(0, 0): (1, *frequencies)}."""
    product = _products(grid, active, dtype=dtype, device=device)
    return {(0, 0): functools.reduce(torch.add, (product({axis: STIFFNESS}) for axis in active))}


def reference_symbol(
    grid: Sequence[int], active: Sequence[int], components: Sequence[int], ratio: Tensor
) -> dict[tuple[int, int], Tensor]:
    """Stiffness of a homogeneous cell with μ = 1 and λ = ``ratio`` (batch,) per frequency of a real FFT.

    λ acts on the mean dilatation of a voxel, so its products average along the axes that are not differentiated.
    Real and symmetric, because trilinear stencils are even along two axes or odd along two. Returned as
    upper-triangle entries {(i, j): (batch, *frequencies)}.
    """
    where = {"dtype": ratio.dtype, "device": ratio.device}
    product = _products(grid, active, **where)
    laplacian = conduction_symbol(grid, active, **where)[0, 0]
    lam = ratio.reshape(-1, *(1,) * len(grid))
    entries = {}
    for a, i in enumerate(components):
        for j in components[a:]:
            if i == j:
                entries[i, i] = laplacian.expand(len(ratio), *laplacian.shape[1:])
                if i in active:
                    own = {i: STIFFNESS}
                    entries[i, i] = laplacian + product(own) + lam * product(own, MEAN)
            elif i in active and j in active:
                both = {i: SLOPE, j: SLOPE}
                entries[i, j] = product(both) + lam * product(both, MEAN)
            # a component along an axis of one voxel is coupled to no other
    return entries


def _invert(entries: dict[tuple[int, int], Tensor], components: Sequence[int]) -> dict:
    """Closed-form inverse of the symmetric blocks (1×1, 2×2 or 3×3), frequency by frequency."""
    size = len(components)
    like = next(iter(entries.values()))
    zero = torch.zeros_like(like)
    m = [[entries.get((min(i, j), max(i, j)), zero).expand_as(like) for j in components] for i in components]
    if size == 1:
        return {(0, 0): 1.0 / m[0][0]}
    if size == 2:
        det = m[0][0] * m[1][1] - m[0][1] ** 2
        return {(0, 0): m[1][1] / det, (0, 1): -m[0][1] / det, (1, 1): m[0][0] / det}
    cofactor = {}
    for i in range(3):
        for j in range(i, 3):
            (r0, r1), (c0, c1) = ([k for k in range(3) if k != n] for n in (i, j))
            minor = m[r0][c0] * m[r1][c1] - m[r0][c1] * m[r1][c0]
            cofactor[i, j] = minor if (i + j) % 2 == 0 else -minor
    det = sum(m[0][j] * cofactor[0, j] for j in range(3))
    return {key: value / det for key, value in cofactor.items()}


def reference_ratio(lam: Tensor, mu: Tensor) -> Tensor:
    """Reference λ/μ (batch,) of the cells: geometric centres of the bulk and shear moduli present.

    With K₀ = √(K_min K_max) and G₀ = √(G_min G_max) the preconditioned condition number is at most the
    larger of the two contrasts, the best bound a homogeneous isotropic reference can give.
    """
    bulk = (lam + 2.0 / 3.0 * mu).flatten(1)
    shear = mu.flatten(1)
    bulk0 = (bulk.amin(1).double() * bulk.amax(1).double()).sqrt()
    shear0 = (shear.amin(1).double() * shear.amax(1).double()).sqrt()
    return bulk0 / shear0 - 2.0 / 3.0


def make_green(operator: VoxelOperator) -> Convolution:
    """Preconditioner of an operator's periodic cells: the inverse stiffness of homogeneous ones, without its mean.

    For elastic cells the reference is chosen per sample; its overall scale is irrelevant to conjugate gradients.
    """
    grid, active, components = operator.grid, operator.active, operator.components
    if operator.problem is CONDUCTION:
        symbol = conduction_symbol(grid, active, dtype=torch.float64, device=operator.device)
    else:
        symbol = reference_symbol(grid, active, components, reference_ratio(*operator.moduli))
    inverse = _invert(symbol, components)
    for values in inverse.values():
        values[:, *(0,) * len(grid)] = 0.0  # the mean displacement stays zero
    return make_convolution(inverse, grid, operator.dtype)
