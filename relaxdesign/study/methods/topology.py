"""Topology optimisation of shapes of given phases, without a prior.

By density with smoothing, projection and continuation (`relaxdesign.study.projected`), from random fields, one per
candidate: the weighted squares of the misses, and what is to be small or large, are minimised by the method of moving
asymptotes (Svanberg 2002, doi:10.1137/S1052623499362822) of NLopt.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods.base import Task
from relaxdesign.study.methods.staged import in_stages, no_phases, random_fields
from relaxdesign.study.objective import extremes_of
from relaxdesign.study.projected import SHARPEST, Projected, crisp_shares, shares, smoothing_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.simulation import Simulation

_SHARPNESS = (1.0, 2.5, 5.0, 10.0, SHARPEST)
_MISS = 200.0  # worth of a squared miss where something is to be small or large, in coordinates of that
_BALANCE, _RELEASED = 20.0, 4.0
"""Of three phases, what it costs that the last two do not share alike what is not of the first, and the sharpness from
which that is free. Else the solid that expands more is gone before it can bend the other one: of a void, Invar and
aluminium with E ≥ 3 GPa in 2D, seed 1 of the classic problem ended at the expansion of Invar, 1.3e-6/K, and came to
-0.6e-6/K and less so."""


def refusal(request: DesignRequest) -> str:
    """Why the method cannot serve a request, or not on this machine; empty if it can."""
    if find_spec("nlopt") is not None or not request.phases:
        return no_phases(request)
    return (
        "the method topology needs NLopt, which is not installed: "
        'pip install "relaxdesign[baselines]", or choose another method'
    )


def steps_of(task: Task) -> Iterator[SamplerStep]:
    """The fields after every stage of the continuation, see `in_stages`."""
    request, prior = task.request, task.prior
    simulation = Simulation.for_request(request, prior.grid, void=task.materials.has_void)
    extremes = extremes_of(request.objectives)
    smoothing = smoothing_of(task.materials.materials, request.min_feature * prior.grid)
    problems = [Projected(task.materials.materials, simulation, extremes, smoothing) for _ in range(request.count)]
    values = [random_fields(task, simulation.symmetry) for _ in problems]
    stages = _SHARPNESS[-max(1, min(len(_SHARPNESS), request.steps // 2)) :]

    def advance(index: int, stage: int, evaluations: int) -> NDArray[np.float64]:
        sharpness = stages[stage]
        values[index] = _optimised(problems[index], values[index], sharpness, evaluations)
        last = stage == len(stages) - 1
        if last:
            return crisp_shares(values[index], prior.dim, smoothing)
        return shares(values[index], sharpness, prior.dim, smoothing)

    return in_stages(task, simulation, advance, [request.steps // len(stages)] * len(stages))


def _optimised(problem: Projected, start: NDArray[np.float64], sharpness: float, evaluations: int) -> NDArray:
    """The best field seen within so many evaluations. Raises ConvergenceError."""
    import nlopt

    balanced = len(problem.materials) > 2 and sharpness < _RELEASED
    worth = _MISS if problem.extremes else 1.0
    weights = worth * np.array([target.weight for target in problem.simulation.targets])
    signs = np.array([extreme.weight * extreme.sign for extreme in problem.extremes])
    best, least, failed = start, np.inf, []

    def loss(flat: NDArray[np.float64], gradient: NDArray[np.float64]) -> float:
        nonlocal best, least
        values = problem.simulation.symmetry.averaged(flat.reshape(start.shape))
        try:
            coordinates, slopes = problem.solved(values, sharpness)
        except ConvergenceError as error:  # NLopt would swallow it
            failed.append(error)
            raise nlopt.ForcedStop from error
        gaps = problem.gaps(coordinates)
        gradient[:] = np.tensordot(np.concatenate((2.0 * weights * gaps, signs)), slopes, 1).ravel()
        found = float((weights * np.square(gaps)).sum() + signs @ coordinates[len(gaps) :])
        if balanced:
            off, slope = problem.unbalance(values, sharpness)
            gradient[:] += 2.0 * _BALANCE * off * slope.ravel()
            found += _BALANCE * off**2
        if found < least:
            best, least = values.copy(), found
        return found

    optimiser = nlopt.opt(nlopt.LD_MMA, start.size)
    optimiser.set_lower_bounds(-1.0)
    optimiser.set_upper_bounds(1.0)
    optimiser.set_min_objective(loss)
    optimiser.set_maxeval(evaluations)
    try:
        optimiser.optimize(start.ravel())
    except (nlopt.ForcedStop, nlopt.RoundoffLimited, RuntimeError):
        if failed:
            raise failed[0] from None
    return best
