"""Simulation of cells of given materials, of one cell or over placements, and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Inclusions, Placement
from relaxdesign.microstructure.cell import phase_field
from relaxdesign.physics.composite_voxels import composite_field
from relaxdesign.physics.evaluator import Effective, Evaluator
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES
from relaxdesign.study.objective import Objective, targets_of

PLACEMENTS = 10
_PLACEMENT_TOLERANCE = 3e-4  # residual; K errs by its square: by 1e-3 for ceramics in the softest foam, else below 1e-4
_COMPOSITE_TOLERANCE = 1e-4
_VERIFY_TOLERANCE = 1e-8


@dataclass
class Cost:
    """What simulations took: linear systems and conjugate gradient iterations."""

    load_cases: int = 0
    iterations: int = 0

    def add(self, effective: Effective) -> None:
        self.load_cases += effective.load_cases * len(effective.iterations)
        self.iterations += int(effective.iterations.sum())

    def merge(self, other: Cost) -> None:
        self.load_cases += other.load_cases
        self.iterations += other.iterations


@dataclass(frozen=True, eq=False)
class Simulation:
    """Evaluates cells whose phases are materials; counts what it costs.

    evaluator: quantities and boundary. grid: voxels per edge.
    """

    evaluator: Evaluator
    targets: Sequence[Objective]
    dim: int
    grid: int
    cost: Cost = field(default_factory=Cost)

    @staticmethod
    def of(objectives: Sequence[Objective], boundary: str, dim: int, grid: int) -> Simulation:
        """For these objectives."""
        names = {"K", "density", *(objective.quantity for objective in objectives)}
        return Simulation(Evaluator(names, boundary), targets_of(objectives), dim, grid)

    def cells(self, materials: Sequence[Material], labels: Tensor, tolerance: float) -> Effective:
        """Effective quantities of cells. materials: of the phases; labels: (batch, *grid), whole numbers or bool."""
        labels = labels if labels.ndim == 4 else labels[..., None]
        evaluator = Evaluator(self.evaluator.quantities, self.evaluator.boundary, tolerance)
        fields = {
            name: phase_field([getattr(material, name) for material in materials], labels)
            for name in evaluator.coefficients
        }
        effective = evaluator(fields)
        self.cost.add(effective)
        return effective

    def values(self, materials: Sequence[Material], labels: Tensor) -> CellValues:
        """Effective quantities of cells (batch, *grid), at the precision of a search."""
        values = self.cells(materials, labels, _PLACEMENT_TOLERANCE).values
        return CellValues({name: values[name].numpy() for name in self.evaluator.quantities})

    def placed(self, materials: Sequence[Material], placements: Sequence[Placement]) -> CellValues:
        """As `values`, of placed inclusions."""
        return self.values(materials, torch.stack([placement.voxelise(self.grid) for placement in placements]))

    def placed_anew(
        self, family: Inclusions, materials: Sequence[Material], share: float, size: float, generator: torch.Generator
    ) -> tuple[Sequence[Placement], CellValues]:
        """Over ``PLACEMENTS`` new placements; share and size are moved into the supported range."""
        vf, size = family.share.clip(share), family.size.clip(size)
        placements = family.place(vf, size, self.dim, grid=self.grid, count=PLACEMENTS, generator=generator)
        return placements, self.placed(materials, placements)

    def composite(self, materials: Sequence[Material], shares: Tensor) -> dict[str, float]:
        """Those effective quantities of one cell of composite voxels that the geometry decides.

        shares: of phase 1, (*grid), on any grid.
        """
        evaluator = Evaluator(self.evaluator.quantities, self.evaluator.boundary, _COMPOSITE_TOLERANCE)
        shares = shares[None] if shares.ndim == 3 else shares[None, ..., None]
        averaged = {c.name for physics in PHYSICS.values() if physics.mixture for c in physics.coefficients}
        fields = {}
        for name in evaluator.coefficients:
            matrix, inclusion = (float(getattr(material, name)) for material in materials)
            if name in averaged:
                fields[name] = matrix + (inclusion - matrix) * shares
            else:
                fields[name] = composite_field(matrix, inclusion, shares, self.dim)
        effective = evaluator(fields)
        self.cost.add(effective)
        decided = [name for name in sorted(self.evaluator.quantities) if not PHYSICS[QUANTITIES[name].physics].mixture]
        return {name: float(effective.values[name][0]) for name in decided}

    def verify(self, materials: Sequence[Material], labels: Tensor) -> Effective:
        """Effective quantities of one cell (*grid) at 1e-8 in float64, C among them."""
        names = {*self.evaluator.quantities, "E"}
        whole = Simulation(Evaluator(names, self.evaluator.boundary), self.targets, self.dim, self.grid, self.cost)
        return whole.cells(materials, labels[None], _VERIFY_TOLERANCE)

    def residuals(self, values: dict[str, float]) -> NDArray[np.float64]:
        """Signed distances of the targets' coordinates from their intervals, 0 inside."""
        coordinates = ((t, QUANTITIES[t.quantity].coordinate(values[t.quantity])) for t in self.targets)
        return np.array([target.gap(np.float64(coordinate)) for target, coordinate in coordinates])


@dataclass(frozen=True, eq=False)
class CellValues:
    """Effective quantities of several cells: by name, one value per cell."""

    each: dict[str, NDArray[np.float64]]

    @property
    def mean(self) -> dict[str, float]:
        return {name: float(values.mean()) for name, values in self.each.items()}

    @property
    def deviation(self) -> dict[str, float]:
        """Standard deviation over the cells."""
        return {name: float(values.std(ddof=1)) for name, values in self.each.items()}

    def one(self, index: int) -> dict[str, float]:
        """The values of one cell."""
        return {name: float(values[index]) for name, values in self.each.items()}
