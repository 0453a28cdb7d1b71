"""Conduction of heat: the conductivity of the phases and the mean conductivity tr(k)/3 of a cell."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from relaxdesign.physics.base import Coefficient, Computed, Fields, Physics, Quantity, Task
from relaxdesign.physics.fem import SolveStatus, conductivity_along, effective_conductivity

NAME = "conduction"
CONDUCTIVITY = Coefficient("conductivity", "thermal conductivity", "W/(m K)")
QUANTITIES = (Quantity("conductivity", "thermal conductivity", "W/(m K)", NAME, of_material="conductivity"),)


def compute(task: Task) -> Computed:
    """tr(k)/3 from three unit gradients of temperature, each from zero and within the solver's own iteration limit."""
    options = task.options
    result = effective_conductivity(
        task.fields[CONDUCTIVITY.name],
        boundary=options.boundary,
        tol=options.tolerance,
        raise_on_failure=options.raise_on_failure,
    )
    return Computed(
        values={"conductivity": result.mean},
        tensor=result.k.detach(),
        fluctuation=result.temperature,
        iterations=result.iterations.sum(1),
        residual=result.residual.amax(1),
        load_cases=3,
        messages={
            i: f"the homogenisation of the conductivity failed: {status.value}"
            for i, status in enumerate(result.status)
            if status is not SolveStatus.CONVERGED
        },
    )


def along(fields: Fields, change: Fields, computed: Mapping[str, Computed]) -> dict[str, Tensor]:
    """Derivative of the mean conductivity as that of the voxels changes."""
    temperature = computed[NAME].fluctuation
    assert temperature is not None
    slope = conductivity_along(temperature, change[CONDUCTIVITY.name])
    return {"conductivity": slope.diagonal(dim1=1, dim2=2).mean(1)}


CONDUCTION = Physics(NAME, (CONDUCTIVITY,), QUANTITIES, compute, along=along)
