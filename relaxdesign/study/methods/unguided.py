"""What the prior alone can do: the best of many samples, and samples of a prior that is told the target."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from relaxdesign.prior.model import Prior
from relaxdesign.prior.sampling import sample
from relaxdesign.prior.steps import Sampler
from relaxdesign.study.guidance import Candidates, SamplerStep, failures
from relaxdesign.study.methods.base import Task
from relaxdesign.study.methods.keeping import BestDesigns
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.request import DesignRequest

DENOISING_STEPS = 25
"""Of each unguided sample; they cost no simulations."""


def best_of_many_for(task: Task) -> Iterator[SamplerStep]:
    """`best_of_many` for a request."""
    request = task.request
    return best_of_many(task.prior, task.objectives, request.count, steps=request.steps, generator=task.generator)


def conditional_for(task: Task) -> Iterator[SamplerStep]:
    """`conditional` for a request that is not refused by `more_than_a_bulk_modulus`."""
    request = task.request
    assert request.target_bulk is not None
    return conditional(
        task.prior,
        task.objectives,
        request.count,
        bulk=request.target_bulk,
        sampler=request.guidance.sampler_at(request.steps),
        steps=request.steps,
        generator=task.generator,
    )


def more_than_a_bulk_modulus(request: DesignRequest) -> str:
    """Why a conditional prior cannot be told what is asked for; empty if it can."""
    if request.target_bulk is not None and len(request.objectives) == 1:
        return ""
    wanted = " and ".join(str(objective) for objective in request.objectives)
    return (
        f"the method conditional can be told one value of K and nothing else, got {wanted}: ask for K = … alone, "
        "or choose another method"
    )


def best_of_many(
    prior: Prior, objectives: Objectives, count: int, *, steps: int, generator: torch.Generator
) -> Iterator[SamplerStep]:
    """``steps`` - 1 unguided samples per candidate, each simulated once; the best of each candidate's own is kept.

    A sample whose homogenisation fails is passed over; a candidate of which all fail is dropped with a message.
    """
    kept = BestDesigns.of(count, prior)
    for index in range(1, steps):
        *_, clean = sample(prior, count, steps=DENOISING_STEPS, generator=generator)
        evaluation = objectives.evaluate(prior, clean, unrelated=True)
        kept.offer(clean, objectives.losses(evaluation), evaluation.messages)
        yield SamplerStep(index, steps, 1 - index / steps, clean, evaluation, torch.ones(count, dtype=torch.bool), {})
    yield kept.last_step(prior, objectives, steps)


def conditional(
    prior: Prior,
    objectives: Objectives,
    count: int,
    *,
    bulk: float,
    sampler: Sampler,
    steps: int,
    generator: torch.Generator,
) -> Iterator[SamplerStep]:
    """Samples of a conditional prior told the bulk modulus; simulated only at the end, to be shown.

    bulk: what it is told, GPa. Raises PriorError for an unconditional prior.
    """
    aimed = prior.aimed_at(bulk)
    candidates = Candidates.of(count)
    for index, clean in enumerate(sample(aimed, count, steps=steps, sampler=sampler, generator=generator), 1):
        if index < steps:
            yield candidates.step(index, steps, 1 - index / steps, clean, objectives.unevaluated(prior, clean))
            continue
        evaluation = objectives.evaluate(prior, clean)
        survivors = candidates.drop(failures(clean, evaluation))
        yield candidates.step(index, steps, 0.0, clean[survivors], evaluation.select(survivors))
