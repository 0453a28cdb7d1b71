"""Boundary conditions of a unit cell, and the operator and preconditioner that belong to each."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from torch import Tensor

from relaxdesign.physics.fem.constrained import (
    ClampedOperator,
    ConstrainedOperator,
    UniaxialOperator,
    make_fast_diagonalisation,
)
from relaxdesign.physics.fem.elements import ELASTICITY, VoxelProblem
from relaxdesign.physics.fem.green import make_green
from relaxdesign.physics.fem.multigrid import make_multigrid
from relaxdesign.physics.fem.operator import VoxelOperator
from relaxdesign.physics.fem.solver import Preconditioner


class Boundary(enum.StrEnum):
    """How the cell is loaded."""

    PERIODIC = "periodic"
    """Macroscopic strain plus a periodic fluctuation: the definition of effective properties used here."""
    KUBC = "kubc"
    """Linear displacement on the whole surface (kinematic uniform): an upper estimate, C_kubc ≥ C_periodic.

    Approaches the periodic result as the cell holds more microstructure. In 2D on the faces in the plane only."""
    UNIAXIAL = "uniaxial"
    """u_z = z on every surface node, u_x and u_y free: for comparison with published runs only.

    K = tr⟨σ⟩ / (3 tr⟨ε⟩) of this one case is no effective property: it may leave the bounds, and in 2D, where all
    nodes are on the surface, it usually lies above Voigt's."""


def resolve_boundary(boundary: str | Boundary) -> Boundary:
    """The boundary condition of that name, or ValueError naming those that exist."""
    try:
        return Boundary(boundary)
    except ValueError:
        names = ", ".join(repr(str(name)) for name in Boundary)
        raise ValueError(f"boundary {boundary!r} is unknown; available: {names}") from None


def cell_operator(
    boundary: Boundary,
    moduli: Sequence[Tensor],
    components: tuple[int, ...] | None = None,
    *,
    problem: VoxelProblem = ELASTICITY,
) -> VoxelOperator:
    """Operator of the cells on the fluctuations that the boundary condition admits.

    Arguments as in `VoxelOperator`; the uniaxial load case is elastic and has its own components.
    """
    if boundary is Boundary.KUBC:
        return ClampedOperator(moduli, components, problem=problem)
    if boundary is Boundary.UNIAXIAL:
        return UniaxialOperator(moduli)
    return VoxelOperator(moduli, components, problem=problem)


def make_preconditioner(operator: VoxelOperator) -> Preconditioner:
    """The preconditioner that suits an operator of `cell_operator`: multigrid where it applies."""
    if isinstance(operator, ConstrainedOperator):
        return make_fast_diagonalisation(operator)
    return make_multigrid(operator) or make_green(operator)
