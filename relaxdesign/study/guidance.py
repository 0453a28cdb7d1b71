"""What several searches share: the Gauss–Newton step towards the objectives, and the candidates of a batch.

With residuals r of the targets and gradients G, the smallest change of a field that meets the linearised targets is

    δ = −Gᵀ (G Gᵀ)⁻¹ r,

so no step size has to be tuned. Quantities to minimise move in the null space of G only and cannot push a target off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from relaxdesign.study.objectives import Evaluation, Linearisation


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
