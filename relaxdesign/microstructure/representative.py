"""Whether an image is large enough to stand for its material: properties of sub-volumes of growing size.

Kanit, Forest, Galliet, Mounoury & Jeulin (2003, doi:10.1016/S0020-7683(03)00143-4): the variance of an apparent
property over volumes V falls as D²(V) = (A / V)^α times a constant, α = 1 where correlations are short, and the mean
over volumes drifts with their size as the boundary counts less. Both are fitted on one image cut into blocks; the
interval for the infinite medium is the value of the whole image, give or take what its size leaves of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.special import digamma
from scipy.stats import t as student

CONFIDENCE = 0.95
"""Of intervals."""

LEAST_EDGE = 8
"""Voxels per edge of the smallest blocks: smaller ones tell of the grid."""

MOST_BLOCKS = {2: 64, 3: 27}
"""Blocks of one size that are computed, by dimension."""

_PARTS = (8, 6, 4, 3, 2)
_LEAST_ALPHA = 0.2  # a slower fall cannot be told from none on one image

Block = tuple[slice, slice, slice]
Measure = Callable[[Block], Mapping[str, float]]


@dataclass(frozen=True)
class Size:
    """Apparent values of blocks of one size.

    edge: in voxels. count: of the blocks. mean, deviation: by quantity; the standard deviation over blocks.
    """

    edge: int
    count: int
    mean: dict[str, float]
    deviation: dict[str, float]


@dataclass(frozen=True)
class Estimate:
    """A quantity of the infinite medium, from one image.

    value: of the whole image. alpha: exponent of the variance. scatter: half-width of the interval from the scatter at
    the size of the image. drift: distance from the value to where the means lead. low, high: the interval.
    """

    value: float
    alpha: float
    scatter: float
    drift: float
    dim: int

    @property
    def half_width(self) -> float:
        """Of the interval around the value."""
        return self.scatter + self.drift

    @property
    def relative(self) -> float:
        """The half-width over the value."""
        return self.half_width / abs(self.value) if self.value else math.inf

    def enlargement(self, within: float) -> float:
        """How many times as long an image must be for a relative half-width ``within``; 1 where this one will do.

        The scatter falls as the edge to the power dim α / 2, the drift as the edge.
        """
        allowed = within * abs(self.value)
        if allowed <= 0.0:
            return math.inf
        low, high = 1.0, 1e4
        for _ in range(60):
            middle = math.sqrt(low * high)
            left = self.scatter * middle ** (-0.5 * self.dim * self.alpha) + self.drift / middle
            low, high = (low, middle) if left <= allowed else (middle, high)
        return 1.0 if self.half_width <= allowed else high

    def to_dict(self, within: float) -> dict[str, Any]:
        """JSON form."""
        return {
            "value": self.value,
            "low": self.value - self.half_width,
            "high": self.value + self.half_width,
            "relative": self.relative,
            "scatter": self.scatter,
            "drift": self.drift,
            "alpha": self.alpha,
            "representative": self.relative <= within,
            "enlargement": self.enlargement(within),
        }


@dataclass(frozen=True)
class Representativity:
    """What one image tells of the infinite medium. sizes: from the smallest blocks up. estimates: by quantity."""

    shape: tuple[int, ...]
    sizes: tuple[Size, ...]
    estimates: dict[str, Estimate]


def representativity(
    shape: Sequence[int], measure: Measure, *, most: int | None = None, seed: int = 0
) -> Iterator[tuple[int, int, Representativity | None]]:
    """Measures blocks of growing size and the whole image, and estimates all quantities.

    Args:
        shape: of the image, (nx, ny, nz). measure: quantities by name, of a block.
        most: blocks of one size, chosen at random among all; None: `MOST_BLOCKS`.

    Yields blocks that are done, blocks in all, and at the end the result.

    Raises ValueError for an image that is too small to be cut.
    """
    edges, dim = block_edges(shape), 2 if shape[2] == 1 else 3
    generator = np.random.default_rng(seed)
    chosen = {edge: _some(blocks(shape, edge), most or MOST_BLOCKS[dim], generator) for edge in edges}
    total, done = sum(map(len, chosen.values())) + 1, 0
    sizes = []
    for edge, places in chosen.items():
        values: list[Mapping[str, float]] = []
        for place in places:
            values.append(measure(place))
            done += 1
            yield done, total, None
        sizes.append(_size(edge, values))
    whole = measure((slice(None), slice(None), slice(None)))
    estimates = {name: estimate(shape, sizes, name, value) for name, value in whole.items()}
    yield total, total, Representativity(tuple(shape), tuple(sizes), estimates)


def block_edges(shape: Sequence[int]) -> list[int]:
    """Edges of the blocks in voxels, ascending: parts of the shortest edge of the image.

    Raises ValueError for an image whose halves are smaller than `LEAST_EDGE` voxels.
    """
    shortest = min(count for count in (*shape[:2], shape[2] if shape[2] > 1 else shape[0]))
    edges = sorted({shortest // parts for parts in _PARTS if shortest // parts >= LEAST_EDGE})
    if len(edges) < 2:
        raise ValueError(
            f"the image has {' x '.join(map(str, shape))} voxels; blocks of two sizes of at least {LEAST_EDGE} voxels "
            f"per edge need {3 * LEAST_EDGE}: give a larger one"
        )
    return edges


def blocks(shape: Sequence[int], edge: int) -> list[Block]:
    """Blocks side by side, as many as there is room for, in the middle of the image."""
    starts = []
    for count in shape:
        number = max(1, count // edge)
        first = (count - number * edge) // 2 if count > 1 else 0
        starts.append([(first + i * edge, edge) if count > 1 else (0, 1) for i in range(number)])
    return [(slice(x, x + a), slice(y, y + b), slice(z, z + c)) for (x, a), (y, b), (z, c) in product(*starts)]


def estimate(shape: Sequence[int], sizes: Sequence[Size], name: str, value: float) -> Estimate:
    """A quantity of the infinite medium from its blocks and its value of the whole image."""
    dim = 2 if shape[2] == 1 else 3
    volume = float(np.prod(shape))
    volumes, counts = np.array([float(s.edge) ** dim for s in sizes]), np.array([s.count for s in sizes])
    deviations = np.array([size.deviation[name] for size in sizes])
    if not (deviations > 0.0).any():
        return Estimate(value, 1.0, 0.0, 0.0, dim)
    kept = deviations > 0.0
    constant, alpha = variance_law(volumes[kept], deviations[kept] ** 2, counts[kept])
    factor = float(student.ppf(0.5 + 0.5 * CONFIDENCE, max(1, int((counts - 1).sum()))))
    scatter = factor * math.sqrt(constant * volume**-alpha)
    means = np.array([size.mean[name] for size in sizes])
    lengths = np.array([*(size.edge for size in sizes), volume ** (1.0 / dim)])
    errors = np.sqrt(constant * np.array([*(volumes**-alpha / counts), volume**-alpha]))
    _, limit = np.polyfit(1.0 / lengths, [*means, value], 1, w=1.0 / errors)
    return Estimate(value, alpha, scatter, abs(float(limit) - value), dim)


def variance_law(volumes: np.ndarray, variances: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """c and α of D²(V) = c V^-α, α at most 1, by least squares of the logarithms.

    The logarithm of a variance from n blocks lies digamma((n-1)/2) - ln((n-1)/2) too low on average and scatters by
    about 2/(n-1), which are taken into account.
    """
    free = 0.5 * (counts - 1.0)
    logs, weights = np.log(variances) - (digamma(free) - np.log(free)), np.sqrt(free)
    alpha = 1.0
    if len(volumes) > 1:
        alpha = float(np.clip(-np.polyfit(np.log(volumes), logs, 1, w=weights)[0], _LEAST_ALPHA, 1.0))
    return float(np.exp(np.average(logs + alpha * np.log(volumes), weights=weights**2))), alpha


def correlation(field: np.ndarray) -> np.ndarray:
    """Normalised covariance of a field (nx, ny, nz) by distance in voxels, averaged over directions; 1 at distance 0.

    The image is not taken as periodic. Up to half of its shortest edge. A field without contrast has none: zeros.
    """
    from relaxdesign.microstructure.correlation import radial_average

    centred = field - field.mean()
    if not (variance := float(np.mean(centred**2))):
        return np.zeros(1)
    padded = [2 * n if n > 1 else 1 for n in field.shape]

    def correlated(values: np.ndarray) -> np.ndarray:
        return np.fft.ifftn(abs(np.fft.fftn(values, padded, axes=(0, 1, 2))) ** 2, axes=(0, 1, 2)).real

    pairs = np.maximum(correlated(np.ones(field.shape)), 0.5)
    shifted = np.fft.fftshift(correlated(centred) / pairs)
    _, mean = radial_average(shifted)
    return mean[: 1 + max(1, min(n for n in field.shape if n > 1) // 2)] / variance


def correlation_length(field: np.ndarray) -> float | None:
    """Distance in voxels at which the covariance of a field falls to 1/e; None where it does not within the image."""
    values = correlation(field)
    below = np.flatnonzero(values < 1.0 / math.e)
    if not len(below) or below[0] == 0:
        return None
    first = int(below[0])
    step = (values[first - 1] - 1.0 / math.e) / (values[first - 1] - values[first])
    return first - 1 + float(step)


def integral_range(sizes: Sequence[Size], name: str, variance: float, dim: int) -> float:
    """A in voxels^dim, with D²(V) = variance A / V, of the mean of a field whose point variance is known."""
    volumes, counts = np.array([float(s.edge) ** dim for s in sizes]), np.array([s.count for s in sizes])
    found = np.array([size.deviation[name] ** 2 for size in sizes]) * volumes / variance
    return float(np.average(found, weights=counts - 1.0))


def _some(places: list[Block], most: int, generator: np.random.Generator) -> list[Block]:
    if len(places) <= most:
        return places
    return [places[index] for index in sorted(generator.choice(len(places), most, replace=False))]


def _size(edge: int, values: Sequence[Mapping[str, float]]) -> Size:
    columns = {name: np.array([each[name] for each in values]) for name in values[0]}
    return Size(
        edge,
        len(values),
        {name: float(column.mean()) for name, column in columns.items()},
        {name: float(column.std(ddof=1)) for name, column in columns.items()},
    )
