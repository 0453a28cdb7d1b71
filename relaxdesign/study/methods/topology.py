"""Topology optimisation of shapes of two given phases, without a prior.

By density with smoothing, projection and continuation (`relaxdesign.study.projected`), from random fields, one per
candidate: the weighted squares of the misses, and what is to be small or large, are minimised by the method of moving
asymptotes (Svanberg 2002, doi:10.1137/S1052623499362822) of NLopt.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from relaxdesign.microstructure.symmetry import Symmetry
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.study.guidance import Candidates, SamplerStep, failures
from relaxdesign.study.methods.base import Task
from relaxdesign.study.objective import extremes_of
from relaxdesign.study.projected import SHARPEST, Projected, crisp_shares, shares
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.simulation import Simulation

_SHARPNESS = (1.0, 2.5, 5.0, 10.0, SHARPEST)
_SPECKLE = 3.0  # voxels, of the random fields that it begins from
_DEPTH = 0.5  # their standard deviation
_MISS = 200.0  # worth of a squared miss where something is to be small or large, in coordinates of that


def refusal(request: DesignRequest) -> str:
    """Why the method cannot serve a request, or not on this machine; empty if it can."""
    if not request.phases:
        return "the method topology searches among shapes of given phases: give two, or choose another method"
    if find_spec("nlopt") is None:
        return (
            "the method topology needs NLopt, which is not installed: "
            'pip install "relaxdesign[baselines]", or choose another method'
        )
    return ""


def steps_of(task: Task) -> Iterator[SamplerStep]:
    """The fields after every stage of the continuation, whose evaluations are shared out evenly.

    A candidate that cannot be solved is dropped with a message, the others go on.
    """
    request, prior = task.request, task.prior
    simulation = Simulation.for_request(request, prior.grid, void=task.materials.has_void)
    extremes = extremes_of(request.objectives)
    problems = [Projected(task.materials.materials, simulation, extremes) for _ in range(request.count)]
    values = [_start(prior.field_shape[1:], simulation.symmetry, task.generator) for _ in problems]
    candidates = Candidates.of(request.count)
    stages = _SHARPNESS[-max(1, min(len(_SHARPNESS), request.steps // 2)) :]
    each = max(1, request.steps // len(stages) - 1)  # and one of all candidates together
    for stage, sharpness in enumerate(stages, 1):
        failed: dict[int, str] = {}
        for place, index in enumerate(candidates.alive.nonzero().flatten().tolist()):
            try:
                values[index] = _optimised(problems[index], values[index], sharpness, each)
            except ConvergenceError as error:
                failed[place] = str(error)
        if failed:
            task.objectives.keep(candidates.drop(failed))
        left = candidates.alive.nonzero().flatten().tolist()
        last = stage == len(stages)
        read = [crisp_shares(values[index]) if last else shares(values[index], sharpness) for index in left]
        fields = [torch.from_numpy(2.0 * share - 1.0).float() for share in read]
        if not fields:
            yield candidates.step(request.steps, request.steps, 0.0, torch.zeros(0, *prior.field_shape), None)
            return
        clean = torch.stack(fields)[:, None]
        evaluation = task.objectives.evaluate(prior, clean, finished=last, unrelated=True)
        if failed := failures(clean, evaluation):
            survivors = candidates.drop(failed)
            task.objectives.keep(survivors)
            clean, evaluation = clean[survivors], evaluation.select(survivors)
        task.objectives.load_cases += simulation.cost.load_cases
        task.objectives.iterations += simulation.cost.iterations
        simulation.cost.load_cases = simulation.cost.iterations = 0
        done = request.steps if last else stage * (each + 1)
        yield candidates.step(done, request.steps, 1.0 - stage / len(stages), clean, evaluation)
        if not len(clean):
            return


def _start(shape: tuple[int, ...], symmetry: Symmetry, generator: torch.Generator) -> NDArray[np.float64]:
    """A random field of mean 0."""
    noise = symmetry.copied(torch.randn(shape, generator=generator)).double().numpy()
    field = symmetry.averaged(gaussian_filter(noise, _SPECKLE, mode="wrap"))
    return np.clip(_DEPTH * field / field.std(), -1.0, 1.0)


def _optimised(problem: Projected, start: NDArray[np.float64], sharpness: float, evaluations: int) -> NDArray:
    """The best field seen within so many evaluations. Raises ConvergenceError."""
    import nlopt

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
