"""Stress of heated voxel cells that are held, from which their thermal expansion follows; differentiable.

With ε_a the strain under unit Voigt strain a, and ε_T that of the cell whose voxels would expand by α but whose mean
strain is held at zero, the effective expansion is α* = C⁻¹ b with

    b_a V = ∫ 3Kα tr ε_a dV - ∫ ε_a : C : ε_T dV.

The first term alone is Levin's (1967; Rosen & Hashin 1970, doi:10.1016/0020-7225(70)90066-2), for the second vanishes
for exact solutions; with it b is stationary in both, so errors are of second order in the residuals and derivatives are
the explicit ones:

    ∂b_a/∂p_e = (1/V) ∂(3Kα)/∂p_e ∫_e tr ε_a dV - (1/V) ∫_e ε_a : ∂C/∂p_e : ε_T dV.

That takes one load case more than C.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import Boundary, cell_operator, resolve_boundary
from relaxdesign.physics.fem.checks import STIFFNESS_FIELDS, WORKING_FIELDS, check_expansion, check_memory, check_moduli
from relaxdesign.physics.fem.differentiation import attach_gradient
from relaxdesign.physics.fem.elements import ELASTICITY, ELEMENTS, VoxelProblem
from relaxdesign.physics.fem.load_cases import solve_force
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear
from relaxdesign.physics.fem.operator import VoxelOperator, coupled_components
from relaxdesign.physics.fem.outcome import (
    MAX_ITERATIONS,
    Outcome,
    check_options,
    checked_status,
    converged_mask,
    keep_samples,
    replace_invalid,
)
from relaxdesign.physics.fem.threads import threads_for, threads_to_fit

_UNIT_TRACE = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class ThermalResult(Outcome):
    """Stress of a batch of heated cells that are held; ``iterations`` and ``residual`` are (batch,).

    ``held`` carries the gradient if K, G or the voxels' expansion asked for one.
    """

    held: Tensor
    """b, the pressure (negative stress) per kelvin, (batch, 6) in Voigt order, in GPa times the unit of the expansion
    given; NaN if failed. C⁻¹ b is the effective expansion."""
    displacement: Tensor
    """Fluctuation of the held cell per kelvin, voxel edges times the unit of the expansion, (batch, 3, nx, ny, nz)."""


def thermal_stress(
    K: Tensor,
    G: Tensor,
    expansion: Tensor,
    displacement: Tensor,
    *,
    boundary: str | Boundary = Boundary.PERIODIC,
    tol: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    raise_on_failure: bool = True,
    element: str = "mean-dilatation",
) -> ThermalResult:
    """Stress of heated cells that are held, from one solve; differentiable once.

    Args:
        K, G: bulk and shear modulus of every voxel in GPa, (batch, nx, ny, nz), as in `effective_stiffness`.
        expansion: of every voxel, linear, of any sign and in any unit, e.g. 1e-6/K.
        displacement: of the `StiffnessResult` of the same cells, boundary and element.
        tol, max_iterations, raise_on_failure, element: as in `effective_stiffness`.

    Raises:
        ValueError: a field is malformed, invalid or too large; names the array and the voxel.
        ConvergenceError: a sample did not reach the tolerance.
    """
    boundary = resolve_boundary(boundary)
    if boundary is Boundary.UNIAXIAL:
        raise ValueError(f"boundary '{boundary}' is a single load case; for expansion use 'periodic' or 'kubc'")
    tol = check_options(tol, max_iterations, K=K, G=G, expansion=expansion)
    check_memory(K, working_fields=WORKING_FIELDS + STIFFNESS_FIELDS)
    valid = check_moduli(K=K, G=G, allow_invalid=not raise_on_failure)
    valid = valid & check_expansion(expansion, allow_invalid=not raise_on_failure)
    problem = ELEMENTS[element]
    solved = _solve_held(
        K.detach(), G.detach(), expansion.detach(), valid, displacement, boundary, tol, max_iterations,
        raise_on_failure, problem,
    )  # fmt: skip
    saved = K, G, expansion, displacement, solved.displacement
    pull_back = partial(_pull_back, problem=problem)
    return replace(solved, held=attach_gradient(solved.held, solved.converged, (K, G, expansion), pull_back, saved))


@threads_to_fit
@torch.no_grad()
def _solve_held(
    K: Tensor,
    G: Tensor,
    expansion: Tensor,
    valid: Tensor,
    displacement: Tensor,
    boundary: Boundary,
    tol: float,
    max_iterations: int,
    raise_on_failure: bool,
    problem: VoxelProblem,
) -> ThermalResult:
    K, G, expansion = (replace_invalid(field, valid) for field in (K, G, expansion))
    swelling = 3.0 * K * expansion
    components = coupled_components(tuple(K.shape[1:]), strain=0)
    operator = cell_operator(boundary, lame_from_bulk_shear(K, G), components, problem=problem)
    source = cell_operator(boundary, (swelling, torch.zeros_like(K)), components, problem=problem)
    solution = solve_force(
        operator,
        -source.load(K.new_tensor(_UNIT_TRACE)),
        swelling.flatten(1).norm(dim=1),
        tol=tol,
        max_iterations=max_iterations,
    )
    status = checked_status([solution.status], valid, solution.iterations, solution.residual, raise_on_failure)
    good = converged_mask(status, K.device)
    heated = keep_samples(operator.expand(solution.displacement), good)
    held = thermal_stress_along(displacement, heated, K, G, swelling, problem=problem)
    return ThermalResult(
        held=torch.where(good[:, None], held, torch.nan).to(K.dtype),
        displacement=heated,
        iterations=solution.iterations,
        residual=solution.residual,
        status=status,
        boundary=boundary,
        tol=tol,
    )


@torch.no_grad()
def thermal_stress_along(
    displacement: Tensor,
    heated: Tensor,
    K: Tensor,
    G: Tensor,
    swelling: Tensor,
    *,
    problem: VoxelProblem = ELASTICITY,
) -> Tensor:
    """Change of b (batch, 6) float64 as the fields of every voxel change, to first order and exactly.

    displacement: of the `StiffnessResult` of the cells. heated: of their `ThermalResult`. K, G: changes in GPa.
    swelling: change of 3Kα. With the fields themselves in place of their changes this is b.
    """
    elastic = VoxelOperator(lame_from_bulk_shear(K, G), problem=problem)
    swollen = VoxelOperator((swelling, torch.zeros_like(swelling)), problem=problem)
    still, unit = K.new_zeros(6), K.new_tensor(_UNIT_TRACE)

    def with_six(operator: VoxelOperator, other: Tensor, load: Tensor) -> Tensor:
        """Mutual energies of the six unit strains with another field, (batch, 6) float64."""
        nodal, stress = operator.forces(operator.restrict(other), load)
        fields = (operator.restrict(displacement[:, case]) for case in range(6))
        return stress + torch.stack([(field.double() * nodal.double()).flatten(1).sum(1) for field in fields], 1)

    released = with_six(swollen, torch.zeros_like(heated), unit)
    return (released - with_six(elastic, heated, still)) / elastic.voxels


def _pull_back(
    grad: Tensor,
    K: Tensor,
    G: Tensor,
    expansion: Tensor,
    displacement: Tensor,
    heated: Tensor,
    *,
    problem: VoxelProblem,
) -> tuple[Tensor, Tensor, Tensor]:
    """Σ_a grad_a ∂b_a/∂K, ∂G and ∂α of every voxel, with ε_g = Σ_a grad_a ε_a in the place of ε_a."""
    with threads_for(K.numel()):
        operator = VoxelOperator(lame_from_bulk_shear(K, G), problem=problem)
        combined = operator.restrict(torch.einsum("na,na...->n...", grad, displacement))
        still, unit = grad.new_zeros(6), grad.new_tensor(_UNIT_TRACE)
        by_lambda, by_mu = operator.mutual_energies(combined, grad, operator.restrict(heated), still)
        trace = operator.mutual_energies(combined, grad, torch.zeros_like(combined), unit)[0]
        by_lambda, by_mu, trace = (field / operator.voxels for field in (by_lambda, by_mu, trace))
        return 3.0 * expansion * trace - by_lambda, 2.0 / 3.0 * by_lambda - by_mu, 3.0 * K * trace
