"""Effective thermal conductivity of voxel cells, differentiable with respect to every voxel.

With T_a the temperature under unit macroscopic gradient a (its fluctuation T_a - x_a is periodic), the effective
conductivity and its derivatives are mutual dissipations of pairs of solutions,

    k*_ab V = ∫ k ∇T_a · ∇T_b dV,    ∂k*_ab/∂k_e = (1/V) ∫_e ∇T_a · ∇T_b dV,

because k*_ab is stationary in both fluctuations: no adjoint problems, errors of second order in the residual
(Milton 2002, The Theory of Composites, doi:10.1017/CBO9780511613357). The equations are those of
electrical conduction, permittivity and diffusion too; any unit in is the unit out.

A field (batch, nx, ny, 1) is a 2D cell: nothing varies through its thickness, so k*_zz is the Voigt average.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import Boundary, cell_operator, make_preconditioner, resolve_boundary
from relaxdesign.physics.fem.checks import CONDUCTION_FIELDS, check_memory, check_moduli
from relaxdesign.physics.fem.differentiation import attach_gradient
from relaxdesign.physics.fem.elements import CONDUCTION
from relaxdesign.physics.fem.load_cases import solve_load
from relaxdesign.physics.fem.operator import VoxelOperator
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
from relaxdesign.physics.fem.threads import threads_to_fit

UNIT = "W/(m K)"


@dataclass(frozen=True, kw_only=True)
class ConductivityResult(Outcome):
    """Effective conductivity of a batch of cells and how it was obtained; ``iterations``, ``residual``: (batch, 3).

    ``k`` and all properties derived from it carry the gradient if the voxels' k asked for one.
    """

    k: Tensor
    """Conductivity tensor in W/(m K), (batch, 3, 3), symmetric; NaN if failed."""
    temperature: Tensor
    """Fluctuations under the three unit gradients (gradient 1 K per voxel edge), (batch, 3, nodes x, y, z) in K:
    the next warm start."""

    @property
    def mean(self) -> Tensor:
        """Mean conductivity tr(k)/3 in W/(m K), (batch,): that of the cell averaged over all orientations."""
        return self.directional.mean(1)

    @property
    def directional(self) -> Tensor:
        """k_xx, k_yy, k_zz in W/(m K), (batch, 3): heat flux along an axis per gradient along it."""
        return self.k.diagonal(dim1=1, dim2=2)

    @property
    def principal(self) -> Tensor:
        """Eigenvalues in W/(m K), ascending, (batch, 3)."""
        good = self.converged[:, None, None]
        identity = torch.eye(3, dtype=self.k.dtype, device=self.k.device)
        return torch.where(good[..., 0], torch.linalg.eigvalsh(torch.where(good, self.k, identity)), torch.nan)

    @property
    def anisotropy(self) -> Tensor:
        """Largest over smallest eigenvalue, (batch,): 1 if isotropic."""
        principal = self.principal
        return principal[:, 2] / principal[:, 0]


def effective_conductivity(
    k: Tensor,
    *,
    boundary: str | Boundary = Boundary.PERIODIC,
    tol: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    initial: Tensor | None = None,
    raise_on_failure: bool = True,
) -> ConductivityResult:
    """Effective conductivity tensor from three unit temperature gradients; differentiable once.

    Args:
        k: conductivity of every voxel in W/(m K), (batch, nx, ny, nz), positive; float64 for results, float32
            for guidance; cubic voxels; nz = 1 for 2D.
        boundary: "periodic", or "kubc": temperature linear on the whole surface, an upper estimate.
        tol: relative residual of the heat balance (default 1e-8 in float64, 1e-4 in float32).
        max_iterations: limit of conjugate gradient iterations per sample and load case.
        initial: fluctuations to start from, ``temperature`` of a result on a similar field.
        raise_on_failure: if False, samples that fail (or hold an invalid k) are NaN with their status, pass no
            gradient, and the other samples are returned as usual.

    Raises:
        ValueError: the field is malformed, invalid or too large; names the voxel.
        ConvergenceError: a sample did not reach the tolerance.
    """
    boundary = _resolve(boundary)
    tol = check_options(tol, max_iterations, k=k)
    check_memory(k, working_fields=CONDUCTION_FIELDS)
    valid = check_moduli(k=k, unit=UNIT, allow_invalid=not raise_on_failure)
    result = _solve_gradients(k.detach(), valid, boundary, tol, max_iterations, initial, raise_on_failure)
    return replace(result, k=attach_gradient(result.k, result.converged, (k,), _pull_back, (k, result.temperature)))


def _resolve(boundary: str | Boundary) -> Boundary:
    resolved = resolve_boundary(boundary)
    if resolved is Boundary.UNIAXIAL:
        raise ValueError(f"boundary '{resolved}' is an elastic load case; for conductivity use 'periodic' or 'kubc'")
    return resolved


def _unit_gradients(k: Tensor) -> Tensor:
    return torch.eye(3, dtype=k.dtype, device=k.device)


@threads_to_fit
@torch.no_grad()
def _solve_gradients(
    k: Tensor,
    valid: Tensor,
    boundary: Boundary,
    tol: float,
    max_iterations: int,
    initial: Tensor | None,
    raise_on_failure: bool,
) -> ConductivityResult:
    operator = cell_operator(boundary, (replace_invalid(k, valid),), problem=CONDUCTION)
    preconditioner = make_preconditioner(operator)
    batch, gradients = len(k), _unit_gradients(k)
    temperature = k.new_zeros(batch, 3, *operator.field_shape[2:])
    if initial is not None and initial.shape != temperature.shape:
        raise ValueError(
            f"initial has shape {tuple(initial.shape)}, expected {tuple(temperature.shape)}; pass the temperature "
            "of a ConductivityResult on the same grid and batch, or None"
        )
    iterations = torch.zeros(batch, 3, dtype=torch.int64, device=k.device)
    residual = torch.zeros(batch, 3, dtype=torch.float64, device=k.device)
    statuses = []
    for case in operator.active:  # along an axis of one voxel nothing fluctuates
        guess = None
        if initial is not None:
            guess = initial_guess(operator, initial[:, case].unsqueeze(1), operator.field_shape, valid)
        solution = solve_load(
            operator, gradients[case], preconditioner, tol=tol, max_iterations=max_iterations, initial=guess
        )
        temperature[:, case] = operator.expand(solution.displacement).squeeze(1)
        iterations[:, case], residual[:, case] = solution.iterations, solution.residual
        statuses.append(solution.status)
    status = checked_status(statuses, valid, iterations, residual, raise_on_failure)
    good = converged_mask(status, k.device)
    temperature = keep_samples(temperature, good)
    effective = operator.voigt_average() - operator.relaxation(gradients, temperature.unsqueeze(2))
    effective = torch.where(good[:, None, None], effective, torch.nan).to(k.dtype)
    return ConductivityResult(
        k=effective,
        temperature=temperature,
        iterations=iterations,
        residual=residual,
        status=status,
        boundary=boundary,
        tol=tol,
    )


@torch.no_grad()
def conductivity_along(temperature: Tensor, k: Tensor) -> Tensor:
    """Change of the tensor k (batch, 3, 3) float64 as the conductivity of every voxel changes by k, to first order.

    temperature: of the `ConductivityResult` of the cells. k: change of any sign, (batch, nx, ny, nz).
    """
    operator = VoxelOperator((k,), problem=CONDUCTION)
    fields = temperature.reshape(-1, 1, *operator.nodes)
    return operator.energies(fields, _unit_gradients(k)) / operator.voxels


def _pull_back(grad: Tensor, k: Tensor, temperature: Tensor) -> tuple[Tensor]:
    """Σ_ab grad_ab ∂k*_ab/∂k_e, with ∂k*_ab/∂k_e = (1/V) ∫_e ∇T_a · ∇T_b dV.

    Σ_ab g_ab d(T_a, T_b) equals Σ_a d(T_a, Σ_b g_ab T_b): one pass per load case.
    """
    operator = VoxelOperator((k,), problem=CONDUCTION)
    fields = temperature.reshape(len(k), 3, 1, *operator.nodes)
    by_conductivity = torch.zeros_like(k)
    for case, gradient in enumerate(_unit_gradients(k)):
        combined = torch.einsum("nb,nb...->n...", grad[:, case], fields)
        (dissipation,) = operator.mutual_energies(fields[:, case].contiguous(), gradient, combined, grad[:, case])
        by_conductivity += dissipation / operator.voxels
    return (by_conductivity,)
