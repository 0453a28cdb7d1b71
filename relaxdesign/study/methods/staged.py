"""Searches for shapes of given phases that take one candidate at a time, from random fields, in stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from relaxdesign.microstructure.symmetry import Symmetry
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.study.guidance import Candidates, SamplerStep, failures
from relaxdesign.study.methods.base import Task
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.simulation import Simulation

_SPECKLE = 3.0  # voxels, of random fields
_DEPTH = 0.5  # their standard deviation

Advance = Callable[[int, int, int], NDArray[np.float64]]
"""(candidate, stage from 0, evaluations) -> shares of the second phase in the voxels (*grid), 0 to 1, after the stage.

Of three phases (2, *grid): of both but the first, and of the last one in these. Raises ConvergenceError."""


def no_phases(request: DesignRequest) -> str:
    """Why a method of shapes alone cannot serve the request; empty if it can."""
    if request.phases:
        return ""
    return f"the method {request.method} searches among shapes of given phases: give two, or choose another method"


def random_field(shape: tuple[int, ...], symmetry: Symmetry, generator: torch.Generator) -> NDArray[np.float64]:
    """A smooth field of mean 0, -1 to 1."""
    noise = symmetry.copied(torch.randn(shape, generator=generator)).double().numpy()
    field = symmetry.averaged(gaussian_filter(noise, _SPECKLE, mode="wrap"))
    return np.clip(_DEPTH * field / field.std(), -1.0, 1.0)


def random_fields(task: Task, symmetry: Symmetry) -> NDArray[np.float64]:
    """A `random_field` (*grid) for a candidate of a task; of three phases one for each channel (2, *grid)."""
    channels, *grid = task.prior.field_shape
    fields = [random_field(tuple(grid), symmetry, task.generator) for _ in range(channels)]
    return fields[0] if channels == 1 else np.stack(fields)


def in_stages(task: Task, simulation: Simulation, advance: Advance, lengths: Sequence[int]) -> Iterator[SamplerStep]:
    """The fields after every stage.

    A candidate that cannot be solved is dropped with a message, the others go on. simulation: whose cost is counted.
    lengths: of the stages in evaluations, of which the last one of each shows all candidates together.
    """
    request, prior = task.request, task.prior
    candidates = Candidates.of(request.count)
    for stage, length in enumerate(lengths):
        failed: dict[int, str] = {}
        fields = []
        for place, index in enumerate(candidates.alive.nonzero().flatten().tolist()):
            try:
                fields.append(torch.from_numpy(2.0 * advance(index, stage, max(1, length - 1)) - 1.0).float())
            except ConvergenceError as error:
                failed[place] = str(error)
        if failed:
            task.objectives.keep(candidates.drop(failed))
        if not fields:
            yield candidates.step(request.steps, request.steps, 0.0, torch.zeros(0, *prior.field_shape), None)
            return
        clean, last = torch.stack(fields).view(-1, *prior.field_shape), stage == len(lengths) - 1
        evaluation = task.objectives.evaluate(prior, clean, finished=last, unrelated=True)
        if failed := failures(clean, evaluation):
            survivors = candidates.drop(failed)
            task.objectives.keep(survivors)
            clean, evaluation = clean[survivors], evaluation.select(survivors)
        task.objectives.load_cases += simulation.cost.load_cases
        task.objectives.iterations += simulation.cost.iterations
        simulation.cost.load_cases = simulation.cost.iterations = 0
        done = request.steps if last else sum(lengths[: stage + 1])
        yield candidates.step(done, request.steps, 1.0 - (stage + 1) / len(lengths), clean, evaluation)
        if not len(clean):
            return
