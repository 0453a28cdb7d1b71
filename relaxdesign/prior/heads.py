"""What surrounds the U-Net: how it is told what to make, and the heads that say what it sees.

The head that paints phases with materials: inside a phase the field is one constant under noise, and the best estimate
of a constant is a mean over the whole phase. It predicts soft labels per voxel and pools input and features over each
label to one measured value and its uncertainty. The constant is one of the materials of a catalogue, so the posterior
mean over these materials, Bayes' rule in closed form, is what gets painted: far from the end of the sampling a blend of
many materials, towards the end one of them. The materials are data of the prior, not weights: another catalogue can be
put in without training (`relaxdesign.prior.unet.UNet.set_materials`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TYPICAL_LOG_BULK, LOG_BULK_SPREAD = 4.1, 1.2  # mean and deviation of ln K (GPa) of random composites

SMALLEST_DEVIATION = 2e-3
"""Channel units (1 % in K): materials nearer than this are not told apart, and gradients stay finite."""

EVIDENCE = 0.2
"""Weight of a voxel's own likelihood in its label, which the network has seen as well.

Without it, voxels at interfaces stay blends: phases are half as flat. Training would choose 0.8 to 1.1, the best for a
single estimate; but then voxels that went astray early in the sampling cannot be put right by their neighbours, and a
tenth of the samples has no clear particles."""

PRESENT = 0.02
"""Least share of the cell for a label to count as a phase."""


class ToldBulk(nn.Sequential):
    """What ln K (batch,) adds to the embedding of the time."""

    def __init__(self, embedding: int):
        super().__init__(nn.Linear(2, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        start_at_zero(self[-1])

    def forward(self, log_bulk: Tensor) -> Tensor:
        told = ~log_bulk.isnan()
        scaled = torch.where(told, (log_bulk - TYPICAL_LOG_BULK) / LOG_BULK_SPREAD, 0.0)
        return super().forward(torch.stack((scaled, told.to(scaled.dtype)), 1))


class ToldClass(nn.Embedding):
    """What a class (batch,) adds to the embedding of the time; the first row is that of none."""

    def __init__(self, classes: int, embedding: int):
        super().__init__(1 + classes, embedding)
        start_at_zero(self)

    def forward(self, told: Tensor) -> Tensor:
        return super().forward((told + 1).nan_to_num(0.0).long())


@dataclass(frozen=True)
class PhaseMap:
    """Of two given phases, how likely every voxel is the second. logits: (batch, 1, *grid)."""

    logits: Tensor

    def field(self, sharpness: float = 1.0) -> Tensor:
        """Its expectation, -1 for the first phase and 1 for the second, (batch, 1, *grid).

        sharpness: exponent of the probabilities.
        """
        return torch.tanh(0.5 * sharpness * self.logits)

    def likeliest(self) -> Tensor:
        """See `Painting.likeliest`: there is nothing to choose, (batch, 0)."""
        return torch.ones(len(self.logits), 0, dtype=torch.bool, device=self.logits.device)

    def restrict(self, allowed: Tensor) -> PhaseMap:
        """See `Painting.restrict`."""
        return self


@dataclass(frozen=True)
class Painting:
    """A cell as its phases: which voxel belongs to which label, which material each label is.

    noisy: x_t (batch, channels, *grid). signal: (batch,) √ᾱ_t. logits: the network's labels (batch, labels, *grid).
    materials: channel values (materials, channels). log_posterior: of each label's material, up to a constant,
    (batch, labels, materials).
    """

    noisy: Tensor
    signal: Tensor
    logits: Tensor
    materials: Tensor
    log_posterior: Tensor

    @cached_property
    def values(self) -> Tensor:
        """Posterior mean of each label's channels, (batch, labels, channels)."""
        return self.log_posterior.softmax(-1) @ self.materials

    @cached_property
    def label_logits(self) -> Tensor:
        """Of the network and of each voxel's own likelihood, (batch, labels, *grid)."""
        return self.logits + EVIDENCE * _log_likelihood(self.noisy, self.values, self.signal)

    def field(self, sharpness: float = 1.0) -> Tensor:
        """x̂_0 (batch, channels, *grid).

        sharpness: exponent of the labels' probabilities; 1: the denoiser's estimate, large: each voxel one phase.
        """
        labels = (sharpness * self.label_logits).softmax(1)
        return torch.einsum("bl...,blc->bc...", labels, self.values)

    def likeliest(self) -> Tensor:
        """The likeliest material of every phase that is there, (batch, materials) bool."""
        present = self.label_logits.softmax(1).flatten(2).mean(2) > PRESENT
        best = F.one_hot(self.log_posterior.argmax(-1), len(self.materials)).bool()
        return (best & present[..., None]).any(1)

    def restrict(self, allowed: Tensor) -> Painting:
        """The same phases made of these materials only, (batch, materials) bool."""
        return replace(self, log_posterior=self.log_posterior.masked_fill(~allowed[:, None], -math.inf))


