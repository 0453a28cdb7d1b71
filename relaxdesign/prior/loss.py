"""The training objective, and what a conditional network is told in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from relaxdesign.materials.channels import Channels
from relaxdesign.physics.fem import bulk_modulus
from relaxdesign.prior.model import decode_fields, predict_clean
from relaxdesign.prior.schedule import NoiseSchedule

LARGEST_WEIGHT = 10.0
UNTOLD = 0.1
"""Share of the cells of which a conditional network is not told K: so it learns both (classifier-free)."""

_TOLERANCE = 1e-3
_LEAST_LIKELY = 1e-6


def denoising_loss(
    network: nn.Module,
    schedule: NoiseSchedule,
    clean: Tensor,
    generator: torch.Generator,
    told: Tensor | None = None,
    *,
    binary: bool = False,
) -> Tensor:
    """Weighted squared error of x̂_0 at one random noise level per cell, stratified over the batch.

    The weight min(SNR + 1, γ) is that of v-prediction up to a limit (Hang et al. 2023, arXiv 2303.09556): near t = 0
    the voxels of the interface would otherwise outweigh everything else.

    told: see `UNet.paint`. binary: cells are ±1, and x̂_0 tells how likely each is; then their cross-entropy, the mean
    of -ln((1 + x_0 x̂_0) / 2), with no weights.
    """
    batch = clean.shape[0]
    offset = torch.rand(1, generator=generator)
    t = (((torch.arange(batch) / batch + offset) % 1) * schedule.steps).long().clamp_max(schedule.steps - 1)
    t = t.to(clean.device)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    predicted = predict_clean(network, schedule, schedule.add_noise(clean, noise, t), t, told)
    if binary:
        return -(0.5 + 0.5 * clean * predicted.float()).clamp_min(_LEAST_LIKELY).log().mean()
    weight = (1 / schedule.noise.square()).clamp_max(LARGEST_WEIGHT).to(clean.device, torch.float32)[t]
    return (weight * (predicted.float() - clean).square().flatten(1).mean(1)).mean()


@torch.no_grad()
def validation_loss(
    network: nn.Module, schedule: NoiseSchedule, clean: Tensor, told: Tensor | None, seed: int, *, binary: bool = False
) -> float:
    """Mean loss of held-out cells, always with the same noise."""
    generator = torch.Generator().manual_seed(seed)
    conditions = [None] * len(clean) if told is None else told.split(32)
    parts = [
        denoising_loss(network, schedule, part, generator, condition, binary=binary)
        for part, condition in zip(clean.split(32), conditions, strict=False)
    ]
    return float(torch.stack(parts).mean())


def log_bulk_of(channels: Channels, clean: Tensor) -> Tensor:
    """ln K (GPa) of relaxed fields (batch,); NaN where the solver failed, which counts as not told."""
    properties = decode_fields(channels, clean)
    result = bulk_modulus(properties.bulk, properties.shear, tol=_TOLERANCE, raise_on_failure=False)
    return result.value.log().to(clean.dtype)


def forget(log_bulk: Tensor, generator: torch.Generator) -> Tensor:
    """Replaces a tenth of the values by NaN."""
    keep = torch.rand(len(log_bulk), generator=generator) >= UNTOLD
    return torch.where(keep.to(log_bulk.device), log_bulk, math.nan)
