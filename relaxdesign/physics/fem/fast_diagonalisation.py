"""Preconditioner of cells with held or free faces: fast diagonalisation in sines and cosines.

The stiffness of a homogeneous cell with held or free faces is no convolution, and its components may see
different boundary conditions. But the diagonal block of one component i is a sum of tensor products,

    A_ii = Σ_d c_id K_d ⊗ (⊗_{e≠d} M_e) + λ K_i ⊗ (⊗_{e≠i} N_e),    c_id = 2μ if d = i, else μ,

with K_d, M_d and N_d the matrices ∫φ'φ', ∫φφ and ∫φ̄φ̄ of the hat functions along axis d, φ̄ their mean over each
voxel. Sines (held) or cosines (free)
diagonalise all at once, so the inverse costs two small dense products per axis, on any device and for any size
(Lynch, Rice & Thomas 1964, doi:10.1007/BF01386067):

    A_ii⁻¹ = V Λ⁻¹ Vᵀ,    V = ⊗_d V_d,    Λ = Σ_d c_id κ_d Π_{e≠d} m_e + λ κ_i Π_{e≠i} n_e,

κ = 2 - 2 cos θ, m = (2 + cos θ)/3 and n = (1 + cos θ)/2 at the angles θ = π k / n, k = 0…n. By
Korn's inequality these blocks
together are spectrally equivalent to the stiffness of any cell on the grid, whatever the number of voxels. The
constant grows with λ/μ, because the coupling of the components is left out.

The alternative for held cells, the periodic Green operator between projections, needs more and more iterations as
the grid is refined: 243, 382 and 593 at 32², 64² and 128² for particles of contrast 130 across the faces, against
119, 127 and 132 here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from relaxdesign.physics.fem.green import MASS, MEAN, STIFFNESS, stencil_symbols


def sine_vectors(size: int) -> Tensor:
    """Modes of a line of ``size`` voxels held at both ends, (nodes, modes) = (size + 1, size + 1).

    Scaled so that κ and m of the module's docstring are their stiffness and mass. Modes 0 and ``size`` are zero,
    as are both end nodes.
    """
    index = torch.arange(size + 1, dtype=torch.float64)
    vectors = math.sqrt(2.0 / size) * torch.sin(index[:, None] * index * (math.pi / size))
    vectors[[0, size]] = 0.0
    vectors[:, [0, size]] = 0.0  # sin(π), to the last bit
    return vectors


def cosine_vectors(size: int) -> Tensor:
    """Modes of a line of ``size`` voxels with free ends, (size + 1, size + 1); mode 0 is the translation."""
    index = torch.arange(size + 1, dtype=torch.float64)
    vectors = math.sqrt(2.0 / size) * torch.cos(index[:, None] * index * (math.pi / size))
    vectors[:, [0, size]] *= math.sqrt(0.5)
    return vectors


def remove_motions(field: Tensor, motions: Tensor | None) -> Tensor:
    """Subtract from ``field`` (batch, components, *nodes), in place, its part along orthonormal ``motions``.

    These are (count, values) and concern the first components only, as many as ``values`` covers.
    """
    if motions is not None:
        flat = field.view(*field.shape[:2], -1)
        part = flat[:, : motions.shape[1] // flat.shape[2]].view(len(field), -1)
        part.addmm_(part @ motions.T, motions, alpha=-1.0)
    return field


class FastDiagonalisation:
    """Inverse diagonal blocks of homogeneous reference cells, one per sample.

    Args:
        grid: voxels along the active axes.
        held: for each component whether its faces are held; they are free otherwise.
        weights: c_id per sample, (batch, components, axes). Their scale is irrelevant to conjugate gradients.
        dilatation: λ per sample for each component along its own axis, zero elsewhere, (batch, components, axes).
        dtype: precision of the fields it will be applied to.
        merged: whether both ends of an axis are one node (held cells on a periodic grid): n nodes for n voxels
            instead of n + 1.
        motions: motions without energy, which the result must not contain; see `remove_motions`.
    """

    def __init__(
        self,
        grid: Sequence[int],
        held: Sequence[bool],
        weights: Tensor,
        dilatation: Tensor,
        dtype: torch.dtype,
        *,
        merged: bool = False,
        motions: Tensor | None = None,
    ):
        device = weights.device
        vectors, symbols = [], []
        for size in grid:
            kept = size if merged else size + 1
            pair = [(sine_vectors if fixed else cosine_vectors)(size)[:kept, :kept] for fixed in held]
            vectors.append(torch.stack(pair).to(device, dtype))
            # symbols of the odd or even continuation, which is periodic on twice as many nodes
            symbols.append([s[:kept] for s in stencil_symbols(2 * size, dtype=torch.float64, device=device)])
        eigenvalues = weights.new_zeros((), dtype=torch.float64)
        for factor, kind in ((weights, MASS), (dilatation, MEAN)):
            for axis in range(len(grid)):
                term = factor[:, :, axis].double()
                for other, symbol in enumerate(symbols):
                    term = term.unsqueeze(-1) * symbol[STIFFNESS if other == axis else kind]
                eigenvalues = eigenvalues + term
        # zero for the translation of a free component: dropped
        self._inverse = torch.where(eigenvalues > 0.0, 1.0 / eigenvalues, 0.0).to(dtype)
        self._vectors, self._motions = tuple(vectors), motions

    def _with(self, vectors: tuple[Tensor, ...], inverse: Tensor, motions: Tensor | None) -> FastDiagonalisation:
        changed = object.__new__(FastDiagonalisation)
        changed._vectors, changed._inverse, changed._motions = vectors, inverse, motions
        return changed

    def select(self, keep: Tensor) -> FastDiagonalisation:
        """The same operator for the samples listed in ``keep``."""
        return self._with(self._vectors, self._inverse[keep], self._motions)

    def to(self, dtype: torch.dtype) -> FastDiagonalisation:
        """The same operator in another precision."""
        motions = None if self._motions is None else self._motions.to(dtype)
        return self._with(tuple(v.to(dtype) for v in self._vectors), self._inverse.to(dtype), motions)

    def apply(self, force: Tensor) -> Tensor:
        """Displacement (fields, components, *nodes) of the reference cell, component by component.

        As in `VoxelOperator` fields = batch · load cases.
        """
        modes = _along_each_axis(force, self._vectors, transposed=True)
        modes.unflatten(0, (len(self._inverse), -1)).mul_(self._inverse.unsqueeze(1))
        return remove_motions(_along_each_axis(modes, self._vectors, transposed=False), self._motions)


def _along_each_axis(field: Tensor, vectors: Sequence[Tensor], *, transposed: bool) -> Tensor:
    """V or Vᵀ applied along every axis of (fields, components, *nodes).

    Each product contracts the first axis and appends the new one, so after all of them the order is restored
    and every product is a plain one of matrices.
    """
    shape = field.shape
    for matrix in vectors:
        columns = field.reshape(*shape[:2], matrix.shape[1], -1).mT
        field = torch.matmul(columns, matrix if transposed else matrix.mT)
    return field.reshape(shape)
