"""Conduction of heat: the conductivity of the phases, the mean tr(k)/3 of a cell and that along its axes."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.physics.base import Coefficient, Computed, Fields, Interval, Physics, Quantity, Task
from relaxdesign.physics.fem import SolveStatus, conductivity_along, effective_conductivity

NAME = "conduction"
CONDUCTIVITY = Coefficient("conductivity", "thermal conductivity", "W/(m K)")

_AXES = {"conductivity_x": 0, "conductivity_y": 1, "conductivity_z": 2}

QUANTITIES = (
    Quantity("conductivity", "thermal conductivity", "W/(m K)", NAME, of_material="conductivity"),
    *(Quantity(name, f"thermal conductivity along {name[-1]}", "W/(m K)", NAME, directional=True) for name in _AXES),
)


def quantities_of(k: Tensor) -> dict[str, Tensor]:
    """All quantities of conductivity tensors (batch, 3, 3); differentiable."""
    along_axes = k.diagonal(dim1=1, dim2=2)
    return {"conductivity": along_axes.mean(1)} | {name: along_axes[:, axis] for name, axis in _AXES.items()}


def compute(task: Task) -> Computed:
    """All quantities from three unit gradients, each from zero and within the solver's own iteration limit."""
    options = task.options
    result = effective_conductivity(
        task.fields[CONDUCTIVITY.name],
        boundary=options.boundary,
        tol=options.tolerance,
        raise_on_failure=options.raise_on_failure,
    )
    return Computed(
        values=quantities_of(result.k),
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
    """Derivatives of the conductivities of a cell as that of its voxels changes."""
    temperature = computed[NAME].fluctuation
    assert temperature is not None
    return quantities_of(conductivity_along(temperature, change[CONDUCTIVITY.name]))


def interval(materials: Mapping[str, NDArray], dim: int, name: str) -> Interval:
    """Any average over a cell and its value along any axis lie between those of the materials."""
    own = materials[CONDUCTIVITY.name]
    return float(own.min()), float(own.max())


CONDUCTION = Physics(NAME, (CONDUCTIVITY,), QUANTITIES, compute, along=along, interval=interval)
