"""Effective stiffness of voxel cells from six load cases, differentiable with respect to every voxel.

With u_a the fluctuation under unit Voigt strain a, the effective stiffness and its derivatives are mutual
energies of pairs of solutions,

    C_ab V = ∫ ε_a : C : ε_b dV,    ∂C_ab/∂p_e = (1/V) ∫_e ε_a : ∂C/∂p_e : ε_b dV,

because C_ab is stationary in both fluctuations: no adjoint problems, errors of second order in the residual.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import Boundary, cell_operator, make_preconditioner, resolve_boundary
from relaxdesign.physics.fem.checks import STIFFNESS_FIELDS, WORKING_FIELDS, check_memory, check_moduli
from relaxdesign.physics.fem.differentiation import attach_gradient
from relaxdesign.physics.fem.elements import ELASTICITY, ELEMENTS, VoxelProblem
from relaxdesign.physics.fem.load_cases import solve_load
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear, young_poisson_from_bulk_shear
from relaxdesign.physics.fem.operator import VoxelOperator, coupled_components
from relaxdesign.physics.fem.outcome import (
    MAX_ITERATIONS,
    Outcome,
    check_options,
    checked_status,
    converged_mask,
    initial_guess,
    keep_samples,
    replace_invalid,
)
from relaxdesign.physics.fem.threads import threads_for, threads_to_fit

FIELDS_AT_ONCE = 2**18
"""Voxels times batch times load cases that are solved together: more would not stay in the cache."""


@dataclass(frozen=True, kw_only=True)
class StiffnessResult(Outcome):
    """Effective stiffness of a batch of cells and how it was obtained; ``iterations`` and ``residual`` are (batch, 6).

    ``C`` and all properties derived from it carry the gradient if K or G asked for one.
    """

    C: Tensor
    """Stiffness in GPa, (batch, 6, 6), Voigt order xx, yy, zz, yz, xz, xy, engineering shear; NaN if failed."""
    displacement: Tensor
    """Fluctuations under the six unit strains in voxel edges, (batch, 6, 3, nx, ny, nz): the next warm start."""

    @property
    def bulk(self) -> Tensor:
        """Voigt average bulk modulus in GPa, (batch,)."""
        return voigt_bulk(self.C)

    @property
    def shear(self) -> Tensor:
        """Voigt average shear modulus in GPa, (batch,)."""
        return voigt_shear(self.C)

    @property
    def young(self) -> Tensor:
        """Young's modulus in GPa from the average bulk and shear moduli, (batch,)."""
        return young_poisson_from_bulk_shear(self.bulk, self.shear)[0]

    @property
    def poisson(self) -> Tensor:
        """Poisson's ratio from the average bulk and shear moduli, (batch,)."""
        return young_poisson_from_bulk_shear(self.bulk, self.shear)[1]

    @property
    def compliance(self) -> Tensor:
        """Inverse of C in 1/GPa, (batch, 6, 6)."""
        return torch.linalg.inv_ex(self.C).inverse

    @property
    def directional_young(self) -> Tensor:
        """Young's moduli E_x, E_y, E_z in GPa, (batch, 3): reciprocal diagonal of the compliance."""
        return 1.0 / self.compliance.diagonal(dim1=1, dim2=2)[:, :3]

    @property
    def anisotropy(self) -> Tensor:
        """Universal anisotropy index A^U (batch,), zero if isotropic (doi:10.1103/PhysRevLett.101.055504)."""
        return universal_anisotropy(self.C, self.compliance)


def voigt_bulk(C: Tensor) -> Tensor:
    """(C11 + C22 + C33 + 2 (C12 + C13 + C23)) / 9 of stiffnesses (..., 6, 6)."""
    return C[..., :3, :3].sum((-2, -1)) / 9.0


def voigt_shear(C: Tensor) -> Tensor:
    """(C11 + C22 + C33 - C12 - C13 - C23 + 3 (C44 + C55 + C66)) / 15 of stiffnesses (..., 6, 6)."""
    normal = C[..., :3, :3].diagonal(dim1=-2, dim2=-1).sum(-1)
    coupling = C[..., 0, 1] + C[..., 0, 2] + C[..., 1, 2]
    shears = C[..., 3:, 3:].diagonal(dim1=-2, dim2=-1).sum(-1)
    return (normal - coupling + 3.0 * shears) / 15.0


