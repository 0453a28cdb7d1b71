"""From one noise level to a lower one: the update formulas of the samplers.

All work in x̂_0: ``x_t = a_t x_0 + s_t ε`` with signal a_t = √ᾱ_t and noise s_t = √(1-ᾱ_t). A level is an index into
the schedule, ``following`` the next lower one.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from relaxdesign.prior.schedule import NoiseSchedule

Sampler = Literal["ddpm", "ddim", "dpm++"]


def draw_noise(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard normal, drawn on the CPU, so that a seed means the same on every device."""
    return torch.randn(shape, generator=generator).to(device)


def ancestral_step(
    schedule: NoiseSchedule, noisy: Tensor, clean: Tensor, level: int, following: int, generator: torch.Generator
) -> Tensor:
    """Draws x_s around the mean of q(x_s | x_t, x̂_0), s < t, with variance β (Ho et al. 2020, section 3.2).

    Of the two variances proposed there the larger one: it allows for x_0 being uncertain. With the smaller one a
    good tenth of the samples from 50 steps lose the contrast between their phases, measured on the 2D prior.
    """
    kept_t, kept_s = (float(schedule.signal[i]) ** 2 for i in (level, following))
    ratio = kept_t / kept_s
    beta = 1 - ratio
    mean = math.sqrt(kept_s) * beta / (1 - kept_t) * clean + math.sqrt(ratio) * (1 - kept_s) / (1 - kept_t) * noisy
    return mean + math.sqrt(beta) * draw_noise(tuple(noisy.shape), generator, noisy.device)


def ddim_step(schedule: NoiseSchedule, noisy: Tensor, clean: Tensor, level: int, following: int) -> Tensor:
    """x_s = a_s x̂_0 + s_s ε̂ with the noise ε̂ that x_t and x̂_0 imply: no new noise (Song et al. 2021, eq. 12)."""
    noise = (noisy - float(schedule.signal[level]) * clean) / float(schedule.noise[level])
    return float(schedule.signal[following]) * clean + float(schedule.noise[following]) * noise


def multistep(
    schedule: NoiseSchedule,
    noisy: Tensor,
    clean: Tensor,
    level: int,
    following: int,
    before: tuple[Tensor, int] | None,
) -> Tensor:
    """DPM-Solver++(2M): `ddim_step` with x̂_0 extrapolated from the previous step (Lu et al. 2022, algorithm 2).

    before: x̂_0 and level of the previous step; None, or a level without signal, gives the first-order step.
    """
    if before is not None and float(schedule.signal[before[1]]) > 0:
        earlier, now, then = (_half_log_snr(schedule, i) for i in (before[1], level, following))
        clean = clean + (then - now) / (2 * (now - earlier)) * (clean - before[0])
    return ddim_step(schedule, noisy, clean, level, following)


def renoise(schedule: NoiseSchedule, noisy: Tensor, level: int, target: int, generator: torch.Generator) -> Tensor:
    """Draws x_t from q(x_t | x_s), back up to the noisier level ``target``, for recurrence."""
    ratio = float(schedule.signal[target] ** 2 / schedule.signal[level] ** 2)
    return math.sqrt(ratio) * noisy + math.sqrt(1 - ratio) * draw_noise(tuple(noisy.shape), generator, noisy.device)


def _half_log_snr(schedule: NoiseSchedule, level: int) -> float:
    return math.log(float(schedule.signal[level]) / float(schedule.noise[level]))


def advance(
    schedule: NoiseSchedule,
    sampler: Sampler,
    noisy: Tensor,
    clean: Tensor,
    level: int,
    following: int,
    before: tuple[Tensor, int] | None,
    generator: torch.Generator,
) -> Tensor:
    """x at the following level, by the sampler's formula."""
    if sampler == "ddpm":
        return ancestral_step(schedule, noisy, clean, level, following, generator)
    if sampler == "ddim":
        return ddim_step(schedule, noisy, clean, level, following)
    return multistep(schedule, noisy, clean, level, following, before)
