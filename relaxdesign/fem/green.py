"""Discrete Green operator of a homogeneous reference cell: the preconditioner.

On a periodic grid the stiffness of a homogeneous cell is a convolution, so a discrete Fourier transform
turns it into one small symmetric matrix per frequency. Its inverse, applied by two FFTs, is spectrally
equivalent to the inverse stiffness of *any* cell on the same grid: the condition number is bounded by the
material contrast alone, whatever the number of voxels. (Zeman et al. 2017, doi:10.1002/nme.5481; Leute et
al. 2022, doi:10.1016/j.jcp.2021.110931; Ladecký et al. 2023, doi:10.1016/j.amc.2023.127835.)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from relaxdesign.fem.operator import VoxelOperator


def stencil_symbols(size: int, *, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Fourier symbols of ∫φφ, ∫φ'φ' and (times i) ∫φ'φ for 1D hat functions on ``size`` periodic nodes."""
    angle = torch.arange(size, dtype=torch.float64, device=device) * (2.0 * math.pi / size)
    mass = (2.0 + angle.cos()) / 3.0
    stiffness = 2.0 - 2.0 * angle.cos()
    slope = angle.sin()
    if size % 2 == 0:
        slope[size // 2] = 0.0  # sin(π), to the last bit
    return tuple(symbol.to(dtype) for symbol in (mass, stiffness, slope))


def reference_symbol(
    grid: Sequence[int], active: Sequence[int], components: Sequence[int], ratio: Tensor
) -> dict[tuple[int, int], Tensor]:
    """Stiffness of a homogeneous cell with μ = 1 and λ = ``ratio`` (batch,) per frequency of a real FFT.

    Tensor products of the 1D symbols; real and symmetric, because trilinear stencils are even along two
    axes or odd along two. Returned as upper-triangle entries {(i, j): (batch, *frequencies)}.
    """
    dims = len(grid)
    symbols = [stencil_symbols(n, dtype=ratio.dtype, device=ratio.device) for n in grid]
    last = grid[-1] // 2 + 1
    symbols[-1] = tuple(symbol[:last] for symbol in symbols[-1])

    def product(kind_of_axis: dict[int, int]) -> Tensor:
        factors = []
        for position, axis in enumerate(active):
            shape = [1] * dims
            shape[position] = -1
            factors.append(symbols[position][kind_of_axis.get(axis, 0)].reshape(shape))
        return functools.reduce(torch.mul, factors)

    stiffness, slope = 1, 2  # in the order of stencil_symbols; 0, the mass, is the default
    laplacian = functools.reduce(torch.add, (product({axis: stiffness}) for axis in active))
    lam = ratio.reshape(-1, *(1,) * dims)
    entries = {}
    for a, i in enumerate(components):
        for j in components[a:]:
            if i == j:
                own = product({i: stiffness}) if i in active else torch.zeros_like(laplacian)
                entries[i, i] = laplacian + (lam + 1.0) * own
            elif i in active and j in active:
                entries[i, j] = (lam + 1.0) * product({i: slope, j: slope})
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


class GreenOperator:
    """Inverse stiffness of homogeneous reference cells, one per sample; the mean displacement is dropped.

    Args:
        grid: nodes along the active axes.
        active, components: as in `relaxdesign.fem.operator.VoxelOperator`.
        ratio: reference λ/μ per sample, (batch,). The overall scale is irrelevant to conjugate gradients.
        dtype: precision of the fields it will be applied to.
    """

    def __init__(
        self,
        grid: Sequence[int],
        active: Sequence[int],
        components: Sequence[int],
        ratio: Tensor,
        dtype: torch.dtype,
    ):
        self.grid = tuple(grid)
        self.size = len(components)
        inverse = _invert(reference_symbol(grid, active, components, ratio.to(torch.float64)), components)
        origin = (slice(None), *(0,) * len(self.grid))
        self._inverse = {}
        for key, value in inverse.items():
            value[origin] = 0.0
            self._inverse[key] = value.to(dtype).repeat_interleave(2, -1)  # multiplies (re, im)

    def select(self, keep: Tensor) -> GreenOperator:
        """The same operator for the samples listed in ``keep``."""
        chosen = object.__new__(GreenOperator)
        chosen.grid, chosen.size = self.grid, self.size
        chosen._inverse = {key: value[keep] for key, value in self._inverse.items()}
        return chosen

    def to(self, dtype: torch.dtype) -> GreenOperator:
        """The same operator in another precision."""
        converted = object.__new__(GreenOperator)
        converted.grid, converted.size = self.grid, self.size
        converted._inverse = {key: value.to(dtype) for key, value in self._inverse.items()}
        return converted

    def apply(self, force: Tensor) -> Tensor:
        """Displacement (batch, components, *grid) of the reference cell under nodal forces."""
        dims = tuple(range(2, force.ndim))
        spectrum = torch.view_as_real(torch.fft.rfftn(force, dim=dims)).flatten(-2)
        result = torch.empty_like(spectrum)
        for i in range(self.size):
            torch.mul(spectrum[:, i], self._inverse[i, i], out=result[:, i])
            for j in range(self.size):
                block = self._inverse.get((min(i, j), max(i, j)))
                if j != i and block is not None:
                    result[:, i].addcmul_(spectrum[:, j], block)
        return torch.fft.irfftn(torch.view_as_complex(result.unflatten(-1, (-1, 2))), s=self.grid, dim=dims)


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


def make_green(operator: VoxelOperator) -> GreenOperator:
    """Preconditioner of an elastic operator's cells, reference chosen per sample."""
    return GreenOperator(
        operator.grid,
        operator.active,
        operator.components,
        reference_ratio(*operator.moduli),
        operator.dtype,
    )
