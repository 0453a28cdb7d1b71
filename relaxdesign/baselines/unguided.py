"""What the prior alone can do: the best of many samples, and samples of a prior that is told the target."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from relaxdesign.guidance import SamplerStep
from relaxdesign.objectives import Objectives
from relaxdesign.prior.model import Prior, PriorError
from relaxdesign.prior.sampling import sample
from relaxdesign.request import Sampler

DENOISING_STEPS = 25
"""Of each unguided sample; they cost no simulations."""


def best_of_many(
    prior: Prior, objectives: Objectives, count: int, *, steps: int, generator: torch.Generator
) -> Iterator[SamplerStep]:
    """``steps`` - 1 unguided samples per candidate, each simulated once; the best of each candidate's own is kept."""
    alive = torch.ones(count, dtype=torch.bool)
    best = torch.zeros(count, *prior.field_shape)
    smallest = torch.full((count,), torch.inf)
    for index in range(1, steps):
        *_, clean = sample(prior, count, steps=DENOISING_STEPS, generator=generator)
        evaluation = objectives.evaluate(prior, clean)
        residual = evaluation.linearisation.target_residual
        miss = (evaluation.linearisation.target_weight * residual.square()).sum(1)
        miss[list(evaluation.messages)] = torch.inf
        better = miss < smallest
        best[better], smallest[better] = clean[better], miss[better]
        yield SamplerStep(index, steps, 1 - index / steps, clean, evaluation, alive, {})
    yield SamplerStep(steps, steps, 0.0, best, objectives.evaluate(prior, best, finished=True), alive, {})


def conditional(
    prior: Prior,
    objectives: Objectives,
    count: int,
    *,
    bulk: float | None,
    sampler: Sampler,
    steps: int,
    generator: torch.Generator,
) -> Iterator[SamplerStep]:
    """Samples of a conditional prior told the bulk modulus (GPa); simulated only at the end, to be shown.

    Raises PriorError for other targets or an unconditional prior.
    """
    if bulk is None:
        raise PriorError("a conditional prior can be told a bulk modulus only: ask for one value of K")
    aimed = prior.aimed_at(bulk)
    alive = torch.ones(count, dtype=torch.bool)

    def step(index: int, clean: Tensor) -> SamplerStep:
        evaluate = objectives.evaluate if index == steps else objectives.unevaluated
        return SamplerStep(index, steps, 1 - index / steps, clean, evaluate(prior, clean), alive, {})

    for index, clean in enumerate(sample(aimed, count, steps=steps, sampler=sampler, generator=generator), 1):
        yield step(index, clean)
