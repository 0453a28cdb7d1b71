"""Particles as powders are: families of unlike particles, which fill more of a cell than equal ones.

The size of such a powder is the mean of its diameters weighted by volume (in 2D by area), as laser diffraction tells it
(D[4, 3]): all diameters grow with it in proportion. No prior of their own: the shipped ones, trained on equal particles
of up to half of the cell, serve. Fractions beyond come from the choice of materials and refinement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from relaxdesign.microstructure.base import Parameter, PlacementError
from relaxdesign.microstructure.particles.dense import pack_apart
from relaxdesign.microstructure.particles.distributions import (
    Distribution,
    LogNormal,
    TwoSizes,
    exact_size,
    limits,
    moments,
    nearest_count,
)
from relaxdesign.microstructure.particles.family import Particles
from relaxdesign.microstructure.particles.fitting import Reading
from relaxdesign.microstructure.particles.packing import Packing, particle_volume

_NEWTON = 8


@dataclass(frozen=True)
class Powder(Particles):
    """Unlike particles without overlap. An `Inclusions` family. distribution: of their diameters."""

    distribution: Distribution = field(default_factory=TwoSizes)

    @property
    def reading(self) -> Reading:
        """How samples are read: discs of unlike radii may explain a phase."""
        return Reading(
            largest_share=self.share.in_dimension(2).high + 0.05,
            smallest_disc=0.3,
            alike=False,
            sizes=self.size.in_dimension(2).range,
            typical=(0.4, 0.29),
        )

    def place(
        self, share: float, size: float, dim: int, *, grid: int, count: int = 1, generator: torch.Generator
    ) -> Sequence[Packing]:
        """``count`` random placements of exactly this volume fraction, of the number of particles nearest to a size.

        Raises PlacementError when the request is outside the supported range or no placement was found.
        """
        self._check(share, size, dim)
        fewest, most = self._counts(share, share, dim)
        units = int(np.clip(self._nearest(share, size, dim), fewest, max(fewest, most)))
        return self._placed(share, units, dim, grid, count, generator)

    def gap_voxels(self, share: NDArray, size: float, dim: int, grid: int) -> NDArray[np.float64]:
        """Voxels between neighbours that placements keep, by share; less where that fails."""
        sizes = self.size.in_dimension(dim)
        fewest, most = limits(self.distribution, share, share, sizes.range, dim)
        units = np.clip(
            nearest_count(self.distribution, share, sizes.clip(size), dim), fewest, np.maximum(fewest, most)
        )
        return grid * self._gap(share, units, dim, grid)

    def _counts(self, low: float, high: float, dim: int) -> tuple[int, int]:
        """Fewest and most units of the distribution that keep a supported size."""
        fewest, most = limits(self.distribution, low, high, self.size.in_dimension(dim).range, dim)
        return int(fewest), int(most)

    def _nearest(self, share: float, size: float, dim: int) -> int:
        """Units that fill a share with about this mean size."""
        return int(nearest_count(self.distribution, share, size, dim))

    def _placed(
        self, share: float, particles: int, dim: int, grid: int, count: int, generator: torch.Generator
    ) -> Sequence[Packing]:
        """Placements of so many units."""
        units = particles
        relative = self.distribution.relative(units, dim)
        size = float(exact_size(self.distribution, share, units, dim))
        gap = float(self._gap(np.array(share), np.array(units), dim, grid))
        diameters = (size * relative).numpy()
        places = (pack_apart(diameters, gap, dim, generator) for _ in range(count))
        return [Packing(torch.from_numpy(centres), size, relative) for centres in places]

    def _gap(self, share: NDArray, units: NDArray, dim: int, grid: int) -> NDArray[np.float64]:
        """By which particles can be larger until they fill as much of the cell as packs, at most a voxel's diagonal."""
        sums = moments(self.distribution, dim)[:, units - 1]
        size = exact_size(self.distribution, share, units, dim)
        powers, full = range(dim + 1), self.distribution.plane if dim == 2 else self.distribution.solid
        terms = [math.comb(dim, k) * sums[k] * size**k for k in powers]  # of the sum of (size x relative + gap)^dim
        gap = np.zeros(np.shape(share))
        for _ in range(_NEWTON):  # convex and rising: from the second step on from above
            filled = sum(term * gap ** (dim - k) for k, term in zip(powers, terms, strict=True))
            slope = sum((dim - k) * terms[k] * gap ** (dim - k - 1) for k in range(dim))
            gap = gap - (filled - full / particle_volume(1.0, dim)) / slope
        return np.clip(gap, 0.0, math.sqrt(dim) / grid)

    def _check(self, share: float, size: float, dim: int) -> None:
        """Raises PlacementError, naming the limit, unless the request can be placed."""
        if dim not in (2, 3):
            raise PlacementError(f"dim must be 2 or 3, got {dim}")
        for parameter, value, name in ((self.share, share, "volume fraction"), (self.size, size, "mean diameter")):
            low, high = parameter.in_dimension(dim).range
            if not low - 1e-9 <= value <= high + 1e-9:
                raise PlacementError(
                    f"the {name} {value:.3f} is outside {low:g}…{high:g}, where {self.title} are placed"
                )


TWO_SIZES = Powder(
    name="particles-two-sizes",
    title="Particles of two sizes",
    summary="particles of two sizes placed anew",
    share=Parameter("volume_fraction", "volume fraction", "vf", 0.05, 0.65, plane=(0.05, 0.75)),
    size=Parameter("diameter", "mean diameter", "d", 0.24, 0.4, plane=(0.15, 0.4)),
    distribution=TwoSizes(),
)
"""Three to one in diameter, the small ones a quarter of the volume: 0.4 and 1.2 of the mean across."""

LOG_NORMAL = Powder(
    name="particles-log-normal",
    title="Particles of many sizes",
    summary="particles of many sizes placed anew",
    share=Parameter("volume_fraction", "volume fraction", "vf", 0.1, 0.65, plane=(0.1, 0.75)),
    size=Parameter("diameter", "mean diameter", "d", 0.28, 0.38, plane=(0.12, 0.3)),
    distribution=LogNormal(),
)
"""Standard deviation of the logarithm 0.5, cut off at 1.5 of them: diameters from 1 to 4.5 (fewer particles: less)."""
