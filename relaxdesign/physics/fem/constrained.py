"""Voxel operators of cells that are loaded through their surface.

With P the orthogonal projector onto the fluctuations a boundary condition admits, the operator is P K P and the
load P b, for any number of load cases; everything else is the voxel operator itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from relaxdesign.physics.fem.elements import CONDUCTION, ELASTICITY, VoxelProblem
from relaxdesign.physics.fem.fast_diagonalisation import FastDiagonalisation, remove_motions
from relaxdesign.physics.fem.green import reference_ratio
from relaxdesign.physics.fem.operator import VoxelOperator

LARGE_RATIO = 4.0
"""Reference (λ + 2μ)/μ up to which the preconditioner takes it as it is: ν up to 1/3."""


class ConstrainedOperator(VoxelOperator):
    """A voxel operator on a subspace of the fluctuations: some components are zero on the surface."""

    held: tuple[bool, ...]
    """For each component whether it is zero on the surface; it is free there otherwise."""
    motions: Tensor | None = None
    """Orthonormal rigid motions that are left, (count, values): removed, they would make the solution ambiguous."""

    def project(self, field: Tensor) -> Tensor:
        """Project (fields, components, *nodes) orthogonally onto the subspace, in place."""
        for component, held in enumerate(self.held):
            if held:
                values = field[:, component]
                for axis in range(1, values.ndim):
                    values.select(axis, 0).zero_()
                    if not self.periodic:
                        values.select(axis, -1).zero_()
        return remove_motions(field, self.motions)

    def restrict(self, displacement: Tensor) -> Tensor:
        """Admissible part of a full field (`field_shape`), components and active axes only."""
        return self.project(super().restrict(displacement))

    def apply(self, fluctuation: Tensor) -> Tensor:
        """P K u for fluctuations u of the subspace."""
        return self.project(super().apply(fluctuation))

    def residual(self, load: Tensor, fluctuation: Tensor) -> Tensor:
        """P (b - K u) for fluctuations u of the subspace."""
        return self.project(super().residual(load, fluctuation))

    def load(self, strain: Tensor) -> Tensor:
        """P b."""
        return self.project(super().load(strain))

    def forces(self, fluctuation: Tensor, strain: Tensor) -> tuple[Tensor, Tensor]:
        """As in `VoxelOperator`; of the nodal forces the part that is out of balance, P f."""
        nodal, stress = super().forces(fluctuation, strain)
        return self.project(nodal), stress


class ClampedOperator(ConstrainedOperator):
    """Linear displacement (or temperature) on the whole surface: the fluctuation is zero there.

    Zero on opposite faces is equal on opposite faces, so this is the periodic operator with the nodes of index 0
    held, and its fields have the shape of periodic ones. A cell of one voxel along an axis stays periodic along
    it: in 2D the condition holds on the faces in the plane, not through the thickness.
    """

    def __init__(
        self, moduli: Sequence[Tensor], components: tuple[int, ...] | None = None, *, problem: VoxelProblem = ELASTICITY
    ):
        super().__init__(moduli, components, problem=problem)
        self.held = (True,) * len(self.components)

    def _with(self, moduli: Sequence[Tensor]) -> Self:
        shaped = [modulus.reshape(-1, *self.shape) for modulus in moduli]
        return type(self)(shaped, self.components, problem=self.problem)


class UniaxialOperator(ConstrainedOperator):
    """u_z given on the whole surface, u_x and u_y free there and so fixed up to three rigid motions.

    The cell is open: one more node than voxels along each axis, also along x or y if it is one voxel thick there.
    A cell of one voxel along z has all nodes on the surface, so u_z is known. Its mirror image about the middle
    plane solves the same problem (up to a translation along z), hence u_x and u_y are equal on both faces: the
    component z and the axis z drop out, and no approximation is made.
    """

    def __init__(self, moduli: Sequence[Tensor], *, motions: Tensor | None = None):
        axes = (0, 1) if moduli[0].shape[-1] == 1 else (0, 1, 2)
        super().__init__(moduli, axes, periodic=False, active=axes)
        self.held = tuple(component == 2 for component in axes)
        if motions is None:
            motions = rigid_motions(self.nodes, dtype=self.dtype, device=self.device)
        self.motions = motions.to(self.dtype)

    def _with(self, moduli: Sequence[Tensor]) -> Self:
        return type(self)([modulus.reshape(-1, *self.shape) for modulus in moduli], motions=self.motions)


def rigid_motions(nodes: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Translations along x and y and the rotation about z on a grid of nodes, orthonormal, (3, 2 · nodes)."""
    lines = [torch.arange(n, dtype=torch.float64, device=device) - 0.5 * (n - 1) for n in nodes]
    x, y, *_ = torch.meshgrid(*lines, indexing="ij")
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    motions = torch.stack([torch.stack(pair).flatten() for pair in ((one, zero), (zero, one), (-y, x))])
    return (motions / motions.norm(dim=1, keepdim=True)).to(dtype)


def reference_weights(operator: ConstrainedOperator) -> tuple[Tensor, Tensor]:
    """Weights c_id and λ (each batch, components, axes) of an operator's cells, μ = 1; 1 and 0 in conduction.

    Along its own axis a component stores about μ where the motion keeps the volume and λ + 2μ where it does not. A
    block cannot tell the two apart, so where they differ much their geometric mean is taken, but at least
    `LARGE_RATIO`. Measured, that halves the iterations of cells that need many.
    """
    shape = (operator.batch, len(operator.components), len(operator.active))
    weights = operator.moduli[0].new_ones(shape, dtype=torch.float64)
    dilatation = torch.zeros_like(weights)
    if operator.problem is not CONDUCTION:
        own = reference_ratio(*operator.moduli) + 2.0
        own = torch.minimum(own, own.sqrt().clamp_min(LARGE_RATIO))
        for row, component in enumerate(operator.components):
            if component in operator.active:
                place = (slice(None), row, operator.active.index(component))
                weights[place], dilatation[place] = 2.0, own - 2.0
    return weights, dilatation


def make_fast_diagonalisation(operator: ConstrainedOperator) -> FastDiagonalisation:
    """Preconditioner of an operator's cells, reference chosen per sample."""
    return FastDiagonalisation(
        operator.grid,
        operator.held,
        *reference_weights(operator),
        operator.dtype,
        merged=operator.periodic,
        motions=operator.motions,
    )
