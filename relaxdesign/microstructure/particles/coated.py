"""Coated particles: a core, an interphase around it and the matrix.

A coating that is softer than both models an interface that does not hold well, one that is stiffer a layer that forms
between them. Particles and coating together are what is placed; their fraction and diameter are those of the outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.material import Material
from relaxdesign.microstructure.base import Parameter
from relaxdesign.microstructure.estimates import composite_phase, pair_estimates, phase_of
from relaxdesign.microstructure.particles.family import Particles
from relaxdesign.microstructure.particles.packing import Packing

if TYPE_CHECKING:
    from manifold3d import Manifold

_KEY = "coating_thickness"

_AMOUNT = Parameter(_KEY, "thickness of the coating", "t", 0.01, 0.2, "of the diameter")


@dataclass(frozen=True, eq=False)
class CoatedPacking:
    """Placed particles with a coating each. outer: their outsides. thickness: of the coatings, over the diameter."""

    outer: Packing
    thickness: float

    @property
    def core(self) -> Packing:
        """The same particles without their coatings."""
        return self.outer.with_size((1.0 - 2.0 * self.thickness) * self.outer.size)

    @property
    def share(self) -> float:
        return self.outer.share

    @property
    def size(self) -> float:
        return self.outer.size

    @property
    def gap(self) -> float:
        return self.outer.gap

    @property
    def parameters(self) -> dict[str, float]:
        return self.outer.parameters | {_KEY: self.thickness}

    def with_share(self, share: float) -> CoatedPacking:
        """The same centres; coatings grow with their particles."""
        return replace(self, outer=self.outer.with_share(share))

    def with_size(self, size: float) -> CoatedPacking:
        """The same centres; coatings grow with their particles."""
        return replace(self, outer=self.outer.with_size(size))

    def moved(self, distance: float) -> CoatedPacking:
        """The same centres, outsides moved by a distance; coatings grow with their particles."""
        return replace(self, outer=self.outer.moved(distance))

    def largest_size(self, gap: float = 0.0) -> float:
        """See `Packing.largest_size`."""
        return self.outer.largest_size(gap)

    def shares(self, grid: int) -> Tensor:
        """Shares of coatings and cores in every voxel, float64 (2, *(grid,)*dim)."""
        whole, core = self.outer.shares(grid), self.core.shares(grid)
        return torch.stack([(whole - core).clamp_min(0.0), core])

    def voxelise(self, grid: int) -> Tensor:
        """Labels (grid,)*dim: 0 matrix, 1 coating, 2 particles."""
        outer, core = self.outer.voxelise(grid), self.core.voxelise(grid)
        return torch.where(core, 2, torch.where(outer, 1, 0)).to(torch.uint8)

    def to_dict(self) -> dict[str, Any]:
        """As of the outsides, and the thickness of the coatings over the diameter."""
        return self.outer.to_dict() | {_KEY: self.thickness}


@dataclass(frozen=True)
class Coated(Particles):
    """Equal particles with a coating. An `Inclusions` family whose third phase is given.

    amount: thickness of the coating over the diameter of the coated particle. third: material of the coating.
    thickness: that of the placed particles.
    """

    name: str = "particles-coated"
    title: str = "Coated particles"
    summary: str = "equal particles with a coating of a given material and thickness, placed anew"
    phases: tuple[str, ...] = ("matrix", "coating", "particles")
    given: int = 1
    layered: bool = True
    amount: Parameter = _AMOUNT
    usual: float = 0.05
    thickness: float = 0.05
    third: Material | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.size, self.amount

    def with_third(self, material: Material, amount: float) -> Coated:
        """With a coating of this material and thickness (over the diameter)."""
        return replace(self, third=material, thickness=amount)

    def place(
        self, share: float, size: float, dim: int, *, grid: int, count: int = 1, generator: torch.Generator
    ) -> Sequence[CoatedPacking]:  # type: ignore[override]
        """As `Particles.place`, of the coated particles."""
        placed = super().place(share, size, dim, grid=grid, count=count, generator=generator)
        return [CoatedPacking(packing, self.thickness) for packing in placed]

    def _placed(
        self, share: float, particles: int, dim: int, grid: int, count: int, generator: torch.Generator
    ) -> Sequence[CoatedPacking]:  # type: ignore[override]
        placed = super()._placed(share, particles, dim, grid, count, generator)
        return [CoatedPacking(packing, self.thickness) for packing in placed]

    def estimate(self, catalogue: Catalogue, shares: ArrayLike, dim: int, quantity: str) -> NDArray:
        """Of particles that have the effective properties of a core in its coating."""
        if self.third is None:
            raise ValueError("coated particles need the material of their coating")
        core = (1.0 - 2.0 * self.thickness) ** dim
        names = tuple(phase_of(catalogue, quantity))
        coating = phase_of(Catalogue((self.third,)), quantity)
        coated = composite_phase(coating, phase_of(catalogue, quantity), core, dim, names)
        return pair_estimates(catalogue, shares, dim, quantity, inclusion=coated)

    def spheres(self, geometry: Mapping[str, Any]) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Outsides of the coatings, then cores."""
        outer = Packing.from_dict(geometry)
        return {1: outer.spheres, 2: CoatedPacking(outer, geometry[_KEY]).core.spheres}

    def body(self, geometry: Mapping[str, Any], tile: int, height: float, chord: float, phase: int = 0) -> Manifold:
        """Coated particles (phase 0), or one phase of them."""
        outer = super().body(geometry, tile, height, chord)
        if phase == 0:
            return outer
        core = CoatedPacking(Packing.from_dict(geometry), geometry[_KEY]).core.to_dict()
        inner = super().body(core, tile, height, chord)
        return inner if phase == 2 else outer - inner


COATED = Coated()
