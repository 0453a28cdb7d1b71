"""Gradient descent on the relaxed field, without a prior."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from relaxdesign.prior.model import Prior
from relaxdesign.study.guidance import Candidates, SamplerStep, clip_step, failures, step_direction
from relaxdesign.study.methods.base import Task
from relaxdesign.study.objectives import Objectives

_START_DEVIATION = 0.3


def steps_of(task: Task) -> Iterator[SamplerStep]:
    """`descend` for a request."""
    request = task.request
    clip, steps = request.guidance.clip, request.steps
    return descend(task.prior, task.objectives, request.count, clip=clip, steps=steps, generator=task.generator)


def descend(
    prior: Prior, objectives: Objectives, count: int, *, clip: float, steps: int, generator: torch.Generator
) -> Iterator[SamplerStep]:
    """Gauss–Newton steps on every voxel from random fields: a random material each, with noise on the voxels.

    A candidate whose homogenisation fails is dropped with a message, the others go on.
    """
    shape = (count, prior.channels.count) + (1,) * prior.dim
    clean = 2 * torch.rand(shape, generator=generator) - 1
    noise = _START_DEVIATION * torch.randn(count, *prior.field_shape, generator=generator)
    noise = prior.symmetry.copied(noise)
    clean = (0.7 * clean + noise).clamp(-1, 1)
    candidates = Candidates.of(count)
    for index in range(1, steps + 1):
        evaluation = objectives.evaluate(prior, clean, finished=index == steps)
        if failed := failures(clean, evaluation):
            survivors = candidates.drop(failed)
            clean, evaluation = clean[survivors], evaluation.select(survivors)
            objectives.keep(survivors)
        yield candidates.step(index, steps, 1 - index / steps, clean, evaluation)
        if not len(clean):
            return
        clean = (clean + clip_step(step_direction(evaluation.linearisation), clip)).clamp(-1, 1)
