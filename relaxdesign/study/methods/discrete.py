"""Search among discrete designs: materials, volume fraction and size of inclusions, each simulated as one placement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Inclusions, PlacementError
from relaxdesign.prior.model import Prior
from relaxdesign.study.family import family_of
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods.keeping import BestDesigns
from relaxdesign.study.objectives import Objectives

_FAR = 1e3
"""Loss of a design that cannot be placed or simulated."""


@dataclass(frozen=True)
class DiscreteDesign:
    """Inclusions in a matrix. pair: indices of the materials, that of the matrix first. share: volume fraction.
    size: of the inclusions, a fraction of the cell edge."""

    pair: tuple[int, int]
    share: float
    size: float


def searched_family(name: str, dim: int, materials: Catalogue) -> Inclusions:
    """The family whose cells the search places: the requested one if it is of inclusions, else the first that is.

    Refinement reads the cells found as cells of the requested family, as it reads samples.
    """
    families = (family_of(each, dim, materials) for each in (name, *FAMILIES))
    return next(family for family in families if isinstance(family, Inclusions))


class Searcher(Protocol):
    """Looks for one design: proposes, and is told how far off it was."""

    def ask(self) -> DiscreteDesign:
        """The next design to simulate."""
        ...

    def tell(self, design: DiscreteDesign, loss: float, residual: float) -> None:
        """Reports the result of a design. loss: see `Objectives.losses`; very large for a design that failed.
        residual: signed, of the first target; NaN for a design that failed."""
        ...


@dataclass(frozen=True)
class Encoding:
    """Designs as points of the unit cube, for methods that need coordinates: near points, near materials."""

    points: NDArray[np.float64]  # channel values (materials, 3)
    forbidden: NDArray[np.bool_]  # pairs that may not be combined, (materials, materials)
    family: Inclusions

    SIZE = 8

    @staticmethod
    def of(catalogue: Catalogue, channels: Channels, family: Inclusions) -> Encoding:
        return Encoding(channels.encode(catalogue.properties, axis=-1).numpy(), catalogue.forbidden, family)

    def decode(self, x: NDArray[np.float64]) -> DiscreteDesign:
        """The design nearest to a point (8,) of the unit cube: 3 + 3 channels, share, size."""
        x = np.clip(x, 0.0, 1.0)
        matrix, inclusion = (np.square(self.points - (2 * part - 1)).sum(1) for part in (x[:3], x[3:6]))
        far = np.where(self.forbidden, np.inf, matrix[:, None] + inclusion)
        pair = divmod(int(far.argmin()), len(self.points))
        share, size = (
            low + part * (high - low)
            for part, (low, high) in zip(x[6:], (self.family.share.range, self.family.size.range), strict=True)
        )
        return DiscreteDesign(pair, float(share), float(size))

    def encode(self, design: DiscreteDesign) -> NDArray[np.float64]:
        """A point that `decode` maps back to the design."""
        ends = ((design.share, self.family.share.range), (design.size, self.family.size.range))
        sizes = [(value - low) / (high - low) for value, (low, high) in ends]
        materials = [(self.points[i] + 1) / 2 for i in design.pair]
        return np.concatenate([*materials, sizes])


def search(
    prior: Prior,
    objectives: Objectives,
    materials: Catalogue,
    family: Inclusions,
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
                shown[i] = _field(design, points, family, prior, generator)
            except PlacementError as error:
                unplaced[i] = str(error)
        evaluation = objectives.evaluate(prior, shown, unrelated=True)
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


def _field(
    design: DiscreteDesign, points: Tensor, family: Inclusions, prior: Prior, generator: torch.Generator
) -> Tensor:
    """Channel values of one placement. Raises PlacementError if the inclusions cannot be placed."""
    (placement,) = family.place(design.share, design.size, prior.dim, grid=prior.grid, generator=generator)
    labels = placement.voxelise(prior.grid)
    matrix, inclusion = (points[i].view((-1,) + (1,) * prior.dim) for i in design.pair)
    return torch.where(labels.bool(), inclusion, matrix)  # a third phase comes with refinement
