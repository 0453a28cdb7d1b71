"""The denoiser: a U-Net for periodic cells in 2D and 3D with a phase-pooling head.

Three choices differ from a plain image U-Net, each because of what the fields are:

* convolutions wrap around, as the unit cell does: the network commutes with translations by
  multiples of its coarsest stride;
* 2×2(×2) voxels enter as one patch: guidance pays for a forward and a backward pass at each step;
* the head pools over phases, see `relaxdesign.prior.heads`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relaxdesign.prior.heads import Painting, PhaseMap, PhasePainting, ToldBulk, ToldClass, start_at_zero

Head = Literal["materials", "phases"]


@dataclass(frozen=True)
class UNetConfig:
    """dim: 2 or 3. patch: voxels per edge that enter as one. widths: channels per resolution, finest first.

    conditional: whether the network can be told ln K of the cell it shall make. head: materials paints phases with the
    materials of a catalogue; phases says of every voxel how likely it is phase 1, as one channel from -1 to 1.
    classes: kinds of cells that the network can be told.
    """

    dim: int = 2
    channels: int = 3
    patch: int = 2
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 1
    heads: int = 4
    labels: int = 3
    conditional: bool = False
    head: Head = "materials"
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.head == "phases" and (self.channels, self.labels) != (1, 1):
            raise ValueError(f"a head of phases has one channel and one label, got {self.channels} and {self.labels}")
        if self.conditional and self.classes:
            raise ValueError("a network is told either ln K or a kind of cell, not both")

    def to_dict(self) -> dict:
        return asdict(self) | {"widths": list(self.widths), "classes": list(self.classes)}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> UNetConfig:
        classes = tuple(values.get("classes", ()))
        settings: dict[str, Any] = dict(values, widths=tuple(values["widths"]), classes=classes)
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
            self.condition = ToldBulk(embedding)
        if config.classes:
            self.condition = ToldClass(len(config.classes), embedding)
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
        materials = config.head == "materials"
        self.head = PhasePainting(dim, config.channels, config.patch, widths[0], embedding) if materials else None

    def set_materials(self, values: Tensor, weights: Tensor) -> None:
        """The materials that phases are made of.

        values: channel values (materials, channels). weights: how often each is drawn, (materials,).
        """
        assert self.head is not None
        like = self.head.materials
        self.head.materials = values.to(like.device, like.dtype)
        self.head.log_weights = (weights / weights.sum()).log().to(like.device, like.dtype)

    def forward(self, noisy: Tensor, t: Tensor, signal: Tensor, told: Tensor | None = None) -> Tensor:
        """x̂_0 of shape (batch, channels, *grid); for the arguments see `paint`."""
        painting = self.paint(noisy, t, signal, told)
        # In full precision also in mixed-precision training: materials differ by less than bfloat16 resolves.
        with torch.autocast(noisy.device.type, enabled=False):
            return painting.field()

    def paint(self, noisy: Tensor, t: Tensor, signal: Tensor, told: Tensor | None = None) -> Painting | PhaseMap:
        """The phases of the clean field and what they may be made of.

        noisy: x_t (batch, channels, *grid); every grid edge divisible by patch · 2^(levels-1). t: (batch,) in (0, 1].
        signal: (batch,) √ᾱ_t. told: (batch,) for a conditional network ln K (GPa), for one with classes the position of
        a class; NaN or None: not told.
        """
        config = self.config
        embedding = self.time(_sinusoids(t, config.widths[0]))
        if config.conditional or config.classes:
            embedding = embedding + self.condition(torch.full_like(t, math.nan) if told is None else told)
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
            if self.head is None:
                return PhaseMap(logits.to(noisy.dtype))
            return self.head(noisy, x, logits, embedding, signal)


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
        start_at_zero(self.conv_out)
        start_at_zero(self.modulation)

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
        start_at_zero(self.out)

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
