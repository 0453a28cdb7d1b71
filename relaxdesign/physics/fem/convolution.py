"""Periodic convolutions of real fields, given as one real symmetric matrix per frequency: two ways to apply them.

The Green operator of a homogeneous cell is of this kind, and its Fourier transforms are what an iteration of the solver
spends most of its time on.
"""

from __future__ import annotations

import abc
import copy
import itertools
import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor


class Convolution(abc.ABC):
    """Fields (fields, components, *grid) times a matrix per frequency, fields = batch · load cases.

    Args:
        symbol: upper triangles of the matrices {(i, j): (batch, *frequencies)} at the frequencies of a real FFT, the
            same at opposite frequencies; batch 1 serves all samples.
        grid: nodes along the active axes.
        dtype: precision of the fields.
    """

    def __init__(self, symbol: dict[tuple[int, int], Tensor], grid: Sequence[int], dtype: torch.dtype):
        self.grid = tuple(grid)
        self.size = 1 + max(j for _, j in symbol)
        self._pairs = tuple(itertools.combinations_with_replacement(range(self.size), 2))
        self._matrices = self._arrange(symbol, dtype)  # (batch or 1, …)

    @abc.abstractmethod
    def _arrange(self, symbol: dict[tuple[int, int], Tensor], dtype: torch.dtype) -> Tensor:
        """The matrices in the order in which `apply` reads them."""

    @abc.abstractmethod
    def apply(self, field: Tensor) -> Tensor:
        """The convolution of (fields, components, *grid)."""

    def select(self, keep: Tensor) -> Self:
        """The same convolution for the samples listed in ``keep``."""
        return self._with(self._matrices if len(self._matrices) == 1 else self._matrices[keep])

    def to(self, dtype: torch.dtype) -> Self:
        """The same convolution in another precision."""
        return self._with(self._matrices.to(dtype))

    def _with(self, matrices: Tensor) -> Self:
        changed = copy.copy(self)
        changed._matrices = matrices
        return changed


class RealConvolution(Convolution):
    """By a real FFT, a product and its inverse: for any grid and device."""

    def _arrange(self, symbol: dict[tuple[int, int], Tensor], dtype: torch.dtype) -> Tensor:
        return torch.stack([symbol[pair].to(dtype) for pair in self._pairs], 1).repeat_interleave(2, -1)  # (re, im)

    def apply(self, field: Tensor) -> Tensor:
        dims = tuple(range(2, field.ndim))
        spectrum = torch.view_as_real(torch.fft.rfftn(field, dim=dims).contiguous()).flatten(-2)
        spectrum = spectrum.unflatten(0, (len(self._matrices), -1))
        product = torch.empty_like(spectrum)
        for i, j in itertools.product(range(self.size), repeat=2):
            matrix = self._matrices[:, self._pairs.index((min(i, j), max(i, j))), None]
            if j == 0:
                torch.mul(spectrum[:, :, j], matrix, out=product[:, :, i])
            else:
                product[:, :, i].addcmul_(spectrum[:, :, j], matrix)
        product = torch.view_as_complex(product.flatten(0, 1).unflatten(-1, (-1, 2)))
        return torch.fft.irfftn(product, s=self.grid, dim=dims)


class PackedConvolution(Convolution):
    """By a complex FFT of half the length along the last axis: on a CPU, if that axis has an even number of nodes.

    Neighbours 2n and 2n + 1 of the last axis, Z nodes long, lie side by side in memory; read as real and imaginary part
    of one number they make the field a complex one of Z/2 nodes, H its transform. With the symbol S(k) and S(k + Z/2),
    Z/2 further on along that axis, A half their sum, D half their difference and θ = 2πk/Z, the convolution is

        H(k) → (A - sin θ D) H(k) + cos θ D · i conj H(-k).

    This saves a quarter of the time and more: complex transforms of contiguous fields are what FFT libraries do best,
    while PyTorch's inverse real one, in several steps, takes twice as long as the forward.
    """

    def _arrange(self, symbol: dict[tuple[int, int], Tensor], dtype: torch.dtype) -> Tensor:
        from relaxdesign.physics.fem.kernels.spectrum import ROW_PADDING  # compiles: only where it is used

        first = symbol[0, 0]
        layers, width, half = self._layers[0], math.prod(self._layers[1:]), self.grid[-1] // 2
        angle = torch.arange(half, dtype=first.dtype) * (math.pi / half)
        entries = len(self._pairs)
        matrices = torch.zeros(len(first), layers, 2 * entries, width + ROW_PADDING, dtype=dtype)
        for entry, pair in enumerate(self._pairs):
            near, far = symbol[pair][..., :half], self._half_a_turn_on(symbol[pair])
            difference = 0.5 * (near - far)
            own = 0.5 * (near + far) - angle.sin() * difference
            for row, values in ((entry, own), (entries + entry, angle.cos() * difference)):
                twice = values.repeat_interleave(2, -1)  # (re, im)
                matrices[:, :, row, :width] = twice.reshape(len(first), layers, width)
        return matrices

    @property
    def _layers(self) -> tuple[int, ...]:
        """The grid as a stack of planes."""
        return (1,) * (3 - len(self.grid)) + self.grid

    def _half_a_turn_on(self, values: Tensor) -> Tensor:
        """S(k + Z/2) for the first Z/2 frequencies k of the last axis, that is S(-k - Z/2), from S at 0 … Z/2."""
        opposite = values[..., 1:].flip(tuple(range(1, values.ndim)))
        others = tuple(range(1, values.ndim - 1))
        return opposite.roll((1,) * len(others), others) if others else opposite

    def apply(self, field: Tensor) -> Tensor:
        from relaxdesign.physics.fem.kernels import packed_product  # compiles: only where it is used

        dims = tuple(range(2, field.ndim))
        packed = torch.view_as_complex(field.contiguous().unflatten(-1, (-1, 2)))
        spectrum = torch.view_as_real(torch.fft.fftn(packed, dim=dims).contiguous()).flatten(-2)
        product = packed_product(spectrum.reshape(*field.shape[:2], *self._layers), self._matrices)
        product = torch.view_as_complex(product.view(field.shape).unflatten(-1, (-1, 2)))
        return torch.view_as_real(torch.fft.ifftn(product, dim=dims)).flatten(-2)


def make_convolution(
    symbol: dict[tuple[int, int], Tensor], grid: Sequence[int], dtype: torch.dtype
) -> PackedConvolution | RealConvolution:
    """The faster of the two; arguments as in `Convolution`."""
    packed = symbol[0, 0].device.type == "cpu" and grid[-1] % 2 == 0
    return (PackedConvolution if packed else RealConvolution)(symbol, grid, dtype)
