"""Search among discrete designs: materials, volume fraction and diameter, each simulated as one placement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.base import PlacementError
from relaxdesign.microstructure.particles.packing import DIAMETER_RANGE, VOLUME_FRACTION_RANGE, place_particles
from relaxdesign.prior.model import Prior
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods.keeping import BestDesigns
from relaxdesign.study.objectives import Objectives

_FAR = 1e3
"""Loss of a design that cannot be placed or simulated."""


@dataclass(frozen=True)
class DiscreteDesign:
    """Indices of the materials, volume fraction and diameter (fraction of the edge)."""

    matrix: int
    particle: int
    volume_fraction: float
    diameter: float


class Searcher(Protocol):
    """Looks for one design: proposes, and is told how far off it was."""

    def ask(self) -> DiscreteDesign:
        """The next design to simulate."""
        ...

    def tell(self, design: DiscreteDesign, loss: float, residual: float) -> None:
        """loss: see `Objectives.losses`, very large for a design that failed; residual: signed, of the first target,
        NaN for a design that failed."""
        ...


@dataclass(frozen=True)
class Encoding:
    """Designs as points of the unit cube, for methods that need coordinates: near points, near materials."""

    points: NDArray[np.float64]  # channel values (materials, 3)

    SIZE = 8

    @staticmethod
    def of(catalogue: Catalogue, channels) -> Encoding:
        return Encoding(channels.encode(catalogue.properties, axis=-1).numpy())

    def decode(self, x: NDArray[np.float64]) -> DiscreteDesign:
        """The design nearest to a point (8,) of the unit cube: 3 + 3 channels, fraction, diameter."""
        x = np.clip(x, 0.0, 1.0)
        matrix, particle = (int(np.square(self.points - (2 * part - 1)).sum(1).argmin()) for part in (x[:3], x[3:6]))
        vf = VOLUME_FRACTION_RANGE[0] + x[6] * (VOLUME_FRACTION_RANGE[1] - VOLUME_FRACTION_RANGE[0])
        diameter = DIAMETER_RANGE[0] + x[7] * (DIAMETER_RANGE[1] - DIAMETER_RANGE[0])
        return DiscreteDesign(matrix, particle, float(vf), float(diameter))

    def encode(self, design: DiscreteDesign) -> NDArray[np.float64]:
        """A point that `decode` maps back to the design."""
        ends = ((design.volume_fraction, VOLUME_FRACTION_RANGE), (design.diameter, DIAMETER_RANGE))
        sizes = [(value - low) / (high - low) for value, (low, high) in ends]
        materials = [(self.points[i] + 1) / 2 for i in (design.matrix, design.particle)]
        return np.concatenate([*materials, sizes])


def search(
    prior: Prior,
    objectives: Objectives,
    materials: Catalogue,
    searchers: Sequence[Searcher],
    seeds: Sequence[int],
    steps: int,
) -> Iterator[SamplerStep]:
    """One searcher per candidate, side by side; the last step holds the best design of each.

    seeds: of the placements, per candidate. One evaluation of the budget is kept for the final verification. A design
    that cannot be placed or simulated is passed over; a candidate of which all fail is dropped with a message.
    """
    count = len(searchers)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    points = prior.channels.encode(materials.properties, axis=-1).float()
    kept = BestDesigns.of(count, prior)
    for index in range(1, steps):
        designs = [searcher.ask() for searcher in searchers]
        shown, unplaced = kept.fields.clone(), {}
        for i, (design, generator) in enumerate(zip(designs, generators, strict=True)):
            try:
                shown[i] = _field(design, points, prior, generator)
            except PlacementError as error:
                unplaced[i] = str(error)
        evaluation = objectives.evaluate(prior, shown)
        failed = unplaced | evaluation.messages
        losses = objectives.losses(evaluation)
        losses[list(failed)] = torch.inf
        kept.offer(shown, losses, failed)
        residual = evaluation.linearisation.target_residual[:, 0]
        for i, (searcher, design) in enumerate(zip(searchers, designs, strict=True)):
            loss = float(losses[i])
            searcher.tell(design, *((loss, float(residual[i])) if np.isfinite(loss) else (_FAR, np.nan)))
        everyone = torch.ones(count, dtype=torch.bool)
        yield SamplerStep(index, steps, 1 - index / steps, shown, evaluation, everyone, {})
    yield kept.last_step(prior, objectives, steps)


def _field(design: DiscreteDesign, points: Tensor, prior: Prior, generator: torch.Generator) -> Tensor:
    """Channel values of one placement. Raises PlacementError if the particles cannot be placed."""
    (packing,) = place_particles(
        design.volume_fraction, design.diameter, prior.dim, grid=prior.grid, generator=generator
    )
    phase = packing.voxelise(prior.grid)
    shape = (-1,) + (1,) * prior.dim
    return torch.where(phase, points[design.particle].view(shape), points[design.matrix].view(shape))
