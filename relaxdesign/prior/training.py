"""Training of a prior: denoising fresh cells, EMA weights, resumable at any moment."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels, channels_from_definition
from relaxdesign.prior.data import field_batches, random_fields
from relaxdesign.prior.distributed import join
from relaxdesign.prior.loss import denoising_loss, forget, log_bulk_of, validation_loss
from relaxdesign.prior.model import Prior, PriorError, save_prior
from relaxdesign.prior.report import sample_sheet
from relaxdesign.prior.resume import load_state, save_state
from relaxdesign.prior.sampling import draw
from relaxdesign.prior.schedule import NoiseSchedule
from relaxdesign.prior.unet import UNet, UNetConfig

Precision = Literal["auto", "float32", "bfloat16"]

VALIDATION_CELLS = 64
SHEET_SAMPLES, SHEET_STEPS = 12, 25


@dataclass(frozen=True)
class TrainingConfig:
    """A training run. ``steps`` optimiser steps of ``batch`` fresh cells each.

    accumulation: parts that a process makes of its share of a batch, one after the other, to need less memory.
    Processes times parts are the parts of a batch; runs that agree in it see the same cells, in one process or many.
    precision: of the network; auto: bfloat16 where this machine computes it faster.
    """

    name: str = "composite-2d-64"
    grid: int = 64
    channels: dict | None = None  # None: softened log-moduli
    network: UNetConfig = field(default_factory=UNetConfig)
    schedule: NoiseSchedule = field(default_factory=NoiseSchedule)
    steps: int = 9_000
    batch: int = 16
    learning_rate: float = 8e-4
    warm_up: int = 200
    weight_decay: float = 1e-4
    gradient_clip: float = 1.0
    ema_decay: float = 0.999
    seed: int = 0
    accumulation: int = 1
    precision: Precision = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        stride = self.network.patch * 2 ** (len(self.network.widths) - 1)
        if self.grid % stride:
            raise ValueError(f"the grid of {self.grid} must be divisible by {stride} (patch times down-samplings)")
        if min(self.steps, self.batch, self.accumulation) < 1:
            raise ValueError("steps, batch and accumulation must be at least 1")
        if self.precision not in get_args(Precision):
            raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {self.precision!r}")

    def to_dict(self) -> dict:
        return asdict(self) | {"network": self.network.to_dict()}

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, then cosine decay to 1 %."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        progress = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        return self.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


@dataclass(frozen=True)
class TrainingProgress:
    """State after an optimiser step. validation_loss is None between validations."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    cells_per_second: float
    seconds_left: float
    validation_loss: float | None = None


