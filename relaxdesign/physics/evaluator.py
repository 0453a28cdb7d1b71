"""The effective quantities of voxel cells that a request needs, and no more, with exact gradients.

One hydrostatic load case is enough for the bulk modulus; anything else elastic takes the six of the whole stiffness.
Guidance, refinement and verification all evaluate cells here, so they all count alike.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from relaxdesign.materials.channels import Properties
from relaxdesign.physics.fem import (
    BulkResult,
    SolveStatus,
    StiffnessResult,
    bulk_modulus,
    effective_conductivity,
    effective_stiffness,
)
from relaxdesign.physics.quantities import QUANTITIES, quantities_of_stiffness

_FALLBACK_ITERATIONS = 5000


@dataclass(frozen=True)
class Effective:
    """Effective quantities of a batch of cells and what they cost.

    values: by quantity, (batch,); NaN where the solve failed. They carry the gradient if the fields asked for one.
    stiffness: C in GPa (batch, 6, 6) if it was computed. displacement: the next warm start.
    iterations: of conjugate gradients, (batch,). residual: largest per cell, (batch,).
    load_cases: linear systems solved per cell. messages: why cells failed.
    """

    values: dict[str, Tensor]
    stiffness: Tensor | None
    displacement: Tensor
    iterations: Tensor
    residual: Tensor
    load_cases: int
    messages: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluator:
    """Which quantities to compute, and how. The bulk modulus and the density are always among them.

    tolerance: relative residual; None: 1e-8 in float64, 1e-4 in float32.
    """

    quantities: Collection[str] = ()
    boundary: str = "periodic"
    tolerance: float | None = None
    max_iterations: int = _FALLBACK_ITERATIONS

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(QUANTITIES[name].source for name in self.quantities)

    @property
    def whole_stiffness(self) -> bool:
        """Whether six load cases are solved, not one."""
        return "stiffness" in self.sources

    def __call__(
        self,
        properties: Properties,
        *,
        conductivity: Tensor | None = None,
        price: Tensor | None = None,
        initial: Tensor | None = None,
        raise_on_failure: bool = True,
    ) -> Effective:
        """Effective quantities of cells of voxel properties (batch, nx, ny, nz).

        conductivity: W/(m K), price: per kg, of every voxel, needed if they are among the quantities.
        initial: ``displacement`` of an earlier result. raise_on_failure: if False, float32 samples that fail get a
        second chance in float64, and those that fail again are NaN with a message.
        Raises ConvergenceError if a solve fails and ``raise_on_failure``.
        """
        K, G = properties.bulk, properties.shear
        result = self._solve(K, G, initial, raise_on_failure)
        values, C = _elastic_values(result, K, G)
        displacement, residual, messages = result.displacement, result.residual, {}
        iterations = result.iterations.reshape(len(K), -1).sum(1)
        again = [i for i, status in enumerate(result.status) if status is not SolveStatus.CONVERGED]
        if again and K.dtype == torch.float32:
            second = replace(self, max_iterations=_FALLBACK_ITERATIONS)._solve(
                K[again].double(), G[again].double(), None, raise_on_failure
            )
            rescued, rescued_C = _elastic_values(second, K[again].double(), G[again].double())
            at = torch.tensor(again)
            values = {name: value.index_copy(0, at, rescued[name].float()) for name, value in values.items()}
            C = None if C is None or rescued_C is None else C.index_copy(0, at, rescued_C.float())
            displacement = displacement.index_copy(0, at, second.displacement.float())
            iterations = iterations.index_add(0, at, second.iterations.reshape(len(again), -1).sum(1))
            residual = residual.index_copy(0, at, second.residual)
            again = [i for i, status in zip(again, second.status, strict=True) if status is not SolveStatus.CONVERGED]
        for i in again:
            messages[i] = f"the homogenisation of the field failed: {result.status[i].value}"

        values["density"] = properties.density.flatten(1).mean(1)
        load_cases = 6 if self.whole_stiffness else 1
        if "conductivity" in self.sources:
            assert conductivity is not None
            heat = effective_conductivity(
                conductivity, boundary=self.boundary, tol=self.tolerance, raise_on_failure=raise_on_failure
            )
            for i, status in enumerate(heat.status):
                if status is not SolveStatus.CONVERGED and i not in messages:
                    messages[i] = f"the homogenisation of the conductivity failed: {status.value}"
            values["conductivity"] = heat.mean
            iterations = iterations + heat.iterations.sum(1)
            load_cases += 3
        if "price" in self.sources:
            assert price is not None
            values["price"] = (properties.density * price).flatten(1).sum(1) / properties.density.flatten(1).sum(1)
        residual = residual.reshape(len(K), -1).amax(1)
        return Effective(values, C, displacement, iterations, residual, load_cases, messages)

    def _solve(
        self, K: Tensor, G: Tensor, initial: Tensor | None, raise_on_failure: bool
    ) -> BulkResult | StiffnessResult:
        solve = effective_stiffness if self.whole_stiffness else bulk_modulus
        return solve(
            K,
            G,
            boundary=self.boundary,
            tol=self.tolerance,
            max_iterations=self.max_iterations,
            initial=initial,
            raise_on_failure=raise_on_failure,
        )


def _elastic_values(
    result: BulkResult | StiffnessResult, K: Tensor, G: Tensor
) -> tuple[dict[str, Tensor], Tensor | None]:
    """Quantities that follow from a solve, connected to the fields by their exact gradient."""
    if isinstance(result, StiffnessResult):
        return quantities_of_stiffness(result.C), result.C.detach()
    value = result.value
    if torch.is_grad_enabled() and (K.requires_grad or G.requires_grad):
        # The value with the derivative of the linear form dK* = ∂K*/∂K_e dK_e + ∂K*/∂G_e dG_e.
        linear = (result.gradient_bulk * K + result.gradient_shear * G).flatten(1).sum(1)
        value = value + (linear - linear.detach())
    return {"K": value}, None