class PhasePainting(nn.Module):
    """Soft labels -> input and features pooled per label -> posterior over the materials."""

    materials: Tensor
    log_weights: Tensor

    def __init__(self, dim: int, channels: int, patch: int, width: int, embedding: int):
        super().__init__()
        self.patch, self.dim = patch, dim
        pooled = channels + width + 1
        self.correction = nn.Sequential(
            nn.Linear(pooled + embedding, 192),
            nn.SiLU(),
            nn.Linear(192, 192),
            nn.SiLU(),
            nn.Linear(192, 2 * channels),
        )
        # Buffers that are saved aside: another catalogue has another number of rows.
        self.register_buffer("materials", torch.zeros(1, channels), persistent=False)
        self.register_buffer("log_weights", torch.zeros(1), persistent=False)

    def forward(self, noisy: Tensor, features: Tensor, logits: Tensor, embedding: Tensor, signal: Tensor) -> Painting:
        logits = logits.to(noisy.dtype)
        labels = logits.softmax(1)  # (batch, labels, *grid)
        coarse = F.avg_pool2d(labels, self.patch) if self.dim == 2 else F.avg_pool3d(labels, self.patch)
        share = labels.flatten(2).mean(2)[..., None]  # (batch, labels, 1)
        mean_input = _pool(labels, noisy) / (share + 1e-3)
        mean_feature = _pool(coarse, features.to(noisy.dtype)) / (share + 1e-3)
        context = embedding.to(noisy.dtype)[:, None].expand(-1, labels.shape[1], -1)
        shift, spread = self.correction(torch.cat((mean_input, mean_feature, share, context), -1)).chunk(2, -1)
        # x_t / √ᾱ_t averaged over a phase is almost its value, save at the noisiest levels.
        gain = (signal / (signal.square() + 0.01))[:, None, None]
        voxels = labels[0, 0].numel()
        effective = share.square() * voxels / labels.flatten(2).square().mean(2)[..., None].clamp_min(1e-6)
        deviation = ((1 - signal.square()).sqrt() / (signal.square() + 0.01).sqrt())[:, None, None]
        deviation = deviation / effective.clamp_min(1.0).sqrt() * spread.clamp(-5, 5).exp() + SMALLEST_DEVIATION
        log_posterior = self.log_posterior(gain * mean_input + shift, deviation)
        return Painting(noisy, signal, logits, self.materials, log_posterior)

    def log_posterior(self, measured: Tensor, deviation: Tensor) -> Tensor:
        """Of the materials given a measured value with Gaussian error, (batch, labels, materials)."""
        distance = ((measured[:, :, None] - self.materials) / deviation[:, :, None]).square().sum(-1)
        return self.log_weights - 0.5 * distance


def _log_likelihood(noisy: Tensor, values: Tensor, signal: Tensor) -> Tensor:
    """ln p(x_t | label) of every voxel, up to what all labels share: (batch, labels, *grid).

    noisy: (batch, c, *grid). values: of each label, (batch, labels, c). signal: (batch,) √ᾱ_t.
    """
    signal = signal[:, None, None]
    product = torch.einsum("blc,bcx->blx", values, noisy.flatten(2))
    log_likelihood = (signal * product - signal.square() * values.square().sum(-1, keepdim=True) / 2) / (
        1 - signal.square()
    )
    return log_likelihood.unflatten(2, noisy.shape[2:])


def _pool(labels: Tensor, field: Tensor) -> Tensor:
    """Mean over the cell of labels × field: (batch, l, *grid), (batch, c, *grid) -> (batch, l, c)."""
    return torch.einsum("blx,bcx->blc", labels.flatten(2), field.flatten(2)) / field[0, 0].numel()


def start_at_zero(layer: nn.Module) -> None:
    """Makes a residual branch the identity at the start of training."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
