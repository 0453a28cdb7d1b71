"""What all evaluations have in common: options, samples that cannot be solved, and how a solve ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import Boundary
from relaxdesign.physics.fem.checks import check_layout
from relaxdesign.physics.fem.operator import VoxelOperator
from relaxdesign.physics.fem.solver import ConvergenceError, SolveStatus

MAX_ITERATIONS = 5000

SMALLEST_TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
"""Relative residuals that round-off lets most cells reach."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the result of a batch of cells was obtained."""

    iterations: Tensor
    """Conjugate gradient iterations per sample, or per sample and load case, int64."""
    residual: Tensor
    """Relative residual ‖b - K u‖₂ / ‖b‖₂ (see `relaxdesign.physics.fem.solver`), float64, shaped as ``iterations``."""
    status: tuple[SolveStatus, ...]
    """Worst outcome per sample."""
    boundary: Boundary
    tol: float

    @property
    def converged(self) -> Tensor:
        """Boolean (batch,)."""
        return converged_mask(self.status, self.residual.device)


def default_tolerance(dtype: torch.dtype) -> float:
    """Relative residual aimed at when none is given: 1e-8 in float64 (results), 1e-4 in float32 (guidance)."""
    return 1e-8 if dtype == torch.float64 else 1e-4


def check_options(tol: float | None, max_iterations: int, **fields: Tensor) -> float:
    """Validate the layout of the fields, given by name, and the options; returns the tolerance to use."""
    check_layout(**fields)
    dtype = next(iter(fields.values())).dtype
    tol = default_tolerance(dtype) if tol is None else float(tol)
    if not 0.0 < tol < 1.0:
        raise ValueError(f"tol is {tol}, expected a relative residual between 0 and 1, e.g. 1e-8")
    if tol < SMALLEST_TOLERANCE[dtype]:
        raise ValueError(
            f"tol is {tol:.1e}, {dtype} reaches {SMALLEST_TOLERANCE[dtype]:.0e} at best; use float64 or a larger tol"
        )
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}, expected at least 1")
    return tol


def replace_invalid(field: Tensor, valid: Tensor) -> Tensor:
    """The field with samples that cannot be solved replaced by a homogeneous cell of modulus 1."""
    return torch.where(valid[:, None, None, None], field, 1.0)


def converged_mask(status: tuple[SolveStatus, ...], device: torch.device) -> Tensor:
    """Boolean (batch,) of samples that have a solution."""
    return torch.tensor([s is SolveStatus.CONVERGED for s in status], device=device)


def keep_samples(field: Tensor, good: Tensor) -> Tensor:
    """Zero the samples that have no solution (also where they are NaN)."""
    return torch.where(good.reshape(-1, *(1,) * (field.ndim - 1)), field, 0.0)


def initial_guess(
    operator: VoxelOperator, initial: Tensor | None, shape: tuple[int, ...], valid: Tensor
) -> Tensor | None:
    """Warm start restricted to the operator; samples that are not finite start from zero."""
    if initial is None:
        return None
    if tuple(initial.shape) != shape:
        raise ValueError(
            f"initial has shape {tuple(initial.shape)}, expected {shape}; pass the displacement of a result "
            "on the same grid and batch with the same boundary, or None"
        )
    finite = torch.isfinite(initial).flatten(1).all(1) & valid
    return operator.restrict(keep_samples(initial.to(operator.device), finite))


def checked_status(
    load_cases: Sequence[tuple[SolveStatus, ...]],
    valid: Tensor,
    iterations: Tensor,
    residual: Tensor,
    raise_on_failure: bool,
) -> tuple[SolveStatus, ...]:
    """Worst outcome per sample over the load cases, INVALID_FIELD for samples that were replaced.

    Raises ConvergenceError if a sample has no solution and ``raise_on_failure``.
    """
    status = tuple(
        next((s for s in cases if s is not SolveStatus.CONVERGED), SolveStatus.CONVERGED)
        if ok
        else SolveStatus.INVALID_FIELD
        for cases, ok in zip(zip(*load_cases, strict=True), valid.tolist(), strict=True)
    )
    if raise_on_failure and any(s is not SolveStatus.CONVERGED for s in status):
        raise ConvergenceError(
            status, iterations.reshape(len(status), -1).amax(1), residual.reshape(len(status), -1).amax(1)
        )
    return status
