"""Two kinds of particles in one matrix: those that a design chooses, and a filler of which so much is given."""

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
from relaxdesign.microstructure.base import Parameter, PlacementError
from relaxdesign.microstructure.estimates import composite_phase, estimated, phase_of
from relaxdesign.microstructure.particles.dense import pack_apart
from relaxdesign.microstructure.particles.family import Particles
from relaxdesign.microstructure.particles.packing import (
    Packing,
    mean_diameter,
    particle_diameter,
    particle_volume,
    smallest_gap,
)

if TYPE_CHECKING:
    from manifold3d import Manifold

_KEY = "filler_share"

_AMOUNT = Parameter(_KEY, "volume fraction of the filler", "f", 0.02, 0.3, "of the cell")


@dataclass(frozen=True, eq=False)
class HybridPacking:
    """Particles of two kinds in one cell. particles: those that are resized. filler: those that stay as they are."""

    particles: Packing
    filler: Packing

    @property
    def whole(self) -> Packing:
        """All particles, whatever they are made of."""
        both = (self.particles, self.filler)
        return Packing.of(torch.cat([each.centres for each in both]), torch.cat([each.diameters for each in both]))

    @property
    def share(self) -> float:
        return self.particles.share + self.filler.share

    @property
    def size(self) -> float:
        return self.particles.size

    @property
    def gap(self) -> float:
        return self.whole.gap

    @property
    def parameters(self) -> dict[str, float]:
        return self.particles.parameters | {_KEY: self.filler.share}

    def with_share(self, share: float) -> HybridPacking:
        """The same centres and filler; the particles fill what is left of the share."""
        return replace(self, particles=self.particles.with_share(share - self.filler.share))

    def with_size(self, size: float) -> HybridPacking:
        """The same centres and filler."""
        return replace(self, particles=self.particles.with_size(size))

    def moved(self, distance: float) -> HybridPacking:
        """All particles of both kinds larger by a distance on all sides."""
        return HybridPacking(self.particles.moved(distance), self.filler.moved(distance))

    def largest_size(self, gap: float = 0.0) -> float:
        """Diameter at which the first particle comes so near another one, of either kind."""
        own = self.particles.largest_size(gap)
        offset = self.particles.centres[:, None] - self.filler.centres[None]
        apart = (offset - offset.round()).norm(dim=-1) - 0.5 * self.filler.diameters - gap
        return min(own, 2.0 * float(apart.min()))

    def shares(self, grid: int) -> Tensor:
        """Shares of particles and filler in every voxel, float64 (2, *(grid,)*dim)."""
        return torch.stack([self.particles.shares(grid), self.filler.shares(grid)])

    def voxelise(self, grid: int) -> Tensor:
        """Labels (grid,)*dim: 0 matrix, 1 particles, 2 filler."""
        particles, filler = self.particles.voxelise(grid), self.filler.voxelise(grid)
        return torch.where(particles, 1, torch.where(filler, 2, 0)).to(torch.uint8)

    def to_dict(self) -> dict[str, Any]:
        """As of the particles, and the same of the filler under ``filler``."""
        return self.particles.to_dict() | {"filler": self.filler.to_dict()}


@dataclass(frozen=True)
class Hybrid(Particles):
    """Equal particles and a filler of about their size. An `Inclusions` family whose third phase is given.

    amount: volume fraction of the filler. third: its material. filled: the fraction that is placed.
    """

    name: str = "particles-hybrid"
    title: str = "Two kinds of particles"
    summary: str = "equal particles beside a given share of a given filler, placed anew"
    phases: tuple[str, ...] = ("matrix", "particles", "filler")
    given: int = 2
    layered: bool = False
    amount: Parameter = _AMOUNT
    usual: float = 0.1
    filled: float = 0.1
    third: Material | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.size, self.amount

    def with_third(self, material: Material, amount: float) -> Hybrid:
        """With a filler of this material and volume fraction; particles fill at least 0.05 besides."""
        share = replace(self.share, low=amount + 0.05)
        return replace(self, third=material, filled=amount, share=share)

    def place(
        self, share: float, size: float, dim: int, *, grid: int, count: int = 1, generator: torch.Generator
    ) -> Sequence[HybridPacking]:  # type: ignore[override]
        """``count`` random cells in which both kinds together fill exactly this share, of about this size."""
        fewest, most = self._counts(share, share, dim)
        if fewest > most:
            raise PlacementError(f"no number of particles fills {share - self.filled:.3f} of the cell")
        particles = int(np.clip(self._nearest(share, size, dim), fewest, most))
        return self._placed(share, particles, dim, grid, count, generator)

    def _counts(self, low: float, high: float, dim: int) -> tuple[int, int]:
        return super()._counts(low - self.filled, high - self.filled, dim)

    def _nearest(self, share: float, size: float, dim: int) -> int:
        return super()._nearest(share - self.filled, size, dim)

    def _placed(
        self, share: float, particles: int, dim: int, grid: int, count: int, generator: torch.Generator
    ) -> Sequence[HybridPacking]:  # type: ignore[override]
        own = float(particle_diameter(share - self.filled, particles, dim))
        fillers = max(1, round(self.filled / particle_volume(own, dim)))
        other = float(particle_diameter(self.filled, fillers, dim))
        diameters = torch.tensor([own] * particles + [other] * fillers, dtype=torch.float64)
        gap = float(smallest_gap(len(diameters), mean_diameter(diameters, dim), grid, dim))
        cells = []
        for _ in range(count):
            centres = torch.from_numpy(pack_apart(diameters.numpy(), gap, dim, generator))
            order = torch.randperm(len(centres), generator=generator) if own == other else torch.arange(len(centres))
            centres = centres[order]
            cells.append(HybridPacking(Packing(centres[:particles], own), Packing(centres[particles:], other)))
        return cells

    def estimate(self, catalogue: Catalogue, shares: ArrayLike, dim: int, quantity: str) -> NDArray:
        """Of particles in what has the effective properties of the matrix with its filler."""
        if self.third is None:
            raise ValueError("two kinds of particles need the material of the filler")
        inclusion = phase_of(catalogue, quantity)
        filler = phase_of(Catalogue((self.third,)), quantity)
        found = []
        for share in np.atleast_1d(np.asarray(shares, dtype=np.float64)):
            own = share - self.filled
            filled = composite_phase(inclusion, filler, self.filled / (1.0 - own), dim, tuple(inclusion))
            matrix = {name: values[:, None] for name, values in filled.items()}
            found.append(np.broadcast_to(estimated(quantity, matrix, inclusion, own, dim), (len(catalogue),) * 2))
        return np.stack(found)

    def spheres(self, geometry: Mapping[str, Any]) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Particles, then filler."""
        return {1: Packing.from_dict(geometry).spheres, 2: Packing.from_dict(geometry["filler"]).spheres}

    def body(self, geometry: Mapping[str, Any], tile: int, height: float, chord: float, phase: int = 0) -> Manifold:
        """All particles (phase 0), or those of one kind."""
        kinds = {1: geometry, 2: geometry["filler"]}
        wanted = [kinds[phase]] if phase else list(kinds.values())
        bodies = [super(Hybrid, self).body(each, tile, height, chord) for each in wanted]
        return bodies[0] if len(bodies) == 1 else bodies[0] + bodies[1]


HYBRID = Hybrid()
