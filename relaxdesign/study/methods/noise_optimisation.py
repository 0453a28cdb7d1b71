"""Optimising the noise a sample starts from, instead of steering its denoising.

A few deterministic steps make the sample a differentiable function of its initial noise; Gauss–Newton steps on the
noise then move the sample onto the targets while it stays what the prior makes (compare Wallace et al. 2023, DOODL,
arXiv 2303.13703; Ben-Hamu et al. 2024, D-Flow, arXiv 2402.14017).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from relaxdesign.prior.model import Prior
from relaxdesign.prior.steps import ddim_step, draw_noise
from relaxdesign.study.guidance import Candidates, SamplerStep, clip_step, failures, pull_back, step_direction
from relaxdesign.study.methods.base import Task
from relaxdesign.study.objectives import Objectives

DENOISING_STEPS = 6
PASSES = 4 * DENOISING_STEPS
"""Of the network per step: each forward, again on the way back, and its derivative, which takes as long as two."""


def steps_of(task: Task) -> Iterator[SamplerStep]:
    """`optimise_noise` for a request."""
    request = task.request
    clip, steps = request.guidance.clip, request.steps
    return optimise_noise(task.prior, task.objectives, request.count, clip=clip, steps=steps, generator=task.generator)


def optimise_noise(
    prior: Prior, objectives: Objectives, count: int, *, clip: float, steps: int, generator: torch.Generator
) -> Iterator[SamplerStep]:
    """Yields the samples after each of ``steps`` updates of their noise.

    A candidate whose homogenisation fails is dropped with a message, the others go on.
    """
    noise = prior.symmetry.copied(draw_noise((count, *prior.field_shape), generator, prior.device))
    candidates = Candidates.of(count)
    for index in range(1, steps + 1):
        noise.requires_grad_()
        with torch.enable_grad():
            clean = _denoise(prior, noise)
        evaluation = objectives.evaluate(prior, clean.detach(), finished=index == steps)
        # One pass through the network serves all, the failed too: their gradients are zero.
        pulled = pull_back(evaluation.linearisation, clean, noise) if index < steps else None
        clean, noise = clean.detach(), noise.detach()
        if failed := failures(clean, evaluation):
            survivors = candidates.drop(failed)
            clean, noise, evaluation = clean[survivors], noise[survivors], evaluation.select(survivors)
            pulled = pulled and pulled.select(survivors)
            objectives.keep(survivors)
        yield candidates.step(index, steps, 1 - index / steps, clean, evaluation)
        if not len(clean):
            return
        if pulled is not None:
            moved = noise + clip_step(step_direction(pulled), clip)
            # Gaussian noise of n numbers has the norm √n, nearly: off that shell the network has learnt nothing.
            size = moved.flatten(1).norm(dim=1).view((-1,) + (1,) * (moved.ndim - 1))
            noise = moved * (math.sqrt(moved[0].numel()) / size)


def _denoise(prior: Prior, noise: Tensor) -> Tensor:
    """x̂_0 by DDIM; activations are computed again on the way back, to need the memory of one step only."""
    levels = prior.schedule.trailing(DENOISING_STEPS)
    noisy = noise
    for index, level in enumerate(levels):
        t = torch.full((len(noise),), level, device=noise.device)
        clean = checkpoint(prior.clean_estimate, noisy, t, use_reentrant=False)
        assert isinstance(clean, Tensor)
        clean = clean.clamp(-1, 1)
        if index + 1 == len(levels):
            return clean
        noisy = ddim_step(prior.schedule, noisy, clean, level, levels[index + 1])
    raise RuntimeError("the schedule has no steps")
