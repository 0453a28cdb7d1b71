"""The evaluator itself as a solver of the benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from relaxdesign.physics.fem import bulk_modulus, effective_stiffness

from .cases import Case


@dataclass(frozen=True)
class Outcome:
    """What a solver returned, as plain numbers."""

    value: list[float]
    """Effective bulk modulus per sample, GPa."""
    iterations: list[int] | None = None
    """Iterations per sample; None for a direct solver or where the library does not tell."""
    residual: float | None = None
    """Largest relative force residual as the solver states it."""
    fluctuation: np.ndarray | None = None
    """Under unit hydrostatic strain, in voxel edges, (batch, 3, nx, ny, nz): what the common residual is made of."""
    gradient: tuple[np.ndarray, np.ndarray] | None = None
    """∂K*/∂K and ∂K*/∂G of every voxel."""


Prepared = tuple[Callable[[], Any], Callable[[Any], Outcome]]
"""The call that is timed, and the function that turns what it returned into an `Outcome`."""


def prepare(case: Case, K: torch.Tensor, G: torch.Tensor) -> Prepared:
    """The evaluator needs no set-up: everything is timed."""
    dtype = getattr(torch, case.dtype)
    K, G = (field.to(device=case.device, dtype=dtype) for field in (K, G))
    if case.output == "C":
        return lambda: effective_stiffness(K, G, tol=case.tol), _stiffness_outcome
    return lambda: bulk_modulus(K, G, tol=case.tol), _bulk_outcome


def _bulk_outcome(result) -> Outcome:
    return Outcome(
        value=result.value.tolist(),
        iterations=result.iterations.tolist(),
        residual=float(result.residual.max()),
        fluctuation=result.displacement.double().cpu().numpy(),
        gradient=(result.gradient_bulk.double().cpu().numpy(), result.gradient_shear.double().cpu().numpy()),
    )


def _stiffness_outcome(result) -> Outcome:
    return Outcome(
        value=result.bulk.tolist(),
        iterations=result.iterations.amax(1).tolist(),
        residual=float(result.residual.max()),
    )