def universal_anisotropy(C: Tensor, compliance: Tensor) -> Tensor:
    """A^U = 5 G_V / G_R + K_V / K_R - 6 of stiffnesses (..., 6, 6) and their inverses."""
    reuss_bulk = 1.0 / compliance[..., :3, :3].sum((-2, -1))
    normal, shears = compliance.diagonal(dim1=-2, dim2=-1).unflatten(-1, (2, 3)).sum(-1).unbind(-1)
    coupling = compliance[..., 0, 1] + compliance[..., 0, 2] + compliance[..., 1, 2]
    reuss_shear = 15.0 / (4.0 * normal - 4.0 * coupling + 3.0 * shears)
    return 5.0 * voigt_shear(C) / reuss_shear + voigt_bulk(C) / reuss_bulk - 6.0


def effective_stiffness(
    K: Tensor,
    G: Tensor,
    *,
    boundary: str | Boundary = Boundary.PERIODIC,
    tol: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    initial: Tensor | None = None,
    raise_on_failure: bool = True,
    element: str = "mean-dilatation",
) -> StiffnessResult:
    """Effective stiffness from six unit strains; differentiable once with respect to K and G.

    Arguments and errors as in `relaxdesign.physics.fem.bulk_modulus`, but ``boundary`` is "periodic" or "kubc" (the one
    uniaxial case does not define C), ``initial`` is (batch, 6, 3, nx, ny, nz) and ``max_iterations`` counts per
    load case. element: "mean-dilatation", or "full" for the fully integrated one of other codes, which is slower.
    """
    if element not in ELEMENTS:
        raise ValueError(f"element {element!r} is unknown; available: {', '.join(map(repr, ELEMENTS))}")
    boundary = resolve_boundary(boundary)
    if boundary is Boundary.UNIAXIAL:
        raise ValueError(
            f"boundary '{boundary}' is a single load case and does not define a stiffness; use "
            "bulk_modulus(K, G, boundary='uniaxial') for its K, or boundary 'periodic' or 'kubc' for C"
        )
    tol = check_options(tol, max_iterations, K=K, G=G)
    check_memory(K, working_fields=WORKING_FIELDS * _at_once(K) + STIFFNESS_FIELDS)
    valid = check_moduli(K=K, G=G, allow_invalid=not raise_on_failure)
    problem = ELEMENTS[element]
    result = _solve_load_cases(
        K.detach(), G.detach(), valid, boundary, tol, max_iterations, initial, raise_on_failure, problem
    )
    saved, pull_back = (K, G, result.displacement), partial(_pull_back, problem=problem)
    return replace(result, C=attach_gradient(result.C, result.converged, (K, G), pull_back, saved))


