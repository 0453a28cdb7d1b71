"""Search among discrete designs: materials, volume fraction and diameter, each simulated as one placement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.catalogue import Catalogue
from relaxdesign.composite import DIAMETER_RANGE, VOLUME_FRACTION_RANGE, PackingError, place_particles
from relaxdesign.guidance import SamplerStep
from relaxdesign.objectives import Evaluation, Objectives
from relaxdesign.prior.model import Prior

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
        """loss: weighted squares of the misses, and what is to be small; residual: signed, of the first target."""
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
    prior: Prior, objectives: Objectives, materials: Catalogue, searchers: Sequence[Searcher], steps: int
) -> Iterator[SamplerStep]:
    """One searcher per candidate, side by side; the last step holds the best design of each.

    One evaluation of the budget is kept for the final verification.
    """
    count = len(searchers)
    alive = torch.ones(count, dtype=torch.bool)
    points = prior.channels.encode(materials.properties, axis=-1).float()
    best: list[tuple[float, Tensor]] = [(np.inf, torch.zeros(prior.field_shape))] * count
    for index in range(1, steps):
        designs = [searcher.ask() for searcher in searchers]
        fields = [_field(design, points, prior, index * count + i) for i, design in enumerate(designs)]
        shown = torch.stack([best[i][1] if field is None else field for i, field in enumerate(fields)])
        evaluation = objectives.evaluate(prior, shown)
        losses = _losses(evaluation, objectives)
        residual = evaluation.linearisation.target_residual[:, 0]
        for i, (searcher, design) in enumerate(zip(searchers, designs, strict=True)):
            loss = _FAR if fields[i] is None or i in evaluation.messages else float(losses[i])
            searcher.tell(design, loss, float(residual[i]))
            if loss < best[i][0]:
                best[i] = loss, shown[i]
        yield SamplerStep(index, steps, 1 - index / steps, shown, evaluation, alive, {})
    clean = torch.stack([field for _, field in best])
    yield SamplerStep(steps, steps, 0.0, clean, objectives.evaluate(prior, clean, finished=True), alive, {})


def _field(design: DiscreteDesign, points: Tensor, prior: Prior, seed: int) -> Tensor | None:
    """Channel values of one placement; None if the particles cannot be placed."""
    try:
        (packing,) = place_particles(
            design.volume_fraction,
            design.diameter,
            prior.dim,
            grid=prior.grid,
            generator=torch.Generator().manual_seed(seed),
        )
    except PackingError:
        return None
    phase = packing.voxelise(prior.grid)
    shape = (-1,) + (1,) * prior.dim
    return torch.where(phase, points[design.particle].view(shape), points[design.matrix].view(shape))


def _losses(evaluation: Evaluation, objectives: Objectives) -> Tensor:
    """Weighted squares of the targets' misses, plus logarithms of what is to be small at the weight refinement uses."""
    residual = evaluation.linearisation.target_residual
    loss = (evaluation.linearisation.target_weight * residual.square()).sum(1)
    for objective in objectives.extremes:
        sign = 1.0 if objective.sense == "minimise" else -1.0
        loss = loss + 0.01 * sign * objective.weight * evaluation.values[objective.quantity].log()
    return loss.nan_to_num(_FAR)
