"""All ordered pairs of materials on offer, with estimates of what particles of one in the other can reach.

Estimates (`relaxdesign.microstructure.particles.estimates`) say which quantities are in reach at all, and for each pair
the volume fraction that serves the targets best. Nothing here is shown as a result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels, Properties
from relaxdesign.materials.material import MAY_LACK
from relaxdesign.microstructure.particles.estimates import estimate_conductivity, estimate_stiffness
from relaxdesign.microstructure.particles.packing import (
    DIAMETER_RANGE,
    VOLUME_FRACTION_RANGE,
    particle_count,
    particle_diameter,
    smallest_gap,
)
from relaxdesign.microstructure.particles.projection import Projection
from relaxdesign.physics.conduction import CONDUCTION, CONDUCTIVITY
from relaxdesign.physics.elasticity import BULK, ELASTICITY, SHEAR
from relaxdesign.physics.quantities import COEFFICIENTS, PHYSICS, QUANTITIES, coefficients_of
from relaxdesign.study.merit import extreme_cost
from relaxdesign.study.request import Objective

FRACTIONS = np.linspace(*VOLUME_FRACTION_RANGE, 24)
# A pair serves the targets if its estimated miss (coordinates) is below this, or not far above the smallest of all.
_GOOD_MISS = 1e-6
_FAIR_MISS = 0.05
# Estimates of dense cells err by so much (coordinates): stiff spheres in a soft matrix are up to twice as stiff.
_ESTIMATE_ERROR = 0.7
# A pair that misses by more than this gains little by being of a new kind.
_NEAR_MISS = 0.01
KNOWN_KIND = 10.0
"""What it costs a pair, per phase, that designs of the result use this kind of material already, in squared channel
units: more than nearly all samples are away from a pair that serves, so that new kinds come first and the nearest of
those next. See docs/results.md for what it does."""


Phase = Mapping[str, NDArray[np.float64]]


class UnknownPropertyError(ValueError):
    """Too few of the materials on offer have a property that an objective needs."""


def with_known_properties(catalogue: Catalogue, objectives: Sequence[Objective]) -> Catalogue:
    """The materials of which all coefficients are known that an objective needs.

    Raises UnknownPropertyError when fewer than two are left.
    """
    for name in coefficients_of(objective.quantity for objective in objectives):
        if name not in MAY_LACK:
            continue
        known = tuple(m for m in catalogue.materials if getattr(m, name) is not None)
        if len(known) < 2:
            raise UnknownPropertyError(
                f"the {COEFFICIENTS[name].label} of {len(known) or 'none'} of the materials on offer is known: "
                "offer others, or give it in an own catalogue"
            )
        catalogue = Catalogue(known)
    return catalogue


def _estimate_elastic(name: str, matrix: Phase, particle: Phase, vf: NDArray, dim: int) -> NDArray[np.float64]:
    K, G = BULK.name, SHEAR.name
    return estimate_stiffness(matrix[K], matrix[G], particle[K], particle[G], vf, dim).quantity(name)


def _estimate_conduction(name: str, matrix: Phase, particle: Phase, vf: NDArray, dim: int) -> NDArray[np.float64]:
    return estimate_conductivity(matrix[CONDUCTIVITY.name], particle[CONDUCTIVITY.name], vf, dim)


ESTIMATES = {ELASTICITY.name: _estimate_elastic, CONDUCTION.name: _estimate_conduction}
"""Closed forms for particles, by the name of the physics, arguments as of `relaxdesign.physics.base.Mixture`."""


def pair_estimates(catalogue: Catalogue, fractions: ArrayLike, dim: int, name: str) -> NDArray[np.float64]:
    """Estimates (len(fractions), matrix, particle) of a quantity for every ordered pair of materials."""
    vf = np.asarray(fractions, dtype=np.float64)[:, None, None]
    particle = {key: catalogue.column(key) for key in coefficients_of([name])}
    matrix = {key: values[:, None] for key, values in particle.items()}
    physics = PHYSICS[QUANTITIES[name].physics]
    if physics.mixture is not None:
        return physics.mixture(name, matrix, particle, vf, dim)
    estimate = ESTIMATES[physics.name](name, matrix, particle, vf, dim)
    return np.broadcast_to(estimate, (len(vf), len(catalogue), len(catalogue)))


@dataclass(frozen=True)
class Candidate:
    """A pair of materials that should serve the targets. indices into the catalogue; miss: estimated."""

    matrix: int
    particle: int
    volume_fraction: float
    miss: float


class PairTable:
    """For every ordered pair: the volume fraction that should serve the targets best, and how well.

    Depends on materials and objectives only: made once for all designs of a request.
    """

    def __init__(self, catalogue: Catalogue, objectives: Sequence[Objective], dim: int, grid: int):
        self.catalogue, self.dim, self.grid = catalogue, dim, grid
        self.targets = [objective for objective in objectives if objective.sense == "reach"]
        self.extremes = [objective for objective in objectives if objective.sense != "reach"]
        residuals = np.stack([o.gap(self._coordinates(o.quantity)) for o in self.targets])
        weights = np.array([target.weight for target in self.targets])
        fraction, miss = best_fraction(residuals, weights)
        np.fill_diagonal(miss, np.inf)
        limit = max(_GOOD_MISS, float(miss.min()) * 1.5) if miss.min() > _FAIR_MISS else _FAIR_MISS
        if len(self.targets) == 1:  # fractions that meet it exactly, or pairs that may in truth, though not by estimate
            limit = _GOOD_MISS if miss.min() <= _GOOD_MISS else float(miss.min()) + _ESTIMATE_ERROR
        self.matrix, self.particle = np.nonzero(miss <= limit)
        self.miss = miss[self.matrix, self.particle]
        self.fraction = fraction[self.matrix, self.particle]

    def _coordinates(self, name: str) -> NDArray[np.float64]:
        return QUANTITIES[name].coordinate(pair_estimates(self.catalogue, FRACTIONS, self.dim, name))

    @cached_property
    def extreme_cost(self) -> NDArray[np.float64]:
        """What the quantities to be small or large cost, per pair; see `relaxdesign.study.merit`."""
        at = np.searchsorted(FRACTIONS, self.fraction).clip(1, len(FRACTIONS) - 1)
        cost = extreme_cost(self.extremes, lambda name: self._coordinates(name)[at, self.matrix, self.particle])
        return np.zeros(len(self.matrix)) + cost

    def rank(
        self, projection: Projection, channels: Channels, taken: Collection[tuple[int, int]] = ()
    ) -> list[Candidate]:
        """The pairs that serve the targets, those near a sample first.

        Near means close in channel units and volume fraction; good in what is to be small or large, resolved by the
        grid, and of kinds that the result has not yet, count as well. taken: pairs that other designs of it use.
        """
        matrix, particle, vf = self.matrix, self.particle, self.fraction
        points = channels.encode(self.catalogue.properties, axis=-1).numpy()
        far_matrix = np.square(points - projection.matrix.numpy()).sum(1)
        far_particle = np.square(points - projection.particle.numpy()).sum(1)
        # A pair at the rim of the range of fractions may fail to bracket the simulated target.
        rim = np.minimum(vf - FRACTIONS[0], FRACTIONS[-1] - vf) < 0.01
        diameter = float(np.clip(projection.diameter, *DIAMETER_RANGE))
        count = particle_count(torch.from_numpy(vf), diameter, self.dim)
        exact = particle_diameter(torch.from_numpy(vf), count, self.dim)
        gap_voxels = self.grid * smallest_gap(count, exact, self.grid, self.dim).numpy()
        unresolved = crowded(gap_voxels, contrast(self.catalogue.properties, matrix, particle))
        cost = (
            far_matrix[matrix]
            + far_particle[particle]
            + np.square(vf - projection.volume_fraction)
            + self.extreme_cost
            + 25.0 * np.square(self.miss)
            + 0.05 * rim
            + 0.05 * unresolved
        )
        # New kinds are worth something where the pair serves, little where it misses.
        new = worth_of_new_kinds(self.catalogue, taken, self.extremes)
        serving = 1.0 / (1.0 + np.square(self.miss / _NEAR_MISS))
        cost -= serving * new[matrix, particle]
        order = np.argsort(cost, kind="stable")
        ranked = (Candidate(int(matrix[i]), int(particle[i]), float(vf[i]), float(self.miss[i])) for i in order)
        return [pair for pair in ranked if (pair.matrix, pair.particle) not in taken]

    def corrected(self, pair: Candidate, offsets: NDArray[np.float64]) -> Candidate:
        """The pair with estimates shifted by what simulation showed: offsets of the targets' coordinates."""
        two = Catalogue((self.catalogue.materials[pair.matrix], self.catalogue.materials[pair.particle]))
        curves = [
            QUANTITIES[t.quantity].coordinate(pair_estimates(two, FRACTIONS, self.dim, t.quantity)[:, :1, 1:])
            for t in self.targets
        ]
        residuals = [t.gap(c + shift) for t, c, shift in zip(self.targets, curves, offsets, strict=True)]
        fraction, miss = best_fraction(np.stack(residuals), np.array([t.weight for t in self.targets]))
        return Candidate(pair.matrix, pair.particle, float(fraction[0, 0]), float(miss[0, 0]))


