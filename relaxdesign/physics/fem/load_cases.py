"""The two load cases that give a bulk modulus, each with its exact derivative by every voxel's Lamé constants.

**Hydrostatic** (periodic and kubc). The modulus is a minimum of the stored energy over the admissible fluctuations,

    9 K* V = min_u ∫ ε : C : ε dV,    ε = 1 + sym ∇u,

so its derivative is the explicit one at the minimiser (Hill 1963, doi:10.1016/0022-5096(63)90036-X; Danskin's
theorem): ∂K*/∂p_e = (1/9V) ∫_e ε : ∂C/∂p_e : ε dV. No adjoint problem, and an error of size r in the solution
costs only r² in K*.

**Uniaxial.** K* = N / D with N = ⟨K tr ε⟩ (a third of tr⟨σ⟩) and D = ⟨tr ε⟩ is no energy, both averages depend
on u. With the adjoint w,

    A w = ∂K*/∂u = (1/DV) Σ_e (K_e - K*) ∂t_e/∂u,    t_e = ∫_e tr ε dV,
    dK*/dp_e = (∂K_e/∂p_e) t_e / (DV) - ∫_e ε(w) : ∂C/∂p_e : ε(u) dV.

Its right-hand side is the nodal force of the isotropic stress K_e - K*, that is the force of a strain of unit
trace in a cell with λ = K_e - K* and μ = 0. Adding w · (b - A u) to K* makes its error quadratic in the residuals
here as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import make_preconditioner
from relaxdesign.physics.fem.constrained import UniaxialOperator
from relaxdesign.physics.fem.green import make_green
from relaxdesign.physics.fem.multigrid import Multigrid
from relaxdesign.physics.fem.operator import VoxelOperator
from relaxdesign.physics.fem.solver import Preconditioner, Solution, SolveStatus, solve

HYDROSTATIC = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
UNIAXIAL = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class BulkEstimate:
    """Bulk modulus of a batch of cells from one load case; meaningless where ``status`` says so."""

    value: Tensor
    """K* in GPa, (batch,) float64."""
    by_bulk: Tensor
    """∂K*/∂K of every voxel at fixed G, (batch, nx, ny, nz)."""
    by_shear: Tensor
    """∂K*/∂G of every voxel at fixed K, (batch, nx, ny, nz)."""
    fluctuation: Tensor
    """u, (batch, components, *nodes)."""
    iterations: Tensor
    """Of all solves, (batch,)."""
    residual: Tensor
    """Largest of all solves, (batch,) float64."""
    status: tuple[SolveStatus, ...]


def solve_load(
    operator: VoxelOperator,
    macroscopic: Tensor,
    preconditioner: Preconditioner | None = None,
    *,
    tol: float,
    max_iterations: int,
    initial: Tensor | None = None,
) -> Solution:
    """Fluctuation under macroscopic loads (loads,) or (fields, loads); default: the boundary's preconditioner."""
    return solve_force(
        operator,
        operator.load(macroscopic),
        operator.load_scale(macroscopic),
        preconditioner,
        tol=tol,
        max_iterations=max_iterations,
        initial=initial,
    )


def solve_force(
    operator: VoxelOperator,
    force: Tensor,
    scale: Tensor,
    preconditioner: Preconditioner | None = None,
    *,
    tol: float,
    max_iterations: int,
    initial: Tensor | None = None,
) -> Solution:
    """Fluctuation under nodal forces, as from `VoxelOperator.load`; default: the boundary's preconditioner.

    scale: (fields,), norm of the stress whose divergence the force is. Should multigrid not serve a cell, which then
    counts as broken down, all are solved with the Green operator.
    """
    preconditioner = make_preconditioner(operator) if preconditioner is None else preconditioner
    options = {"tol": tol, "max_iterations": max_iterations, "initial": initial, "load_scale": scale}
    solution = solve(operator, preconditioner, force, **options)
    if isinstance(preconditioner, Multigrid) and SolveStatus.BREAKDOWN in solution.status:
        solution = solve(operator, make_green(operator), force, **options)
    return solution


def hydrostatic_estimate(
    operator: VoxelOperator, *, tol: float, max_iterations: int, initial: Tensor | None
) -> BulkEstimate:
    """K* from the energy under unit hydrostatic strain."""
    lam, mu = (modulus.reshape(-1, *operator.shape) for modulus in operator.moduli)
    strain = lam.new_tensor(HYDROSTATIC)
    solution = solve_load(operator, strain, tol=tol, max_iterations=max_iterations, initial=initial)
    u, normal = solution.displacement, 9.0 * operator.voxels
    by_lambda, by_mu = operator.mutual_energies(u, strain, u, strain)
    energy = (lam * by_lambda + mu * by_mu).flatten(1).sum(1, dtype=torch.float64)
    return BulkEstimate(
        value=energy / normal,
        by_bulk=by_lambda / normal,
        by_shear=(by_mu - 2.0 / 3.0 * by_lambda) / normal,
        fluctuation=u,
        iterations=solution.iterations,
        residual=solution.residual,
        status=solution.status,
    )


def uniaxial_estimate(
    operator: UniaxialOperator, *, tol: float, max_iterations: int, initial: Tensor | None
) -> BulkEstimate:
    """K* = tr⟨σ⟩ / (3 tr⟨ε⟩) under u_z = z on the surface; two solves, ``max_iterations`` for each."""
    lam, mu = (modulus.reshape(-1, *operator.shape) for modulus in operator.moduli)
    K = lam + 2.0 / 3.0 * mu
    strain = lam.new_tensor(UNIAXIAL)
    preconditioner = make_preconditioner(operator)
    options = {"tol": tol, "max_iterations": max_iterations}
    forward = solve_load(operator, strain, preconditioner, initial=initial, **options)
    u, rest = forward.displacement, torch.zeros_like(forward.displacement)
    trace = operator.mutual_energies(u, strain, rest, strain)[0]  # the strain's own trace is 1: ∫_e tr ε
    dilation = trace.flatten(1).sum(1, dtype=torch.float64)  # D V
    value = (K * trace).flatten(1).sum(1, dtype=torch.float64) / dilation

    solved = torch.tensor([s is SolveStatus.CONVERGED for s in forward.status], device=K.device)
    excess = torch.where(_column(solved, K), K - _column(value, K), 0.0)
    scale = torch.where(solved, 1.0 / dilation, 0.0)
    source = UniaxialOperator((excess, torch.zeros_like(K)), motions=operator.motions)
    adjoint = solve(
        operator,
        preconditioner,
        -source.load(strain) * _column(scale, u),
        load_scale=K.flatten(1).norm(dim=1) * scale.abs(),  # of a cell with λ = K and μ = 0
        **options,
    )
    w = adjoint.displacement
    by_lambda, by_mu = operator.mutual_energies(w, torch.zeros_like(strain), u, strain)
    unbalanced = operator.forces(u, strain)[0]
    return BulkEstimate(
        value=value - (w * unbalanced).flatten(1).sum(1, dtype=torch.float64),
        by_bulk=trace * _column(scale, K) - by_lambda,
        by_shear=2.0 / 3.0 * by_lambda - by_mu,
        fluctuation=u,
        iterations=forward.iterations + adjoint.iterations,
        residual=torch.maximum(forward.residual, adjoint.residual),
        status=tuple(
            second if first is SolveStatus.CONVERGED else first
            for first, second in zip(forward.status, adjoint.status, strict=True)
        ),
    )


def _column(factor: Tensor, like: Tensor) -> Tensor:
    return factor.to(like.dtype if factor.is_floating_point() else factor.dtype).reshape(-1, *(1,) * (like.ndim - 1))
