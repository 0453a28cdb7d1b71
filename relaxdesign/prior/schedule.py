"""Noise schedule of the prior: linear β, rescaled to zero terminal SNR.

``x_t = √ᾱ_t x_0 + √(1-ᾱ_t) ε`` with Gaussian ε (Ho et al. 2020, arXiv 2006.11239). The
rescaling makes x_T pure noise, so that sampling starts where training ended, and "trailing" spacing
always visits T (Lin et al. 2024, arXiv 2305.08891).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseSchedule:
    """``steps`` training steps with β rising linearly from ``beta_start`` to ``beta_end``."""

    steps: int = 1000
    beta_start: float = 1e-5
    beta_end: float = 1e-2

    @cached_property
    def signal(self) -> Tensor:
        """√ᾱ_t for t = 0 … steps-1, float64; the last entry is 0."""
        root = (1 - torch.linspace(self.beta_start, self.beta_end, self.steps, dtype=torch.float64)).cumprod(0).sqrt()
        return (root - root[-1]) * root[0] / (root[0] - root[-1])

    @cached_property
    def noise(self) -> Tensor:
        """√(1-ᾱ_t), float64."""
        return (1 - self.signal.square()).sqrt()

    def coefficients(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """(√ᾱ_t, √(1-ᾱ_t)) shaped to broadcast with ``like`` (batch first). t: (batch,)."""
        shape = (-1,) + (1,) * (like.ndim - 1)
        return (
            self.signal.to(like.device, like.dtype)[t].view(shape),
            self.noise.to(like.device, like.dtype)[t].view(shape),
        )

    def add_noise(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        signal, sigma = self.coefficients(t, clean)
        return signal * clean + sigma * noise

    def trailing(self, count: int) -> list[int]:
        """``count`` sampling steps, from steps-1 downwards, evenly spaced ("trailing")."""
        if not 1 <= count <= self.steps:
            raise ValueError(f"sampling steps must lie between 1 and {self.steps}, got {count}")
        return [round(self.steps - i * self.steps / count) - 1 for i in range(count)]
