"""Training of a prior: denoising fresh cells, EMA weights, resumable at any moment."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels, channels_from_definition
from relaxdesign.prior.data import Cells, ParticleCells, ShapeCells
from relaxdesign.prior.distributed import Group, join
from relaxdesign.prior.loss import denoising_loss, validation_loss
from relaxdesign.prior.model import Prior, PriorError, save_prior
from relaxdesign.prior.own_cells import IMAGED, grown, with_images
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
    precision: of the network; auto: bfloat16 where this machine computes it faster. images: which own images it is
    tuned on, as a digest; a continuation needs the same.
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
    images: str | None = None

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
    cells: Cells | None = None,
    checkpoint_every: int = 250,
    sheet_every: int = 1000,
) -> Iterator[TrainingProgress]:
    """Trains a prior, yielding after each step; EMA weights and card land in ``directory``.

    resume: go on from the last checkpoint in ``directory``. ``config.steps`` may
    differ from the interrupted run's; everything else that shapes the model must agree.
    start_from: weights to begin with, of a prior with the same network and channels; the materials are new. A
    conditional prior may start from an unconditional one, and one of shapes that knows own images from one without.
    cells: to learn from; None: random composites of the catalogue, or shapes of all kinds.
    sheet_every: steps after which samples are drawn to NAME.png; a multiple of ``checkpoint_every``, 0: never.
    Under torchrun every process trains with its share of the batch and the first one writes.
    Raises PriorError when there is nothing to resume or something does not fit.
    """
    run = _start(config, catalogue, Path(directory), resume=resume, start_from=start_from, cells=cells)
    for step in range(run.start, config.steps):
        loss = run.optimise(step)
        done, last = step + 1, step == config.steps - 1
        validated = None
        if run.group.main and (last or done % checkpoint_every == 0):
            validated = run.checkpoint(done, sheet=bool(sheet_every) and (last or done % sheet_every == 0))
        yield run.progress(done, loss, validated)


@dataclass(eq=False)
class _Run:
    """A training run while it goes on.

    model: the network, its gradients averaged over the processes. parts: of this process' share of every batch, the
    generator and the endless cells of each. held_out: cells for validation, and what a network is told of them.
    start: steps trained before; seconds_before: that they took. validation: [step, loss] of every checkpoint.
    """

    config: TrainingConfig
    directory: Path
    group: Group
    channels: Channels
    network: UNet
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    model: nn.Module
    precision: torch.dtype
    cells: Cells
    parts: list[tuple[torch.Generator, Iterator[tuple[Tensor, Tensor | None]]]]
    held_out: tuple[Tensor, Tensor | None]
    started_from: str | None
    start: int
    seconds_before: float
    validation: list[list[float]]
    begun: float

    def optimise(self, step: int) -> float:
        """One step of AdamW on a fresh batch, and of the EMA after it. Returns the loss of the batch."""
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self.config.learning_rate_at(step)
        loss = sum(self._descend(generator, *next(cells)) for generator, cells in self.parts)
        if not math.isfinite(loss):
            raise PriorError(f"the loss became {loss} at step {step}: lower learning_rate and resume")
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update_parameters(self.network)
        return loss

    def _descend(self, generator: torch.Generator, clean: Tensor, kind: Tensor | None) -> float:
        """Adds the gradient of the denoising loss of one part of the batch; returns its share of the loss."""
        device, schedule = self.group.device, self.config.schedule
        clean = clean.to(device)
        told = self.cells.told(clean, kind, generator)
        told = None if told is None else told.to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision is torch.bfloat16):
            loss = denoising_loss(self.model, schedule, clean, generator, told, binary=self._binary) / len(self.parts)
        loss.backward()
        return loss.item()

    def checkpoint(self, done: int, *, sheet: bool) -> float:
        """Validates and writes the prior, a sheet of samples if wanted, and what resuming needs.

        done: steps trained. Returns the loss of the EMA weights on the cells held out.
        """
        config, directory = self.config, self.directory
        validated = validation_loss(self.ema.module, config.schedule, *self.held_out, config.seed, binary=self._binary)
        self.validation.append([done, round(validated, 6)])
        save_prior(self._prior(done), directory)
        if sheet:
            _draw_sheet(self._prior(done), directory, config.seed)
        state = {"step": done, "seconds": self._seconds, "validation": self.validation}
        save_state(directory, config.name, _fixed_settings(config), self.network, self.ema, self.optimizer, state)
        return validated

    def progress(self, done: int, loss: float, validated: float | None) -> TrainingProgress:
        """The state after ``done`` steps."""
        elapsed = time.monotonic() - self.begun
        made = done - self.start
        return TrainingProgress(
            step=done,
            steps=self.config.steps,
            loss=loss,
            learning_rate=self.config.learning_rate_at(done - 1),
            cells_per_second=made * self.config.batch / elapsed,
            seconds_left=elapsed / made * (self.config.steps - done),
            validation_loss=validated,
        )

    @property
    def _binary(self) -> bool:
        return self.config.network.head == "phases"

    @property
    def _seconds(self) -> float:
        """Of training so far, earlier runs included."""
        return self.seconds_before + time.monotonic() - self.begun

    def _prior(self, done: int) -> Prior:
        """The EMA weights with the card of a prior that was trained for ``done`` steps."""
        config = self.config
        settings = {"device": self.group.device.type, "precision": str(self.precision).removeprefix("torch.")}
        card = {
            "description": _describe(config, self.channels),
            "training": config.to_dict() | settings,
            "data": self.cells.description,
            "steps_trained": done,
            "cells_seen": done * config.batch,
            "started_from": self.started_from,
            "hours": round(self._seconds / 3600, 3),
            "validation_loss": self.validation,
        }
        return Prior(config.name, cast(UNet, self.ema.module), config.schedule, self.channels, config.grid, card)


def _start(
    config: TrainingConfig,
    catalogue: Catalogue,
    directory: Path,
    *,
    resume: bool,
    start_from: Prior | None,
    cells: Cells | None,
) -> _Run:
    """A run at its first step, or at the one after its last checkpoint."""
    group = join(config.device)
    shapes = config.network.head == "phases"
    channels = channels_from_definition(config.channels or {"name": "phase" if shapes else "asinh"})
    cells = cells or _random_cells(config, catalogue, channels)
    network = _network(config, catalogue, channels, start_from).to(group.device)
    ema = AveragedModel(network, multi_avg_fn=_warm_ema(config.ema_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    state = {"step": 0, "seconds": 0.0, "validation": []}
    if resume:
        state = load_state(directory, config.name, _fixed_settings(config), network, ema, optimizer)
    automatic = config.precision == "auto"
    run = _Run(
        config=config,
        directory=directory,
        group=group,
        channels=channels,
        network=network,
        ema=ema,
        optimizer=optimizer,
        model=network,
        precision=_autocast_type(group.device) if automatic else getattr(torch, config.precision),
        cells=cells,
        parts=_parts(config, cells, group, state["step"]),
        held_out=_held_out(config, cells, group.device),
        started_from=None if start_from is None else start_from.name,
        start=state["step"],
        seconds_before=state["seconds"],
        validation=state["validation"],
        begun=time.monotonic(),
    )
    network.train()
    run.model = group.wrap(network)
    return run


def _random_cells(config: TrainingConfig, catalogue: Catalogue, channels: Channels) -> Cells:
    dim = config.network.dim
    if config.network.head == "phases":
        return ShapeCells(config.grid, dim)
    return ParticleCells(catalogue, channels, config.grid, dim, config.network.conditional)


def _network(config: TrainingConfig, catalogue: Catalogue, channels: Channels, start_from: Prior | None) -> UNet:
    """A new network, or one with the weights of a prior, that paints with the materials of the catalogue."""
    torch.manual_seed(config.seed)
    network = UNet(config.network)
    if start_from is not None:
        _check_start(config, channels, start_from)
        network.load_state_dict(network.state_dict() | grown(start_from.network.state_dict(), network))
    if network.head is not None:
        channels.check(catalogue.properties)
        network.set_materials(channels.encode(catalogue.properties, axis=-1), catalogue.weights)
    return network


def _parts(
    config: TrainingConfig, cells: Cells, group: Group, start: int
) -> list[tuple[torch.Generator, Iterator[tuple[Tensor, Tensor | None]]]]:
    """Generator and endless fresh cells of each part of this process' share of the batches. start: steps before.

    Raises ValueError if the batch cannot be shared out evenly.
    """
    share = group.share(config.batch, config.accumulation)
    parts = []
    for part in range(group.rank * config.accumulation, (group.rank + 1) * config.accumulation):
        # A resumed run must not see the same cells again.
        generator = torch.Generator().manual_seed(config.seed + 7919 * start + 104_729 * part)
        parts.append((generator, cells.batches(share, generator)))
    return parts


def _held_out(config: TrainingConfig, cells: Cells, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Cells for validation, and what a network is told of them."""
    generator = torch.Generator().manual_seed(config.seed + 1)
    clean, told = cells.held_out(VALIDATION_CELLS, generator)
    return clean.to(device), None if told is None else told.to(device)


