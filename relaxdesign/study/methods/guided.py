"""Guided sampling from the prior: training-free guidance with Gauss–Newton steps.

Follows TFG (Ye et al. 2024, arXiv 2409.15761, algorithm 1). At each noise level the clean estimate x̂_0 is predicted
and the objectives are linearised there; the sample is corrected on x̂_0 (*mean guidance*) and on x_t through the network
(*variance guidance*); each level can be repeated (*recurrence*). Mean guidance meets the targets. Variance guidance
keeps to shapes and materials that the prior knows, so that less is lost when designs are snapped. It is taken by half:
all of it makes the particles of soft 3D cells vanish, or touch in a softer matrix, which no fresh placement repeats
(`relaxdesign.study.tuning`).

Two measures bring the sampled field near a discrete design. First, the objectives are evaluated on a *crisp* version of
x̂_0, in which nearly every voxel belongs to one phase: between two phases the denoiser predicts the mean of both, which
is no material. Second, at a low noise level each candidate is *committed* to the likeliest materials of its phases. A
blend of materials that meets a target loses it when the nearest material is taken; after the commitment only shapes
change to meet it.

The noisiest levels are not steered. There the phases are not separated yet, so a step towards the targets would be the
same for every voxel and every candidate: with stiff targets both phases would become nearly the same material.

The size of a correction is not tuned: it is the Gauss–Newton step of `relaxdesign.study.guidance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from relaxdesign.prior.model import Painted, Prior
from relaxdesign.prior.steps import Sampler, advance, draw_noise, renoise
from relaxdesign.study.guidance import Candidates, SamplerStep, clip_step, failures, pull_back, step_direction
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.methods.base import Task
from relaxdesign.study.objectives import Evaluation, Linearisation, Objectives
from relaxdesign.study.request import DesignRequest

_CLOSED = 2e-3
"""Residual at which a target counts as met by a finished field."""
_LAST_STEPS = 12
"""Most additional steps on finished fields."""


def steps_of(task: Task) -> Iterator[SamplerStep]:
    """`guided_sample` for a request. Raises FieldError if the microstructure that it begins from cannot be read."""
    from relaxdesign.study.start import start_field

    request, start = task.request, start_field(task.request, task.prior)
    return guided_sample(
        task.prior,
        task.objectives,
        request.count,
        steps=request.steps,
        settings=request.guidance,
        start=start,
        generator=task.generator,
    )


def passes(request: DesignRequest) -> int:
    """Passes of the network per step: one forward; variance guidance adds one back, twice as long, per objective."""
    return 1 + 2 * len(request.objectives) * bool(request.guidance.variance)


def guided_sample(
    prior: Prior,
    objectives: Objectives,
    count: int,
    *,
    steps: int,
    settings: GuidanceSettings | None = None,
    start: tuple[Tensor, float] | None = None,
    generator: torch.Generator,
) -> Iterator[SamplerStep]:
    """Draws ``count`` samples steered by ``objectives``, yielding after each step (TFG, algorithm 1).

    start: a field (channels, *grid) and the noise level to which it is taken first (Meng et al. 2022, SDEdit,
    arXiv 2108.01073), or the lowest one that the steps pass if that is higher; None: from pure noise. The last yielded
    ``clean`` holds the finished samples. A candidate whose field becomes non-finite or whose homogenisation fails is
    dropped with a message, the others go on.
    """
    settings = settings or GuidanceSettings()
    levels = prior.schedule.trailing(steps)
    first, noisy = _begin(prior, levels, count, start, generator)
    batch = _Batch(noisy, Candidates.of(count))
    for index, level in enumerate(levels[first:-1], first):
        following = levels[index + 1]
        for repeat in range(settings.recurrence):
            if repeat:
                batch.noisy = renoise(prior.schedule, batch.noisy, following, level, generator)
            estimate = _estimate(prior, objectives, batch, level, settings, may_commit=index > first)
            _advance(prior, batch, estimate, level, following, settings.sampler_at(steps), generator)
        batch.before = estimate.clean, level
        noise_level = float(prior.schedule.noise[following])
        yield batch.candidates.step(index + 1, steps, noise_level, estimate.crisp, estimate.evaluation)
        if not len(batch.noisy):
            return
    shown, evaluation = _finish(prior, objectives, batch, levels[-1], settings, may_commit=first < steps - 1)
    yield batch.candidates.step(steps, steps, 0.0, shown, evaluation)


@dataclass
class _Batch:
    """The samples that are left, and what belongs to each of them.

    noisy: x_t (batch, channels, *grid). before: x̂_0 of the previous level, and that level. committed: materials that
    each keeps to, None as long as they are free.
    """

    noisy: Tensor
    candidates: Candidates
    before: tuple[Tensor, int] | None = None
    committed: Tensor | None = None

    def keep(self, survivors: Tensor) -> None:
        """Drops the other samples. survivors: (batch,) bool."""
        self.noisy = self.noisy[survivors]
        if self.before is not None:
            self.before = self.before[0][survivors], self.before[1]
        if self.committed is not None:
            self.committed = self.committed[survivors]


@dataclass(frozen=True)
class _Estimate:
    """x̂_0 of a batch at one noise level, and the corrections of the guidance there.

    clean: as the denoiser answers. crisp: with each voxel nearly of one phase, what the evaluation is of.
    mean_shift: correction of x̂_0. variance_shift: correction of x_t.
    """

    clean: Tensor
    crisp: Tensor
    evaluation: Evaluation
    mean_shift: Tensor
    variance_shift: Tensor

    def select(self, keep: Tensor) -> _Estimate:
        """That of the samples in ``keep`` (batch,) bool."""
        return _Estimate(
            self.clean[keep],
            self.crisp[keep],
            self.evaluation.select(keep),
            self.mean_shift[keep],
            self.variance_shift[keep],
        )


def _begin(
    prior: Prior, levels: list[int], count: int, start: tuple[Tensor, float] | None, generator: torch.Generator
) -> tuple[int, Tensor]:
    """Position of the first level and x_t there: noise, or the start with as much noise as it is to be given."""
    noisy = draw_noise((count, *prior.field_shape), generator, prior.device)
    if start is None:
        return 0, noisy
    field, start_level = start
    passed = (i for i, level in enumerate(levels) if float(prior.schedule.noise[level]) <= start_level)
    first = next(passed, len(levels) - 1)
    signal, noise = (float(part[levels[first]]) for part in (prior.schedule.signal, prior.schedule.noise))
    return first, signal * field.to(noisy) + noise * noisy


def _estimate(
    prior: Prior,
    objectives: Objectives,
    batch: _Batch,
    level: int,
    settings: GuidanceSettings,
    *,
    may_commit: bool,
    last: bool = False,
) -> _Estimate:
    """x̂_0 and its corrections; samples that failed are dropped from the batch.

    last: no level follows, so there is no x_t to be corrected through the network.
    """
    noise_level = float(prior.schedule.noise[level])
    steered = settings.end <= noise_level <= settings.begin
    strength = settings.strength_at(noise_level)
    through_network = steered and settings.variance > 0 and not last
    batch.noisy = prior.symmetry.copied(batch.noisy)  # noise that was added since has none
    with torch.set_grad_enabled(through_network):
        batch.noisy.requires_grad_(through_network)
        painting = _paint(prior, batch, level, commit=may_commit and noise_level <= settings.commit)
        sharp = painting.field(settings.sharpness).clamp(-1, 1)
    clean, crisp = painting.field().detach().clamp(-1, 1), sharp.detach()
    mean_shift, variance_shift = torch.zeros_like(crisp), torch.zeros_like(crisp)
    evaluation = objectives.evaluate(prior, crisp)  # also where it does not steer: it is shown
    if through_network:
        pulled = pull_back(evaluation.linearisation, sharp, batch.noisy)
        variance_shift = strength * settings.variance * clip_step(step_direction(pulled), settings.clip)
    if steered:
        mean_shift = strength * _mean_guidance(prior, objectives, crisp, evaluation, settings)
    batch.noisy = batch.noisy.detach()
    estimate = _Estimate(clean, crisp, evaluation, mean_shift, variance_shift)
    if failed := failures(crisp, evaluation):
        survivors = batch.candidates.drop(failed)
        batch.keep(survivors)
        objectives.keep(survivors)
        estimate = estimate.select(survivors)
    return estimate


def _paint(prior: Prior, batch: _Batch, level: int, *, commit: bool) -> Painted:
    """x̂_0 as phases and materials. commit: whether each sample keeps its likeliest materials from this level on."""
    painting = prior.paint(batch.noisy, torch.full((len(batch.noisy),), level, device=batch.noisy.device))
    if batch.committed is None and commit:
        batch.committed = painting.likeliest()
    return painting if batch.committed is None else painting.restrict(batch.committed)


def _mean_guidance(
    prior: Prior, objectives: Objectives, clean: Tensor, evaluation: Evaluation, settings: GuidanceSettings
) -> Tensor:
    """Correction of x̂_0 accumulated over the inner iterations. evaluation: that of x̂_0."""
    shift = torch.zeros_like(clean)
    if settings.mean == 0:
        return shift
    current = evaluation
    for inner in range(settings.mean_iterations):
        if inner:
            current = objectives.evaluate(prior, (clean + shift).clamp(-1, 1))
        shift = shift + settings.mean * clip_step(step_direction(current.linearisation), settings.clip)
    return shift


def _advance(
    prior: Prior,
    batch: _Batch,
    estimate: _Estimate,
    level: int,
    following: int,
    sampler: Sampler,
    generator: torch.Generator,
) -> None:
    """x_s = S(x_t, x̂_0) + Δ_t + a_s Δ_0: the sampler's step S and the corrections Δ_t of x_t and Δ_0 of x̂_0.

    a_s = √ᾱ_s is the signal at the following level s (TFG, algorithm 1).
    """
    noisy = advance(prior.schedule, sampler, batch.noisy, estimate.clean, level, following, batch.before, generator)
    signal = float(prior.schedule.signal[following])
    batch.noisy = noisy + estimate.variance_shift + signal * estimate.mean_shift


def _finish(
    prior: Prior, objectives: Objectives, batch: _Batch, level: int, settings: GuidanceSettings, *, may_commit: bool
) -> tuple[Tensor, Evaluation]:
    """The finished fields, corrected until they meet the targets, and their evaluation."""
    estimate = _estimate(prior, objectives, batch, level, settings, may_commit=may_commit, last=True)
    finished = (estimate.crisp + estimate.mean_shift).clamp(-1, 1)
    if not len(finished):
        return estimate.crisp, estimate.evaluation
    # What is returned is the corrected field, so it is what must be reported.
    finished, evaluation = _close_gaps(prior, objectives, finished, settings)
    survivors = batch.candidates.drop(failures(finished, evaluation))
    return finished[survivors], evaluation.select(survivors)


def _close_gaps(
    prior: Prior, objectives: Objectives, clean: Tensor, settings: GuidanceSettings
) -> tuple[Tensor, Evaluation]:
    """The finished field and its evaluation, after more steps where one step on a curved target was not enough."""
    evaluation = objectives.evaluate(prior, clean, finished=True)
    guided = settings.end == 0 and settings.mean > 0
    for _ in range(_LAST_STEPS if guided else 0):
        open_ = evaluation.linearisation.target_residual.abs() > _CLOSED
        if not open_.any():
            break
        step = clip_step(_free_step(clean, evaluation.linearisation), settings.clip)
        clean = torch.where(open_.any(1).view((-1,) + (1,) * (clean.ndim - 1)), (clean + step).clamp(-1, 1), clean)
        evaluation = objectives.evaluate(prior, clean, finished=True)
    return clean, evaluation


def _free_step(clean: Tensor, linearisation: Linearisation) -> Tensor:
    """`step_direction` of the channels that are free to go there: those at the end of their range are held."""
    held = (clean.abs() == 1) & (step_direction(linearisation) * clean > 0)
    free = ~held[:, None]
    return step_direction(
        replace(
            linearisation,
            target_gradient=linearisation.target_gradient * free,
            minimise_gradient=linearisation.minimise_gradient * free,
        )
    )
