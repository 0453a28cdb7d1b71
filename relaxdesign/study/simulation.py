"""Two-phase cells of two materials: their effective quantities, over placements or of one cell, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.particles.packing import DIAMETER_RANGE, VOLUME_FRACTION_RANGE, Packing, place_particles
from relaxdesign.physics.evaluator import Effective, Evaluator
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.request import Objective

PLACEMENTS = 10
_PLACEMENT_TOLERANCE = 3e-4  # residual; K errs by its square: by 1e-3 for ceramics in the softest foam, else below 1e-4
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
    """Evaluates two-phase cells of two materials; counts what it costs.

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
        targets = [objective for objective in objectives if objective.sense == "reach"]
        return Simulation(Evaluator(names, boundary), targets, dim, grid)

    def cells(self, matrix: Material, particle: Material, phase: Tensor, tolerance: float) -> Effective:
        """Effective quantities of cells; phase: bool (batch, *grid), True = particle."""
        phase = phase if phase.ndim == 4 else phase[..., None]
        evaluator = Evaluator(self.evaluator.quantities, self.evaluator.boundary, tolerance)
        effective = evaluator(
            {
                name: two_phase((getattr(matrix, name), getattr(particle, name)), phase)
                for name in evaluator.coefficients
            }
        )
        self.cost.add(effective)
        return effective

    def placements(self, matrix: Material, particle: Material, packings: Sequence[Packing]) -> PlacementValues:
        """Effective quantities of placements, at the precision of a search."""
        phase = torch.stack([packing.voxelise(self.grid) for packing in packings])
        return self.phases(matrix, particle, phase)

    def phases(self, matrix: Material, particle: Material, phase: Tensor) -> PlacementValues:
        """As `placements`, of phase maps (batch, *grid)."""
        values = self.cells(matrix, particle, phase, _PLACEMENT_TOLERANCE).values
        return PlacementValues({name: values[name].numpy() for name in self.evaluator.quantities})

    def fresh_placements(
        self, matrix: Material, particle: Material, volume_fraction: float, diameter: float, generator: torch.Generator
    ) -> tuple[list[Packing], PlacementValues]:
        """Over ``PLACEMENTS`` new placements; fraction and diameter are moved into the supported range."""
        vf = float(np.clip(volume_fraction, *VOLUME_FRACTION_RANGE))
        size = float(np.clip(diameter, *DIAMETER_RANGE))
        packings = place_particles(vf, size, self.dim, grid=self.grid, count=PLACEMENTS, generator=generator)
        return packings, self.placements(matrix, particle, packings)

    def residuals(self, values: dict[str, float]) -> NDArray[np.float64]:
        """Signed distances of the targets' coordinates from their intervals, 0 inside."""
        coordinates = ((t, QUANTITIES[t.quantity].coordinate(values[t.quantity])) for t in self.targets)
        return np.array([target.gap(np.float64(coordinate)) for target, coordinate in coordinates])


@dataclass(frozen=True, eq=False)
class PlacementValues:
    """Effective quantities over random placements: by name, one value per placement."""

    each: dict[str, NDArray[np.float64]]

    @property
    def mean(self) -> dict[str, float]:
        return {name: float(values.mean()) for name, values in self.each.items()}

    @property
    def deviation(self) -> dict[str, float]:
        """Standard deviation over placements."""
        return {name: float(values.std(ddof=1)) for name, values in self.each.items()}

    def one(self, index: int) -> dict[str, float]:
        """The values of one placement."""
        return {name: float(values[index]) for name, values in self.each.items()}


def verify(matrix: Material, particle: Material, phase: Tensor, simulation: Simulation) -> Effective:
    """Effective quantities of one cell (*grid) at 1e-8 in float64, C among them."""
    names = {*simulation.evaluator.quantities, "E"}
    whole = Simulation(Evaluator(names, simulation.evaluator.boundary), simulation.targets, simulation.dim, 0)
    effective = whole.cells(matrix, particle, phase[None], _VERIFY_TOLERANCE)
    simulation.cost.add(effective)
    return effective


def two_phase(values: tuple[float, float], phase: Tensor) -> Tensor:
    """Field (float64) of the matrix value where phase is False and the particle value where True."""
    return torch.where(phase, *(torch.tensor(v, dtype=torch.float64) for v in reversed(values)))