def _describe(config: TrainingConfig, channels: Channels) -> str:
    network = config.network
    if network.head == "phases":
        return (
            f"Diffusion prior over {network.dim}D cells of two given phases "
            f"({'×'.join([str(config.grid)] * network.dim)} voxels, periodic), one channel: how likely a voxel is the "
            f"second. It can be told a kind of cells: {', '.join(network.classes)}."
        )
    kind = "Diffusion prior that can be told ln K" if network.conditional else "Unconditional diffusion prior"
    return (
        f"{kind} over {network.dim}D particle composites ({'×'.join([str(config.grid)] * network.dim)} voxels, "
        f"periodic) in {channels.name} channels. Its head paints phases with the materials stored beside the weights; "
        "others can be put in without training."
    )


def _draw_sheet(prior: Prior, directory: Path, seed: int) -> None:
    """Unguided samples as a picture, to see what the losses do not tell; told to be as own images, if there are any."""
    prior = prior.of_kind(IMAGED) if IMAGED in prior.network.config.classes else prior
    drawn = draw(prior, SHEET_SAMPLES, steps=SHEET_STEPS, generator=torch.Generator().manual_seed(seed))
    sample_sheet(drawn).save(directory / f"{prior.name}.png")


def _check_start(config: TrainingConfig, channels: Channels, start: Prior) -> None:
    network = start.network.config
    started = {network, with_images(network)} if start.of_shapes else {network}
    if not started & {config.network, replace(config.network, conditional=False)} or start.channels != channels:
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
