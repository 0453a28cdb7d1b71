"""The effective quantities of voxel cells that a request needs, and no more, with exact gradients.

Guidance, refinement and verification all evaluate cells here, so they all count alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from relaxdesign.physics.base import Computed, Fields, Physics, SolveOptions, Task
from relaxdesign.physics.elasticity import ELASTICITY
from relaxdesign.physics.fem.outcome import MAX_ITERATIONS
from relaxdesign.physics.quantities import coefficients_of, physics_of

_STEP = 1e-4

ALWAYS = ("K", "density")
"""Quantities that are computed of every cell."""


@dataclass(frozen=True)
class Effective:
    """Effective quantities of a batch of cells and what they cost.

    values: by quantity, (batch,); NaN where the solve failed. They carry the gradient if the fields asked for one.
    stiffness: C in GPa (batch, 6, 6) if it was computed. displacement: the next warm start.
    iterations: of conjugate gradients, (batch,). residual: largest of the elastic solves per cell, (batch,).
    load_cases: linear systems solved per cell. messages: why cells failed. computed: what each physics said, by name.
    """

    values: dict[str, Tensor]
    stiffness: Tensor | None
    displacement: Tensor
    iterations: Tensor
    residual: Tensor
    load_cases: int
    messages: dict[int, str] = field(default_factory=dict)
    computed: Mapping[str, Computed] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluator:
    """Which quantities to compute, and how. The bulk modulus and the density are always among them.

    tolerance: relative residual; None: 1e-8 in float64, 1e-4 in float32.
    """

    quantities: Collection[str] = ()
    boundary: str = "periodic"
    tolerance: float | None = None
    max_iterations: int = MAX_ITERATIONS

    @cached_property
    def wanted(self) -> frozenset[str]:
        """Names of all quantities that are computed, those that a physics needs of another included."""
        asked = {*ALWAYS, *self.quantities}
        return frozenset(asked.union(*(physics.needs for physics in physics_of(asked))))

    @cached_property
    def physics(self) -> tuple[Physics, ...]:
        """What is computed, in this order."""
        return physics_of(self.wanted)

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the voxel fields that a call needs, in a fixed order."""
        return coefficients_of(self.wanted)

    def __call__(self, fields: Fields, *, initial: Tensor | None = None, raise_on_failure: bool = True) -> Effective:
        """Effective quantities of cells.

        Args:
            fields: at least the `coefficients` of every voxel, (batch, nx, ny, nz), by name.
            initial: ``displacement`` of an earlier result.
            raise_on_failure: if False, float32 samples whose solve fails get a second chance in float64, and those
                that fail again are NaN with a message.

        Raises:
            ValueError: a field is missing.
            ConvergenceError: a solve fails and ``raise_on_failure``.
        """
        if missing := [name for name in self.coefficients if name not in fields]:
            raise ValueError(f"fields of {', '.join(missing)} are missing; needed are {', '.join(self.coefficients)}")
        options = SolveOptions(self.boundary, self.tolerance, self.max_iterations, raise_on_failure)
        task = Task(fields, self.wanted, options)
        done: dict[str, Computed] = {}
        for physics in self.physics:
            asked = replace(task, initial=initial if physics is ELASTICITY else None, before=dict(done))
            computed = physics.compute(asked)
            if computed.messages and fields[physics.coefficients[0].name].dtype == torch.float32:
                computed = _second_chance(physics, asked, computed)
            done[physics.name] = computed
        return _together(done)

    @torch.no_grad()
    def derivatives(self, effective: Effective, fields: Fields, change: Fields) -> dict[str, Tensor]:
        """Of every quantity, as the coefficients of every voxel change by so much: (batch,) by name.

        effective: what this evaluator said of these fields, in float64; exact, without another solve.
        """
        slopes: dict[str, Tensor] = {}
        for physics in self.physics:
            if physics.along is not None:
                slopes |= physics.along(fields, change, effective.computed)
                continue
            up, down = ({name: fields[name] + part * change[name] for name in change} for part in (_STEP, -_STEP))
            options = SolveOptions(self.boundary)
            high, low = (physics.compute(Task(moved, self.wanted, options)).values for moved in (up, down))
            slopes |= {name: (high[name] - low[name]) / (2.0 * _STEP) for name in high}
        return {name: slopes[name] for name in effective.values}


def _second_chance(physics: Physics, task: Task, first: Computed) -> Computed:
    """What a physics computed in float32, with the cells that failed solved again in float64, from zero."""
    failed = sorted(first.messages)
    second = physics.compute(
        Task(
            {name: values[failed].double() for name, values in task.fields.items()},
            task.wanted,
            replace(task.options, max_iterations=MAX_ITERATIONS),
            before={name: _of_cells(computed, failed) for name, computed in task.before.items()},
        )
    )

    def merged(was: Tensor | None, now: Tensor | None, added: bool = False) -> Tensor | None:
        if was is None or now is None:
            return was
        at = torch.tensor(failed, device=was.device)
        return was.index_add(0, at, now) if added else was.index_copy(0, at, now.to(was.dtype))

    return replace(
        first,
        values={name: merged(value, second.values[name]) for name, value in first.values.items()},
        tensor=merged(first.tensor, second.tensor),
        fluctuation=merged(first.fluctuation, second.fluctuation),
        iterations=merged(first.iterations, second.iterations, added=True),
        residual=merged(first.residual, second.residual),
        messages={failed[cell]: text for cell, text in second.messages.items()},
    )


def _of_cells(computed: Computed, cells: list[int]) -> Computed:
    """Values and fluctuations of some cells of a batch, in float64."""
    displacement = computed.fluctuation
    return Computed(
        {name: value[cells].double() for name, value in computed.values.items()},
        fluctuation=None if displacement is None else displacement[cells].double(),
    )


def _together(done: dict[str, Computed]) -> Effective:
    """One result from those of all physics."""
    elastic = done[ELASTICITY.name]
    iterations, values, messages = elastic.iterations, {}, {}
    assert iterations is not None and elastic.fluctuation is not None and elastic.residual is not None
    for name, computed in done.items():
        values |= computed.values
        messages = computed.messages | messages
        if name != ELASTICITY.name and computed.iterations is not None:
            iterations = iterations + computed.iterations
    return Effective(
        values=values,
        stiffness=elastic.tensor,
        displacement=elastic.fluctuation,
        iterations=iterations,
        residual=elastic.residual,
        load_cases=sum(computed.load_cases for computed in done.values()),
        messages=messages,
        computed=done,
    )