def worth_of_new_kinds(
    catalogue: Catalogue,
    taken: Collection[tuple[int, int]],
    extremes: Sequence[Objective] = (),
    *,
    each: float = KNOWN_KIND,
) -> NDArray[np.float64]:
    """Of each pair (matrix, particle): how many kinds it has that pairs which are taken have not, times their worth.

    A kind is a cell of the property grid. each: worth of one in squared channel units, to be weighed against the
    distance from a sample. extremes: what is to be small or large, which counts for more than variety, the more the
    larger its weight.
    """
    cells = catalogue.property_cell
    new = ~np.isin(cells, cells[[index for pair in taken for index in pair]])
    second = new & (cells[:, None] != cells)  # of two materials of one kind, one counts
    # Of ``KNOWN_KIND`` 0.12 is left beside a weight of 1: a density smaller by a factor of 3, see the cost in ``rank``.
    worth = each / (1.0 + 85.0 * sum(objective.weight for objective in extremes))
    return worth * (new[:, None].astype(np.float64) + second)


def best_fraction(residuals: NDArray, weights: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Volume fraction of the smallest weighted miss, and that miss, with residuals linear between ``FRACTIONS``.

    residuals: (targets, fractions, matrix, particle). Returns two arrays (matrix, particle).
    """
    weights = (weights / weights.sum())[:, None, None, None]
    start, change = residuals[:, :-1], np.diff(residuals, axis=1)
    slope = (weights * change**2).sum(0)
    part = np.clip(-(weights * start * change).sum(0) / np.where(slope > 0, slope, 1.0), 0.0, 1.0)
    square = (weights * (start + part * change) ** 2).sum(0)
    best = square.argmin(0)[None]
    fraction = FRACTIONS[:-1, None, None] + part * np.diff(FRACTIONS)[:, None, None]
    return np.take_along_axis(fraction, best, 0)[0], np.sqrt(np.take_along_axis(square, best, 0)[0])


def contrast(properties: Properties, matrix, particle) -> np.ndarray:
    """How many times stiffer particles are than the matrix, the larger of K and G. matrix, particle: indices."""
    ratios = [values.numpy()[particle] / values.numpy()[matrix] for values in (properties.bulk, properties.shear)]
    return np.maximum(*ratios)


def crowded(gap_voxels, stiffer):
    """Whether a grid makes too stiff what lies so near: less than a voxel of matrix between particles > 10 × stiffer.

    Measured in docs/verification.md: at half a voxel K of 130 × stiffer spheres is twice too large, of 7 × stiffer ones
    3 %.
    """
    return (gap_voxels < 1.0) & (stiffer > 10.0)
