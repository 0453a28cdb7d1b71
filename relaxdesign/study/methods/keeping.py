"""The best design so far of each candidate, for searches of which single proposals may fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from relaxdesign.prior.model import Prior
from relaxdesign.study.guidance import Candidates, SamplerStep, failures
from relaxdesign.study.objectives import Objectives


@dataclass
class BestDesigns:
    """Keeps the best field of each candidate.

    fields: (count, channels, *grid), 0 as long as a candidate has none. losses: of these fields, (count,). messages: by
    candidate, the reason why its last failed proposal failed.
    """

    fields: Tensor
    losses: Tensor
    messages: dict[int, str]

    @staticmethod
    def of(count: int, prior: Prior) -> BestDesigns:
        """Before the first proposals."""
        return BestDesigns(torch.zeros(count, *prior.field_shape), torch.full((count,), torch.inf), {})

    def offer(self, fields: Tensor, losses: Tensor, messages: Mapping[int, str]) -> None:
        """Keeps what is better than before. losses: (count,), ∞ of proposals that failed; messages: why they did."""
        better = losses < self.losses
        self.fields[better], self.losses[better] = fields[better], losses[better]
        self.messages |= messages

    def last_step(self, prior: Prior, objectives: Objectives, steps: int) -> SamplerStep:
        """The kept designs, solved accurately; a candidate that has none is dropped with its last message."""
        candidates = Candidates.of(len(self.losses))
        without = (~self.losses.isfinite()).nonzero().flatten().tolist()
        left = candidates.drop({i: self.messages.get(i, "no design could be simulated") for i in without})
        objectives.keep(left)
        clean = self.fields[left]
        if not len(clean):
            return candidates.step(steps, steps, 0.0, clean, None)
        evaluation = objectives.evaluate(prior, clean, finished=True)
        survivors = candidates.drop(failures(clean, evaluation))
        return candidates.step(steps, steps, 0.0, clean[survivors], evaluation.select(survivors))
