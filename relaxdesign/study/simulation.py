"""Simulation of cells of given materials, of one cell or over placements, and its cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Geometry, Inclusions, Placement, has_layers
from relaxdesign.microstructure.cell import phase_field
from relaxdesign.microstructure.mixed_voxels import coefficient, mixed_coefficients
from relaxdesign.microstructure.symmetry import NO_SYMMETRY, Symmetry
from relaxdesign.physics.evaluator import Effective, Evaluator
from relaxdesign.study.objective import Objective, targets_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.symmetry import steered

PLACEMENTS = 10
# Residuals; K errs by their square: by 1e-3 for ceramics in the softest foam at the first, else below 1e-4.
_SEARCH_TOLERANCE = 3e-4
_VERIFY_TOLERANCE = 1e-4
_BESIDE_VOIDS = 10.0
"""How much larger they are beside voids, where solves converge slowly and stiffness is a larger part of the mean of the
phases': C of lattices then errs by less than 1e-4 (a residual of 1e-2 leaves 2e-4 to 1e-3, measured)."""


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
    """Evaluates cells whose phases are materials, as composite voxels; counts what it costs.

    evaluator: quantities and boundary. grid: voxels per edge. void: whether one of the phases is void. symmetry: of
    the cells. layers: whether a phase separates the one before it from the one after it.
    """

    evaluator: Evaluator
    targets: Sequence[Objective]
    dim: int
    grid: int
    cost: Cost = field(default_factory=Cost)
    void: bool = False
    symmetry: Symmetry = NO_SYMMETRY
    layers: bool = False

    @staticmethod
    def of(
        objectives: Sequence[Objective],
        boundary: str,
        dim: int,
        grid: int,
        *,
        void: bool = False,
        symmetry: Symmetry = NO_SYMMETRY,
        layers: bool = False,
    ) -> Simulation:
        """For these objectives."""
        names = {"K", "density", *(objective.quantity for objective in objectives)}
        targets = targets_of(steered(objectives, symmetry.name, dim))
        return Simulation(Evaluator(names, boundary), targets, dim, grid, void=void, symmetry=symmetry, layers=layers)

    @staticmethod
    def for_request(request: DesignRequest, grid: int, *, void: bool) -> Simulation:
        """For the objectives of a request. void: whether one of its phases is void."""
        symmetry = Symmetry(request.symmetry, request.dim)
        return Simulation.of(
            request.objectives,
            request.boundary,
            request.dim,
            grid,
            void=void,
            symmetry=symmetry,
            layers=has_layers(FAMILIES[request.family]),
        )

    def cells(
        self,
        materials: Sequence[Material],
        geometries: Sequence[Geometry],
        *,
        names: Collection[str] = (),
        times: float = 1,
        tolerance: float | None = None,
    ) -> Effective:
        """Effective quantities of cells of composite voxels.

        Args:
            materials: of the phases.
            names: quantities besides those of the simulation.
            times: voxels per edge, in multiples of the grid: 2 for verification, 0.5 for a first look.

        Raises:
            ConvergenceError: a solve did not reach the tolerance.
        """
        return self.composites(materials, self.shares(geometries, times), names=names, tolerance=tolerance)

    def shares(self, geometries: Sequence[Geometry], times: float = 1) -> Tensor:
        """Shares of the phases but the first in the voxels of cells, (cells, phases - 1, nx, ny, nz).

        times: as in `cells`.
        """
        shares = torch.stack([geometry.shares(int(times * self.grid)) for geometry in geometries])
        shares = shares if shares.ndim == self.dim + 2 else shares[:, None]
        return shares if shares.ndim == 5 else shares[..., None]

    def composites(
        self,
        materials: Sequence[Material],
        shares: Tensor,
        *,
        names: Collection[str] = (),
        tolerance: float | None = None,
    ) -> Effective:
        """As `cells`, from their `shares`."""
        evaluator = self.verifying(names)
        evaluator = evaluator if tolerance is None else replace(evaluator, tolerance=tolerance)
        effective = evaluator(self.fields(evaluator, materials, shares))
        self.cost.add(effective)
        return effective

    def verifying(self, names: Collection[str] = ()) -> Evaluator:
        """The evaluator of exported cells. names: quantities besides those of the simulation."""
        quantities = {*self.evaluator.quantities, *names}
        return replace(self.evaluator, quantities=quantities, tolerance=self._tolerance(_VERIFY_TOLERANCE))

    def searching(self) -> Evaluator:
        """The evaluator of cells that are on their way to the targets."""
        return replace(self.evaluator, tolerance=self._tolerance(_SEARCH_TOLERANCE))

    def _tolerance(self, between_solids: float) -> float:
        return between_solids * (_BESIDE_VOIDS if self.void else 1.0)

    def fields(
        self, evaluator: Evaluator, materials: Sequence[Material], shares: Tensor, carrying: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The coefficients that an evaluator needs of every composite voxel.

        Of more than two phases the last two are mixed first, then that with the one before them, and so on.
        shares: as from `shares`. carrying: shares that count where more than an average is taken; None: the same.
        """
        return mixed_coefficients(
            evaluator.physics,
            materials,
            evaluator.coefficients,
            shares,
            self.dim,
            carrying=carrying,
            layers=self.layers,
        )

    def values(self, materials: Sequence[Material], geometries: Sequence[Geometry], *, times: float = 1) -> CellValues:
        """Effective quantities of cells at the precision of a search. times: as in `cells`."""
        values = self.cells(materials, geometries, times=times, tolerance=self.searching().tolerance).values
        return CellValues({name: values[name].numpy() for name in self.evaluator.quantities})

    def placed_anew(
        self, family: Inclusions, materials: Sequence[Material], share: float, size: float, generator: torch.Generator
    ) -> tuple[Sequence[Placement], CellValues]:
        """Over ``PLACEMENTS`` new placements; share and size are moved into the supported range."""
        vf, size = family.share.clip(share), family.size.clip(size)
        placements = family.place(vf, size, self.dim, grid=self.grid, count=PLACEMENTS, generator=generator)
        return placements, self.values(materials, placements)

    def voxels(self, materials: Sequence[Material], labels: Tensor) -> dict[str, float]:
        """Effective quantities of the voxels of one cell as they are exported, labels (*grid)."""
        labels = labels[None] if labels.ndim == 3 else labels[None, ..., None]
        evaluator = self.verifying()
        effective = evaluator(
            {
                name: phase_field([coefficient(each, name, materials) for each in materials], labels)
                for name in evaluator.coefficients
            }
        )
        self.cost.add(effective)
        return {name: float(effective.values[name][0]) for name in sorted(self.evaluator.quantities)}

    def residuals(self, values: Mapping[str, float], shift: Mapping[str, float] | None = None) -> NDArray[np.float64]:
        """Signed distances of the targets' coordinates from their intervals, 0 inside.

        shift: what is added to coordinates, by quantity.
        """
        gaps = []
        for target in self.targets:
            coordinate = target.coordinate(values[target.quantity])
            gaps.append(target.gap(np.float64(coordinate + (shift or {}).get(target.quantity, 0.0))))
        return np.array(gaps)


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
