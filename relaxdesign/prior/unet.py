"""The denoiser: a U-Net for periodic cells in 2D and 3D with a phase-pooling head.

Three choices differ from a plain image U-Net, each because of what the fields are:

* convolutions wrap around, as the unit cell does: the network commutes with translations by
  multiples of its coarsest stride;
* 2×2(×2) voxels enter as one patch: guidance pays for a forward and a backward pass at each step;
* the head paints phases with materials. Inside a phase the field is one constant under noise, and the best
  estimate of a constant is a mean over the whole phase. The head predicts soft labels per voxel and pools input
  and features over each label to one measured value and its uncertainty. The constant is one of the materials
  of a catalogue, so the posterior mean over these materials, Bayes' rule in closed form, is what gets painted:
  far from the end of the sampling a blend of many materials, towards the end one of them. The materials are
  data of the prior, not weights: another catalogue can be put in without training (`UNet.set_materials`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

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


@dataclass(frozen=True)
class UNetConfig:
    """dim: 2 or 3. patch: voxels per edge that enter as one. widths: channels per resolution, finest first.

    conditional: whether the network can be told ln K of the cell it shall make.
    """

    dim: int = 2
    channels: int = 3
    patch: int = 2
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 1
    heads: int = 4
    labels: int = 3
    conditional: bool = False

    def to_dict(self) -> dict:
        return asdict(self) | {"widths": list(self.widths)}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> UNetConfig:
        settings: dict[str, Any] = dict(values, widths=tuple(values["widths"]))
        return UNetConfig(**settings)


class UNet(nn.Module):
    """Predicts the clean field x̂_0 from (x_t, t)."""

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        dim, widths, embedding = config.dim, config.widths, 4 * config.widths[0]
        self.time = nn.Sequential(
            nn.Linear(config.widths[0], embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        if config.conditional:
            self.condition = nn.Sequential(nn.Linear(2, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
            _start_at_zero(self.condition[-1])
        voxels = config.patch**dim
        self.enter = _conv(dim, config.channels * voxels, widths[0])
        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        skips = [widths[0]]
        for level, width in enumerate(widths):
            stage = nn.ModuleList()
            for _ in range(config.blocks):
                stage.append(ResidualBlock(dim, skips[-1], width, embedding))
                skips.append(width)
            self.down.append(stage)
            if level < len(widths) - 1:
                self.shrink.append(_conv(dim, width, width, stride=2))
                skips.append(width)
        self.middle = nn.ModuleList(
            [
                ResidualBlock(dim, widths[-1], widths[-1], embedding),
                Attention(widths[-1], config.heads),
                ResidualBlock(dim, widths[-1], widths[-1], embedding),
            ]
        )
        self.up = nn.ModuleList()
        self.grow = nn.ModuleList()
        current = widths[-1]
        for level, width in reversed(list(enumerate(widths))):
            stage = nn.ModuleList()
            for _ in range(config.blocks + 1):
                stage.append(ResidualBlock(dim, current + skips.pop(), width, embedding))
                current = width
            self.up.append(stage)
            if level:
                self.grow.append(_conv(dim, width, widths[level - 1], kernel=1))
                current = widths[level - 1]
        self.leave = nn.Sequential(nn.GroupNorm(8, widths[0]), nn.SiLU(), _conv(dim, widths[0], config.labels * voxels))
        self.head = PhasePainting(config, widths[0], embedding)

    def set_materials(self, values: Tensor, weights: Tensor) -> None:
        """The materials that phases are made of.

        values: channel values (materials, channels). weights: how often each is drawn, (materials,).
        """
        like = self.head.materials
        self.head.materials = values.to(like.device, like.dtype)
        self.head.log_weights = (weights / weights.sum()).log().to(like.device, like.dtype)

    def forward(self, noisy: Tensor, t: Tensor, signal: Tensor, log_bulk: Tensor | None = None) -> Tensor:
        """x̂_0 of shape (batch, channels, *grid); for the arguments see `paint`."""
        painting = self.paint(noisy, t, signal, log_bulk)
        # In full precision also in mixed-precision training: materials differ by less than bfloat16 resolves.
        with torch.autocast(noisy.device.type, enabled=False):
            return painting.field()

    def paint(self, noisy: Tensor, t: Tensor, signal: Tensor, log_bulk: Tensor | None = None) -> Painting:
        """The phases of the clean field and what they may be made of.

        noisy: x_t (batch, channels, *grid); every grid edge divisible by patch · 2^(levels-1). t: (batch,) in (0, 1].
        signal: (batch,) √ᾱ_t. log_bulk: (batch,) ln K (GPa) for a conditional network; NaN or None: not told.
        """
        config = self.config
        embedding = self.time(_sinusoids(t, config.widths[0]))
        if config.conditional:
            log_bulk = torch.full_like(t, math.nan) if log_bulk is None else log_bulk
            told = ~log_bulk.isnan()
            scaled = torch.where(told, (log_bulk - TYPICAL_LOG_BULK) / LOG_BULK_SPREAD, 0.0)
            embedding = embedding + self.condition(torch.stack((scaled, told.to(scaled.dtype)), 1))
        x = self.enter(_to_patches(noisy, config.patch))
        skips = [x]
        for level, stage in enumerate(self.down):
            for block in stage.children():
                x = block(x, embedding)
                skips.append(x)
            if level < len(self.shrink):
                x = self.shrink[level](x)
                skips.append(x)
        first, attention, last = self.middle
        x = last(attention(first(x, embedding)), embedding)
        for level, stage in enumerate(self.up):
            for block in stage.children():
                x = block(torch.cat((x, skips.pop()), 1), embedding)
            if level < len(self.grow):
                x = F.interpolate(self.grow[level](x), scale_factor=2.0, mode="nearest")
        logits = _from_patches(self.leave(x), config.patch, config.dim)
        with torch.autocast(noisy.device.type, enabled=False):
            return self.head(noisy, x, logits, embedding, signal)


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

    def __init__(self, config: UNetConfig, width: int, embedding: int):
        super().__init__()
        self.patch, self.dim = config.patch, config.dim
        pooled = config.channels + width + 1
        self.correction = nn.Sequential(
            nn.Linear(pooled + embedding, 192),
            nn.SiLU(),
            nn.Linear(192, 192),
            nn.SiLU(),
            nn.Linear(192, 2 * config.channels),
        )
        # Buffers that are saved aside: another catalogue has another number of rows.
        self.register_buffer("materials", torch.zeros(1, config.channels), persistent=False)
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


class ResidualBlock(nn.Module):
    """GroupNorm–SiLU–conv twice, with scale and shift from the time embedding in between."""

    def __init__(self, dim: int, inputs: int, outputs: int, embedding: int):
        super().__init__()
        self.norm_in = nn.GroupNorm(8, inputs)
        self.conv_in = _conv(dim, inputs, outputs)
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm_out = nn.GroupNorm(8, outputs)
        self.conv_out = _conv(dim, outputs, outputs)
        self.skip = nn.Identity() if inputs == outputs else _conv(dim, inputs, outputs, kernel=1)
        _start_at_zero(self.conv_out)
        _start_at_zero(self.modulation)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding).view((x.shape[0], -1) + (1,) * (x.ndim - 2)).chunk(2, 1)
        h = self.conv_in(F.silu(self.norm_in(x)))
        h = self.conv_out(F.silu(torch.addcmul(shift, self.norm_out(h), 1 + scale)))
        return self.skip(x) + h


class Attention(nn.Module):
    """Self-attention over all positions of the coarsest level."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        _start_at_zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (batch, positions, width)
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.out(mixed).transpose(1, 2).reshape(x.shape)