@threads_to_fit
@torch.no_grad()
def _solve_load_cases(
    K: Tensor,
    G: Tensor,
    valid: Tensor,
    boundary: Boundary,
    tol: float,
    max_iterations: int,
    initial: Tensor | None,
    raise_on_failure: bool,
    problem: VoxelProblem,
) -> StiffnessResult:
    lam, mu = lame_from_bulk_shear(replace_invalid(K, valid), replace_invalid(G, valid))
    batch, shape = len(K), tuple(K.shape[1:])
    if initial is not None and tuple(initial.shape) != (batch, 6, 3, *shape):
        raise ValueError(
            f"initial has shape {tuple(initial.shape)}, expected {(batch, 6, 3, *shape)}; pass the "
            "displacement of a StiffnessResult on the same grid and batch, or None"
        )
    strains = torch.eye(6, dtype=K.dtype, device=K.device)
    displacement = K.new_zeros(batch, 6, 3, *shape)
    iterations = torch.zeros(batch, 6, dtype=torch.int64, device=K.device)
    residual = torch.zeros(batch, 6, dtype=torch.float64, device=K.device)
    C = VoxelOperator((lam, mu), problem=problem).voigt_average()
    statuses = []
    for components, cases in _groups(shape).items():
        operator = cell_operator(boundary, (lam, mu), components, problem=problem)
        preconditioner = make_preconditioner(operator)
        together = _at_once(K)
        for part in (cases[n : n + together] for n in range(0, len(cases), together)):
            strain = strains[part].repeat(batch, 1)
            guess = None
            if initial is not None:
                given = initial[:, part].flatten(0, 1)
                guess = initial_guess(operator, given, tuple(given.shape), valid.repeat_interleave(len(part)))
            solution = solve_load(
                operator, strain, preconditioner, tol=tol, max_iterations=max_iterations, initial=guess
            )
            displacement[:, part] = operator.expand(solution.displacement).unflatten(0, (batch, -1))
            iterations[:, part] = solution.iterations[:, None]
            residual[:, part] = solution.residual.reshape(batch, -1)
            statuses.append(solution.status)
        rows = torch.tensor(cases, device=K.device)
        C[:, rows[:, None], rows] -= operator.relaxation(strains[cases], displacement[:, cases])

    status = checked_status(statuses, valid, iterations, residual, raise_on_failure)
    good = converged_mask(status, K.device)
    C = torch.where(good[:, None, None], C, torch.nan).to(K.dtype)
    return StiffnessResult(
        C=C,
        displacement=keep_samples(displacement, good),
        iterations=iterations,
        residual=residual,
        status=status,
        boundary=boundary,
        tol=tol,
    )


@torch.no_grad()
def stiffness_along(displacement: Tensor, K: Tensor, G: Tensor, *, problem: VoxelProblem = ELASTICITY) -> Tensor:
    """Change of C (batch, 6, 6) float64 as the moduli of every voxel change by K and G, to first order and exactly.

    displacement: of the `StiffnessResult` of the cells, (batch, 6, 3, nx, ny, nz). K, G: changes in GPa of any sign,
    (batch, nx, ny, nz).
    """
    operator = VoxelOperator(lame_from_bulk_shear(K, G), problem=problem)
    fields = operator.restrict(displacement.flatten(0, 1))
    strains = torch.eye(6, dtype=K.dtype, device=K.device)
    return operator.energies(fields, strains) / operator.voxels


def _at_once(K: Tensor) -> int:
    """Load cases solved together."""
    return min(6, max(1, FIELDS_AT_ONCE // K.numel()))


def _groups(shape: tuple[int, ...]) -> dict[tuple[int, ...], list[int]]:
    """Load cases that excite the same displacement components: solved together, not coupled to the others."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for case in range(6):
        groups.setdefault(coupled_components(shape, case), []).append(case)
    return groups


def _pull_back(
    grad: Tensor, K: Tensor, G: Tensor, displacement: Tensor, *, problem: VoxelProblem
) -> tuple[Tensor, Tensor]:
    """Σ_ab grad_ab ∂C_ab/∂K and ∂G of every voxel.

    ∂C_ab/∂λ_e = (1/V) ∫_e tr ε_a tr ε_b and ∂C_ab/∂μ_e = (1/V) ∫_e 2 ε_a:ε_b. The sum Σ_ab g_ab e(ε_a, ε_b) equals
    Σ_a e(ε_a, Σ_b g_ab ε_b), one pass per load case instead of one per pair. With λ = K - 2G/3, μ = G:
    ∂/∂G = ∂/∂μ - 2/3 ∂/∂λ.
    """
    with threads_for(K.numel()):
        operator = VoxelOperator(lame_from_bulk_shear(K, G), problem=problem)
        fields = torch.stack([operator.restrict(displacement[:, case]) for case in range(6)], 1)
        strains = torch.eye(6, dtype=K.dtype, device=K.device)
        by_lambda, by_mu = torch.zeros_like(K), torch.zeros_like(G)
        for a in range(6):
            combined = torch.einsum("nb,nb...->n...", grad[:, a], fields)
            energies = operator.mutual_energies(fields[:, a].contiguous(), strains[a], combined, grad[:, a])
            by_lambda += energies[0] / operator.voxels
            by_mu += energies[1] / operator.voxels
        return by_lambda, by_mu - 2.0 / 3.0 * by_lambda