def train_prior(
    config: TrainingConfig,
    catalogue: Catalogue,
    directory: str | Path,
    *,
    resume: bool = False,
    start_from: Prior | None = None,
    checkpoint_every: int = 250,
    sheet_every: int = 1000,
) -> Iterator[TrainingProgress]:
    """Trains a prior, yielding after each step; EMA weights and card land in ``directory``.

    resume: go on from the last checkpoint in ``directory``. ``config.steps`` may
    differ from the interrupted run's; everything else that shapes the model must agree.
    start_from: weights to begin with, of a prior with the same network and channels; the materials are new. A
    conditional prior may start from an unconditional one.
    sheet_every: steps after which samples are drawn to NAME.png; a multiple of ``checkpoint_every``, 0: never.
    Under torchrun every process trains with its share of the batch and the first one writes.
    Raises PriorError when there is nothing to resume or something does not fit.
    """
    directory = Path(directory)
    group = join(config.device)
    device = group.device
    channels = channels_from_definition(config.channels or {"name": "asinh"})
    torch.manual_seed(config.seed)
    network = UNet(config.network).to(device)
    if start_from is not None:
        _check_start(config, channels, start_from)
        network.load_state_dict(network.state_dict() | start_from.network.state_dict())
    channels.check(catalogue.properties)
    network.set_materials(channels.encode(catalogue.properties, axis=-1), catalogue.weights)
    ema = AveragedModel(network, multi_avg_fn=_warm_ema(config.ema_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    start, trained_seconds, validation = 0, 0.0, []
    if resume:
        saved = load_state(directory, config.name, _fixed_settings(config), network, ema, optimizer)
        start, trained_seconds, validation = saved["step"], saved["seconds"], saved["validation"]
    precision = _autocast_type(device) if config.precision == "auto" else getattr(torch, config.precision)
    share = group.share(config.batch, config.accumulation)
    parts = []
    for part in range(group.rank * config.accumulation, (group.rank + 1) * config.accumulation):
        # A resumed run must not see the same cells again.
        generator = torch.Generator().manual_seed(config.seed + 7919 * start + 104_729 * part)
        cells = field_batches(catalogue, channels, config.grid, config.network.dim, share, generator=generator)
        parts.append((generator, cells))
    held_out = random_fields(
        catalogue,
        channels,
        config.grid,
        config.network.dim,
        VALIDATION_CELLS,
        generator=torch.Generator().manual_seed(config.seed + 1),
    ).to(device)
    conditional = config.network.conditional
    held_out_bulk = log_bulk_of(channels, held_out) if conditional else None

    def prior() -> Prior:
        card = {
            "description": _describe(config, channels),
            "training": config.to_dict() | {"device": device.type, "precision": str(precision).removeprefix("torch.")},
            "data": f"random particle composites of {len(catalogue)} materials, made on the fly",
            "steps_trained": step + 1,
            "cells_seen": (step + 1) * config.batch,
            "started_from": None if start_from is None else start_from.name,
            "hours": round((trained_seconds + time.monotonic() - begin) / 3600, 3),
            "validation_loss": validation,
        }
        return Prior(config.name, cast(UNet, ema.module), config.schedule, channels, config.grid, card)

    begin = time.monotonic()
    network.train()
    model = group.wrap(network)
    for step in range(start, config.steps):
        rate = config.learning_rate_at(step)
        for parameters in optimizer.param_groups:
            parameters["lr"] = rate
        loss = 0.0
        for generator, cells in parts:
            clean = next(cells).to(device)
            told = forget(log_bulk_of(channels, clean), generator) if conditional else None
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision is torch.bfloat16):
                part_loss = denoising_loss(model, config.schedule, clean, generator, told) / len(parts)
            part_loss.backward()
            loss += part_loss.item()
        if not math.isfinite(loss):
            raise PriorError(f"the loss became {loss} at step {step}: lower learning_rate and resume")
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        ema.update_parameters(network)

        validated = None
        last = step == config.steps - 1
        if group.main and (last or (step + 1) % checkpoint_every == 0):
            validated = validation_loss(ema.module, config.schedule, held_out, held_out_bulk, config.seed)
            validation.append([step + 1, round(validated, 6)])
            save_prior(prior(), directory)
            if sheet_every and (last or (step + 1) % sheet_every == 0):
                _draw_sheet(prior(), directory, config.seed)
            seconds = trained_seconds + time.monotonic() - begin
            state = {"step": step + 1, "seconds": seconds, "validation": validation}
            save_state(directory, config.name, _fixed_settings(config), network, ema, optimizer, state)
        elapsed = time.monotonic() - begin
        done = step + 1 - start
        yield TrainingProgress(
            step=step + 1,
            steps=config.steps,
            loss=loss,
            learning_rate=rate,
            cells_per_second=done * config.batch / elapsed,
            seconds_left=elapsed / done * (config.steps - step - 1),
            validation_loss=validated,
        )


def _describe(config: TrainingConfig, channels: Channels) -> str:
    network = config.network
    kind = "Diffusion prior that can be told ln K" if network.conditional else "Unconditional diffusion prior"
    return (
        f"{kind} over {network.dim}D particle composites ({'×'.join([str(config.grid)] * network.dim)} voxels, "
        f"periodic) in {channels.name} channels. Its head paints phases with the materials stored beside the weights; "
        "others can be put in without training."
    )


def _draw_sheet(prior: Prior, directory: Path, seed: int) -> None:
    """Unguided samples as a picture, to see what the losses do not tell."""
    drawn = draw(prior, SHEET_SAMPLES, steps=SHEET_STEPS, generator=torch.Generator().manual_seed(seed))
    sample_sheet(drawn).save(directory / f"{prior.name}.png")


def _check_start(config: TrainingConfig, channels: Channels, start: Prior) -> None:
    same = (config.network, replace(config.network, conditional=False))
    if start.network.config not in same or start.channels != channels:
        raise PriorError(
            f"{start.name} cannot be started from: its network {start.network.config} and channels "
            f"{start.channels.definition()} differ from those asked for; leave out what sets them"
        )


def _fixed_settings(config: TrainingConfig) -> dict:
    """The settings that a continuation must share with the run it continues."""
    free = ("name", "steps", "batch", "learning_rate", "accumulation", "precision", "device")
    return {key: value for key, value in config.to_dict().items() if key not in free}


def _warm_ema(decay: float) -> Callable:
    """EMA whose decay rises as (1+n)/(10+n) up to ``decay``: early weights are forgotten early."""

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        n = float(updates)
        for mean, value in zip(averaged, current, strict=True):
            mean.lerp_(value, 1 - min(decay, (1 + n) / (10 + n)))

    return update


def _autocast_type(device: torch.device) -> torch.dtype:
    """bfloat16 where it is faster. CPUs without native bfloat16 emulate it, many times slower: measure."""
    if device.type == "cuda":
        return torch.bfloat16
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        layer = torch.nn.Conv2d(32, 32, 3).to(dtype)
        image = torch.zeros(4, 32, 16, 16, dtype=dtype)
        layer(image)
        begin = time.perf_counter()
        layer(image)
        seconds[dtype] = time.perf_counter() - begin
    return min(seconds, key=seconds.__getitem__)
