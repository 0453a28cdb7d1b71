"""Effective bulk modulus of voxel cells from one load case, with its exact gradient from the same call.

Where it comes from, and why the gradient is nearly free, is told in `relaxdesign.physics.fem.load_cases`.

A field (batch, nx, ny, 1) is a 2D cell: one voxel thick, periodic through the thickness, 3D elasticity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import Boundary, cell_operator, resolve_boundary
from relaxdesign.physics.fem.checks import UNIAXIAL_FIELDS, WORKING_FIELDS, check_memory, check_moduli
from relaxdesign.physics.fem.constrained import UniaxialOperator
from relaxdesign.physics.fem.differentiation import attach_gradient
from relaxdesign.physics.fem.load_cases import hydrostatic_estimate, uniaxial_estimate
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear
from relaxdesign.physics.fem.operator import coupled_components
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
from relaxdesign.physics.fem.threads import threads_for


@dataclass(frozen=True, kw_only=True)
class BulkResult(Outcome):
    """Effective bulk modulus of a batch of cells, its gradient, and how it was obtained.

    ``iterations`` and ``residual`` are (batch,); with boundary "uniaxial" the sum and the larger of load case and
    adjoint.
    """

    value: Tensor
    """K* in GPa, (batch,); NaN where the solve failed. Carries the gradient if K or G asked for one."""
    gradient_bulk: Tensor
    """∂K*/∂K of every voxel (at fixed G), (batch, nx, ny, nz), dimensionless; zero where it failed."""
    gradient_shear: Tensor
    """∂K*/∂G of every voxel (at fixed K), (batch, nx, ny, nz), dimensionless; zero where it failed."""
    displacement: Tensor
    """Fluctuation under the unit strain of the load case in voxel edges: the next warm start.

    (batch, 3, nx, ny, nz); with boundary "uniaxial", whose cell is open, (batch, 3, nx + 1, ny + 1, nz + 1), the
    last being 1 in 2D."""


def bulk_modulus(
    K: Tensor,
    G: Tensor,
    *,
    boundary: str | Boundary = Boundary.PERIODIC,
    tol: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    initial: Tensor | None = None,
    raise_on_failure: bool = True,
) -> BulkResult:
    """Effective bulk modulus and its gradient from one load case; differentiable once with respect to K and G.

    Args:
        K, G: bulk and shear modulus of every voxel in GPa, (batch, nx, ny, nz), positive; float64 for
            results, float32 for guidance; cubic voxels; nz = 1 for 2D.
        boundary: "periodic", "kubc" (linear displacement on the surface, an upper estimate) or "uniaxial" (a
            case for comparison, which may leave the bounds); see `Boundary`.
        tol: relative force residual to reach (default: `default_tolerance`).
        max_iterations: limit of conjugate gradient iterations per sample and solve.
        initial: fluctuation to start from, ``displacement`` of a result on a similar field with the same boundary.
        raise_on_failure: if False, samples that fail (or hold an invalid modulus) get value NaN, zero
            gradients and their status, and the other samples are returned as usual.

    Raises:
        ValueError: a field is malformed, invalid or too large; names the array and the voxel.
        ConvergenceError: a sample did not reach the tolerance.
    """
    result = _solve_load_case(K, G, resolve_boundary(boundary), tol, max_iterations, initial, raise_on_failure)
    saved = result.gradient_bulk, result.gradient_shear
    return replace(result, value=attach_gradient(result.value, result.converged, (K, G), _pull_back, saved))


@torch.no_grad()
def _solve_load_case(
    K: Tensor,
    G: Tensor,
    boundary: Boundary,
    tol: float | None,
    max_iterations: int,
    initial: Tensor | None,
    raise_on_failure: bool,
) -> BulkResult:
    tol = check_options(tol, max_iterations, K=K, G=G)
    check_memory(K, working_fields=UNIAXIAL_FIELDS if boundary is Boundary.UNIAXIAL else WORKING_FIELDS)
    valid = check_moduli(K=K, G=G, allow_invalid=not raise_on_failure)
    K, G = replace_invalid(K, valid), replace_invalid(G, valid)
    with threads_for(K.numel()):
        moduli = lame_from_bulk_shear(K, G)
        operator = cell_operator(boundary, moduli, coupled_components(tuple(K.shape[1:]), strain=0))
        options = {
            "tol": tol,
            "max_iterations": max_iterations,
            "initial": initial_guess(operator, initial, operator.field_shape, valid),
        }
        if isinstance(operator, UniaxialOperator):
            estimate = uniaxial_estimate(operator, **options)
        else:
            estimate = hydrostatic_estimate(operator, **options)
    status = checked_status([estimate.status], valid, estimate.iterations, estimate.residual, raise_on_failure)
    good = converged_mask(status, K.device)
    return BulkResult(
        value=torch.where(good, estimate.value, torch.nan).to(K.dtype),
        gradient_bulk=keep_samples(estimate.by_bulk, good),
        gradient_shear=keep_samples(estimate.by_shear, good),
        displacement=keep_samples(operator.expand(estimate.fluctuation), good),
        iterations=estimate.iterations,
        residual=estimate.residual,
        status=status,
        boundary=boundary,
        tol=tol,
    )


def _pull_back(grad: Tensor, gradient_bulk: Tensor, gradient_shear: Tensor) -> tuple[Tensor, Tensor]:
    """grad ∂K*/∂K_e and grad ∂K*/∂G_e, both known from the solve, see `relaxdesign.physics.fem.load_cases`."""
    grad = grad[:, None, None, None]
    return grad * gradient_bulk, grad * gradient_shear


def effective_bulk_modulus(K: Tensor, G: Tensor, **options) -> Tensor:
    """``value`` of `bulk_modulus` alone: effective bulk modulus in GPa, (batch,), differentiable."""
    return bulk_modulus(K, G, **options).value


def density(rho: Tensor) -> Tensor:
    """Effective density (batch,): volume average of the voxel densities (batch, nx, ny, nz), in g/cm³."""
    return rho.flatten(1).mean(1)
