"""Unguided sampling: what a prior makes by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from relaxdesign.prior.model import Prior
from relaxdesign.prior.steps import Sampler, advance, draw_noise

BATCH = 32
"""Samples drawn together."""


def sample(
    prior: Prior, count: int, *, steps: int = 50, sampler: Sampler = "ddpm", generator: torch.Generator
) -> Iterator[Tensor]:
    """Yields x̂_0 (count, channels, *grid) after each step; the last are the samples.

    For the samplers see `relaxdesign.prior.steps`.
    """
    levels = prior.schedule.trailing(steps)
    noisy = draw_noise((count, *prior.field_shape), generator, prior.device)
    before: tuple[Tensor, int] | None = None
    for index, level in enumerate(levels):
        noisy = prior.symmetry.copied(noisy)
        with torch.no_grad():
            clean = prior.clean_estimate(noisy, torch.full((count,), level, device=noisy.device)).clamp(-1, 1)
        if index + 1 < steps:
            noisy = advance(prior.schedule, sampler, noisy, clean, level, levels[index + 1], before, generator)
        before = (clean, level)
        yield clean


def draw(
    prior: Prior,
    count: int,
    *,
    steps: int = 50,
    sampler: Sampler = "ddpm",
    generator: torch.Generator,
    after_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Samples (count, channels, *grid) on the CPU, in batches; ``after_step`` is called after each step of a batch."""
    drawn = []
    for start in range(0, count, BATCH):
        latest = torch.empty(0)
        for clean in sample(prior, min(BATCH, count - start), steps=steps, sampler=sampler, generator=generator):
            latest = clean
            after_step()
        drawn.append(latest.cpu())
    return torch.cat(drawn)