def _conv(dim: int, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d | nn.Conv3d:
    kind = nn.Conv2d if dim == 2 else nn.Conv3d
    return kind(
        inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode="circular" if kernel > 1 else "zeros"
    )


def _start_at_zero(layer: nn.Module) -> None:
    """Makes a residual branch the identity at the start of training."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _sinusoids(t: Tensor, width: int) -> Tensor:
    frequency = torch.exp(-math.log(10_000) * torch.arange(width // 2, device=t.device) / (width // 2))
    angle = 1000 * t[:, None] * frequency
    return torch.cat((angle.sin(), angle.cos()), 1)


def _to_patches(x: Tensor, patch: int) -> Tensor:
    """(batch, c, *grid) -> (batch, c·patch^dim, *grid/patch)."""
    batch, channels, *grid = x.shape
    dim = len(grid)
    x = x.view(batch, channels, *(n for edge in grid for n in (edge // patch, patch)))
    inner, outer = [3 + 2 * i for i in range(dim)], [2 + 2 * i for i in range(dim)]
    return x.permute(0, 1, *inner, *outer).reshape(batch, channels * patch**dim, *(edge // patch for edge in grid))


def _from_patches(x: Tensor, patch: int, dim: int) -> Tensor:
    """The inverse of ``_to_patches``."""
    batch, _, *coarse = x.shape
    x = x.reshape(batch, -1, *(patch,) * dim, *coarse)
    order = [axis for i in range(dim) for axis in (2 + dim + i, 2 + i)]
    return x.permute(0, 1, *order).reshape(batch, -1, *(edge * patch for edge in coarse))
