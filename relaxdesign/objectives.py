"""What a field is steered towards: targets and minimised quantities, linearised at a relaxed field.

A *target* has a residual r that should be zero, made dimensionless by a logarithm: ln K − ln K*. A
*minimised* quantity has a rate: how much of it (relatively) one step tries to take away. Both come with the
gradient in channel space.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from relaxdesign.channels import Properties
from relaxdesign.fem import SolveStatus, bulk_modulus
from relaxdesign.prior.model import Prior
from relaxdesign.request import DesignRequest

# At weight 1 a step asks for this relative decrease of a minimised quantity; measured to lower the density
# clearly within 20–50 steps while the prior keeps the fields two-phase.
MINIMISE_RATE = 0.05

_GUIDANCE_ITERATIONS = 400
_FALLBACK_ITERATIONS = 5000


@dataclass(frozen=True)
class Linearisation:
    """Objectives and their first-order behaviour at fields x̂_0 of the candidates still alive.

    target_residual: (batch, targets); target_gradient: (batch, targets, *field).
    minimise_rate, minimise_gradient: likewise for minimised quantities (gradient of their logarithm).
    """

    target_residual: Tensor
    target_gradient: Tensor
    minimise_rate: Tensor
    minimise_gradient: Tensor


@dataclass(frozen=True)
class Evaluation:
    """Objectives at a batch of fields. Failed samples have NaN values and a message.

    bulk: GPa (batch,). density: g/cm³ (batch,). losses: dimensionless, per objective (batch,).
    """

    properties: Properties
    bulk: Tensor
    density: Tensor
    losses: dict[str, Tensor]
    linearisation: Linearisation
    messages: dict[int, str]
    iterations: int

    def select(self, keep: Tensor) -> Evaluation:
        """The evaluation of the samples in ``keep`` (batch,) bool only, without the others' messages."""
        p, lin = self.properties, self.linearisation
        return replace(
            self,
            properties=Properties(p.bulk[keep], p.shear[keep], p.density[keep]),
            bulk=self.bulk[keep],
            density=self.density[keep],
            losses={name: loss[keep] for name, loss in self.losses.items()},
            linearisation=Linearisation(
                lin.target_residual[keep],
                lin.target_gradient[keep],
                lin.minimise_rate[keep],
                lin.minimise_gradient[keep],
            ),
            messages={},
        )


@dataclass
class Objectives:
    """A target bulk modulus and, if weighted, low density. Keeps the last displacements as warm start."""

    target_bulk: float
    density_weight: float = 0.0
    tolerance: float = 1e-4
    _displacement: Tensor | None = field(default=None, repr=False)

    @staticmethod
    def from_request(request: DesignRequest) -> Objectives:
        return Objectives(request.target_bulk, request.density_weight, request.guidance.tolerance)

    def evaluate(self, prior: Prior, clean: Tensor) -> Evaluation:
        """Values, losses and gradients at fields (batch, 3, *grid)."""
        clean = clean.detach().requires_grad_()
        with torch.enable_grad():
            properties = prior.decode(clean)
            result, messages = self._solve(properties)
            value = result["value"]
            # d ln K = (∂K/∂K_e dK_e + ∂K/∂G_e dG_e) / K; the chain to the channels is left to autograd.
            surrogate = result["gradient_bulk"] * properties.bulk + result["gradient_shear"] * properties.shear
            log_bulk = surrogate.flatten(1).sum(1) / value.nan_to_num(1.0)
            density = properties.density.flatten(1).mean(1)
            (bulk_gradient,) = torch.autograd.grad(log_bulk.sum(), clean, retain_graph=True)
            (density_gradient,) = torch.autograd.grad(density.log().sum(), clean)
        residual = (value / self.target_bulk).log()
        rate = torch.full_like(residual, MINIMISE_RATE * self.density_weight)
        some = int(self.density_weight > 0)
        return Evaluation(
            properties=Properties(*(p.detach() for p in (properties.bulk, properties.shear, properties.density))),
            bulk=value,
            density=density.detach(),
            losses={"bulk modulus": residual.square(), "density": self.density_weight * density.detach()}
            if some
            else {"bulk modulus": residual.square()},
            linearisation=Linearisation(
                residual.nan_to_num(0.0)[:, None],
                bulk_gradient[:, None],
                rate[:, None][:, :some],
                density_gradient[:, None][:, :some],
            ),
            messages=messages,
            iterations=result["iterations"],
        )

    def keep(self, alive: Tensor) -> None:
        """Drops the warm start of candidates that were dropped. alive: (batch,) bool."""
        if self._displacement is not None:
            self._displacement = self._displacement[alive]

    @torch.no_grad()
    def _solve(self, properties: Properties) -> tuple[dict, dict[int, str]]:
        """Effective bulk moduli with gradients; samples that fail in float32 get a second chance in float64."""
        bulk, shear = properties.bulk.detach(), properties.shear.detach()
        first = bulk_modulus(
            bulk,
            shear,
            tol=self.tolerance,
            max_iterations=_GUIDANCE_ITERATIONS,
            initial=self._displacement,
            raise_on_failure=False,
        )
        fields = {
            "value": first.value.clone(),
            "gradient_bulk": first.gradient_bulk.clone(),
            "gradient_shear": first.gradient_shear.clone(),
        }
        displacement, iterations = first.displacement.clone(), int(first.iterations.sum())
        messages: dict[int, str] = {}
        again = [i for i, status in enumerate(first.status) if status is not SolveStatus.CONVERGED]
        if again:
            second = bulk_modulus(
                bulk[again].double(),
                shear[again].double(),
                tol=self.tolerance,
                max_iterations=_FALLBACK_ITERATIONS,
                raise_on_failure=False,
            )
            for key, value in fields.items():
                value[again] = getattr(second, key).to(value.dtype)
            displacement[again] = second.displacement.to(displacement.dtype)
            iterations += int(second.iterations.sum())
            for i, status in zip(again, second.status, strict=True):
                if status is not SolveStatus.CONVERGED:
                    messages[i] = f"the homogenisation of the intermediate field failed: {status.value}"
        self._displacement = displacement
        return fields | {"iterations": iterations}, messages
