"""Distributions of particle sizes: which diameters a cell of so many particles has.

A cell holds a whole number of particles, few of them. So sizes are not drawn: a distribution says what a number of
particles looks like that represents it best, and only their places are random.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor

from relaxdesign.microstructure.particles.packing import mean_diameter, particle_volume

MOST = 400
"""The most units of a distribution that one cell is asked to hold."""


class Distribution(Protocol):
    """Sizes of particles.

    fewest: units that represent it. plane, solid: shares of a cell, 2D and 3D, up to which random placements of any
    number of particles succeed, gaps included.
    """

    @property
    def fewest(self) -> int: ...
    @property
    def plane(self) -> float: ...
    @property
    def solid(self) -> float: ...

    def relative(self, count: int, dim: int) -> Tensor:
        """Diameters (particles,) of ``count`` units, float64, of which the mean weighted by volume is 1.

        A unit is the least by which the number of particles can change.
        """
        ...


@dataclass(frozen=True)
class TwoSizes:
    """Large particles, and small ones between them that hold a quarter of the particles' volume.

    ratio: of the two diameters. A unit is one large particle with its 9 (2D: 3) small ones, at a ratio of 3.
    """

    ratio: int = 3
    fewest: int = 1
    plane: float = 0.81
    solid: float = 0.69

    def small_ones(self, dim: int) -> int:
        """Small particles for each large one: a third of its volume."""
        return round(self.ratio**dim / 3)

    def relative(self, count: int, dim: int) -> Tensor:
        """See `Distribution`: the large ones first."""
        sizes = torch.ones(count * (1 + self.small_ones(dim)), dtype=torch.float64)
        sizes[count:] /= self.ratio
        return sizes / mean_diameter(sizes, dim)


@dataclass(frozen=True)
class LogNormal:
    """Particles of which the logarithms of the diameters are normally distributed, by number and so by volume.

    deviation: standard deviation of the (natural) logarithm. limit: in such deviations, beyond which there are none on
    either side. A unit is one particle; so many stand for as many equal parts of the distribution.
    """

    deviation: float = 0.5
    limit: float = 1.5
    fewest: int = 8
    plane: float = 0.81
    solid: float = 0.65

    def relative(self, count: int, dim: int) -> Tensor:
        """See `Distribution`: medians of equal parts of the truncated distribution, the largest first."""
        low, high = ndtr(-self.limit), ndtr(self.limit)
        parts = 1.0 - (np.arange(count) + 0.5) / count
        sizes = torch.from_numpy(np.exp(self.deviation * ndtri(low + (high - low) * parts)))
        return sizes / mean_diameter(sizes, dim)


@lru_cache(maxsize=16)
def moments(distribution: Distribution, dim: int) -> NDArray[np.float64]:
    """Sums of the powers 0 to dim of the relative diameters of 1 to ``MOST`` units, (dim + 1, MOST)."""
    sums = [[float((sizes**k).sum()) for k in range(dim + 1)] for sizes in _every(distribution, dim)]
    return np.array(sums).T


def _every(distribution: Distribution, dim: int) -> list[Tensor]:
    return [distribution.relative(count, dim) for count in range(1, MOST + 1)]


def limits(distribution: Distribution, low, high, sizes: tuple[float, float], dim: int):
    """Fewest and most units with which the mean diameter stays in a range, down to the share low and up to high.

    Accepts floats or arrays; where there are none, the fewest are more than the most.
    """
    whole = particle_volume(1.0, dim) * moments(distribution, dim)[dim]  # of particles whose mean diameter is 1
    smallest, largest = (size**dim for size in sizes)
    fewest = 1 + np.searchsorted(whole, np.asarray(high) / largest * (1 - 1e-9))
    most = np.searchsorted(whole, np.asarray(low) / smallest * (1 + 1e-9), side="right")
    return np.maximum(fewest, distribution.fewest), most


def nearest_count(distribution: Distribution, share, size: float, dim: int):
    """Units whose mean diameter comes nearest to a size where they fill a share. Accepts floats or arrays."""
    whole = particle_volume(size, dim) * moments(distribution, dim)[dim]
    above = np.searchsorted(whole, share).clip(1, MOST - 1)
    return above + (np.asarray(share) - whole[above - 1] > whole[above] - share)


def exact_size(distribution: Distribution, share, count, dim: int):
    """Mean diameter with which so many units fill a share. Accepts floats or arrays."""
    whole = particle_volume(1.0, dim) * moments(distribution, dim)[dim][np.asarray(count) - 1]
    return (share / whole) ** (1.0 / dim)
