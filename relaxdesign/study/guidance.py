"""Guided sampling from the prior: training-free guidance with Gauss–Newton steps.

Follows TFG (Ye et al. 2024, arXiv 2409.15761, algorithm 1): at each step the clean estimate x̂_0 is
predicted, the objectives are linearised there, and the sample is corrected on x̂_0 ("mean guidance") and on x_t
through the network ("variance guidance"); each level can be repeated. The first meets the targets; the second keeps
to shapes and materials that the prior knows, so that less is lost when designs are snapped. It is taken by half: all of
it makes the particles of soft 3D cells vanish, or touch in a softer matrix, which no fresh placement repeats
(docs/results.md).

Two things make the sampled field the discrete design it stands for. The objectives are taken of a *crisp* reading of
x̂_0, in which each voxel belongs to one phase almost: at the voxels between two phases a mean of both is what the
denoiser must answer, but no material. And at a low noise level each candidate is *committed* to the likeliest materials
of its phases: a target that is met by a blend of materials afterwards would be lost when the nearest is taken, while
shapes can still answer for it.

The first, noisiest levels are not steered. As long as the phases are not apart, a step towards the targets is the same
for every voxel, and for every candidate: towards stiff targets both phases would become nearly equal materials, often
the same ones.

The size of a correction is not tuned. With residuals r of the targets and gradients G the
smallest change that meets the linearised targets is  δ = −Gᵀ (G Gᵀ)⁻¹ r. Quantities to minimise move in
the null space of the targets only, so they cannot push a target off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from relaxdesign.prior.model import Prior
from relaxdesign.prior.steps import advance, draw_noise, renoise
from relaxdesign.study.objectives import Evaluation, Linearisation, Objectives
from relaxdesign.study.request import GuidanceSettings

_CLOSED = 2e-3
"""Residual at which a target counts as met by a finished field."""
_LAST_STEPS = 12
"""Most additional steps on finished fields."""


@dataclass
class Candidates:
    """Which candidates of a batch are left, and why the others were dropped.

    alive: (batch,) bool over the original batch. messages: by position in it.
    """

    alive: Tensor
    messages: dict[int, str]

    @staticmethod
    def of(count: int) -> Candidates:
        """A batch of which none is dropped."""
        return Candidates(torch.ones(count, dtype=torch.bool), {})

    def drop(self, failed: Mapping[int, str]) -> Tensor:
        """Drops failed candidates for good; failed: why, by position among those that were left.

        Returns a mask (those that were left,) bool of the ones that go on.
        """
        positions = self.alive.nonzero().flatten().tolist()
        self.messages |= {positions[i]: text for i, text in failed.items()}
        self.alive[[positions[i] for i in failed]] = False
        return torch.tensor([i not in failed for i in range(len(positions))], dtype=torch.bool)

    def step(
        self, index: int, steps: int, noise_level: float, clean: Tensor, evaluation: Evaluation | None
    ) -> SamplerStep:
        """The state after a step, with the fields and their evaluation of those that are left."""
        known = evaluation if len(clean) else None
        return SamplerStep(index, steps, noise_level, clean, known, self.alive.clone(), dict(self.messages))


@dataclass(frozen=True)
class SamplerStep:
    """State after one denoising step of a batch.

    index: 1 … steps. steps: how many there are. noise_level: √(1-ᾱ) of the level that was left.
    clean: x̂_0 (batch, 3, *grid) read crisply, the estimate the evaluation belongs to. evaluation: None when none is
    left.
    alive: (batch,) bool over the original batch; clean holds only these. messages: why others were dropped.
    """

    index: int
    steps: int
    noise_level: float
    clean: Tensor
    evaluation: Evaluation | None
    alive: Tensor
    messages: dict[int, str]


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
    """Draws ``count`` samples steered by ``objectives``, yielding after each step.

    start: a field (channels, *grid) and the noise level to which it is taken first (Meng et al. 2022, SDEdit,
    arXiv 2108.01073), or the lowest one that the steps pass if that is higher; None: from pure noise. The last yielded
    ``clean`` holds the finished samples. A candidate whose field becomes non-finite or whose homogenisation fails is
    dropped with a message, the others go on.
    """
    settings = settings or GuidanceSettings()
    sampler = settings.sampler_at(steps)
    levels = prior.schedule.trailing(steps)
    noisy = draw_noise((count, *prior.field_shape), generator, prior.device)
    first = 0
    if start is not None:
        field, start_level = start
        passed = (i for i, level in enumerate(levels) if float(prior.schedule.noise[level]) <= start_level)
        first = next(passed, steps - 1)
        signal, noise = (float(part[levels[first]]) for part in (prior.schedule.signal, prior.schedule.noise))
        noisy = signal * field.to(noisy) + noise * noisy
    before: tuple[Tensor, int] | None = None
    committed: Tensor | None = None
    candidates = Candidates.of(count)

    for index, level in enumerate(levels[first:], first):
        noise_level = float(prior.schedule.noise[level])
        steered = settings.end <= noise_level <= settings.begin
        strength = settings.strength_at(noise_level)
        following = levels[index + 1] if index + 1 < steps else None
        repeats = settings.recurrence if following is not None else 1
        for repeat in range(repeats):
            t = torch.full((len(noisy),), level, device=noisy.device)
            through_network = steered and settings.variance > 0 and following is not None
            with torch.set_grad_enabled(through_network):
                noisy.requires_grad_(through_network)
                painting = prior.paint(noisy, t)
                if committed is None and first < index and noise_level <= settings.commit:
                    committed = painting.likeliest()
                if committed is not None:
                    painting = painting.restrict(committed)
                crisp = painting.field(settings.sharpness).clamp(-1, 1)
            clean, shown = painting.field().detach().clamp(-1, 1), crisp.detach()
            shift_noisy, shift_clean = torch.zeros_like(shown), torch.zeros_like(shown)
            evaluation = objectives.evaluate(prior, shown)  # also where it does not steer: it is shown
            if through_network:
                pulled = pull_back(evaluation.linearisation, crisp, noisy)
                shift_noisy = strength * settings.variance * clip_step(step_direction(pulled), settings.clip)
            if steered:
                shift_clean = strength * _mean_guidance(prior, objectives, shown, evaluation, settings)
            noisy = noisy.detach()
            if failed := failures(shown, evaluation):
                survivors = candidates.drop(failed)
                noisy, clean, shown, shift_clean, shift_noisy = (
                    x[survivors] for x in (noisy, clean, shown, shift_clean, shift_noisy)
                )
                committed = committed if committed is None else committed[survivors]
                before = before and (before[0][survivors], before[1])
                objectives.keep(survivors)
                evaluation = evaluation.select(survivors)
            if following is None:
                noisy = (shown + shift_clean).clamp(-1, 1)
            else:
                noisy = advance(prior.schedule, sampler, noisy, clean, level, following, before, generator)
                signal = float(prior.schedule.signal[following])
                noisy = noisy + shift_noisy + signal * shift_clean
                if repeat < repeats - 1:
                    noisy = renoise(prior.schedule, noisy, following, level, generator)
        before = (clean, level)
        if following is None and len(noisy):
            # What is returned is the corrected field, so it is what must be reported.
            shown, evaluation = _close_gaps(prior, objectives, noisy, settings)
            survivors = candidates.drop(failures(shown, evaluation))
            noisy, shown, evaluation = noisy[survivors], shown[survivors], evaluation.select(survivors)
        reached = 0.0 if following is None else float(prior.schedule.noise[following])
        yield candidates.step(index + 1, steps, reached, shown, evaluation)
        if not len(noisy):
            return


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


def step_direction(linearisation: Linearisation) -> Tensor:
    """−Gᵀ(GGᵀ + ε W⁻¹)⁻¹ r for the targets plus, in their null space, a descent of the minimised quantities.

    Returns (batch, *field). ε is 1e-6 of the Gram matrix' trace: parallel gradients share the step, by the weights W
    of their targets, instead of blowing it up.
    """
    targets = linearisation.target_gradient.flatten(2)  # (batch, targets, n)
    gram = targets @ targets.mT
    trace = gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(1e-30)
    gram = gram + 1e-6 * trace[:, None, None] * torch.diag(1.0 / linearisation.target_weight)
    step = -(targets.mT @ torch.linalg.solve(gram, linearisation.target_residual[..., None])).squeeze(-1)
    minimised = linearisation.minimise_gradient.flatten(2)
    if minimised.shape[1]:
        scale = linearisation.minimise_rate / minimised.square().sum(-1).clamp_min(1e-30)
        descent = -(scale[..., None] * minimised).sum(1)
        into_targets = torch.linalg.solve(gram, targets @ descent[..., None])
        step = step + descent - (targets.mT @ into_targets).squeeze(-1)
    return step.view(linearisation.target_gradient[:, 0].shape)


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


def pull_back(linearisation: Linearisation, clean: Tensor, noisy: Tensor) -> Linearisation:
    """Gradients with respect to x_t: one backward pass through the network per objective."""

    def pull(gradients: Tensor) -> Tensor:
        parts = [
            torch.autograd.grad(clean, noisy, gradients[:, i], retain_graph=True)[0] for i in range(gradients.shape[1])
        ]
        return torch.stack(parts, 1) if parts else gradients

    return replace(
        linearisation,
        target_gradient=pull(linearisation.target_gradient),
        minimise_gradient=pull(linearisation.minimise_gradient),
    )


def clip_step(step: Tensor, limit: float) -> Tensor:
    """Limits the root mean square of each sample's step."""
    size = step.flatten(1).square().mean(1).sqrt().view((-1,) + (1,) * (step.ndim - 1))
    return step * (limit / size.clamp_min(limit))


def failures(clean: Tensor, evaluation: Evaluation) -> dict[int, str]:
    """Why candidates cannot go on, by position: their homogenisation failed or their field is not finite."""
    failed = dict(evaluation.messages)
    for i in (~torch.isfinite(clean).flatten(1).all(1)).nonzero().flatten().tolist():
        failed[i] = "the denoised field became non-finite; lower the guidance weights or use another seed"
    return failed
