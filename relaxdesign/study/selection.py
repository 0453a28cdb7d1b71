"""All ordered pairs of materials on offer, with estimates of what inclusions of one in the other can reach.

Closed forms of the family say which quantities are in reach at all, and for each pair the volume fraction that serves
the targets best. Nothing here is shown as a result.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels, Properties
from relaxdesign.materials.material import MAY_LACK
from relaxdesign.microstructure.base import Fit, Inclusions
from relaxdesign.physics.quantities import COEFFICIENTS, coefficients_of
from relaxdesign.study.merit import extreme_cost
from relaxdesign.study.objective import Objective, extremes_of, targets_of
from relaxdesign.study.tuning import TUNING

_FEW = 4
"""Materials on offer up to which a message names those that lack something."""
_GOOD_MISS = 1e-6
"""Estimated miss (coordinates) up to which a pair meets one target: rounding."""


class UnknownPropertyError(ValueError):
    """Too few of the materials on offer have a property that an objective needs."""


def with_known_properties(catalogue: Catalogue, objectives: Sequence[Objective]) -> Catalogue:
    """The materials of which all coefficients are known that an objective needs.

    Raises UnknownPropertyError when fewer than two are left, or not all of given phases.
    """
    for name in coefficients_of(objective.quantity for objective in objectives):
        if name not in MAY_LACK:
            continue
        if catalogue.third is not None and getattr(catalogue.third.material, name) is None:
            raise UnknownPropertyError(
                f"the {COEFFICIENTS[name].label} of {catalogue.third.material.name} is not known: take another third "
                "phase, or give it in an own catalogue"
            )
        known = tuple(m for m in catalogue.materials if getattr(m, name) is not None)
        if len(known) < (len(catalogue) if catalogue.given else 2):
            raise UnknownPropertyError(_unknown(name, catalogue, len(known)))
        catalogue = replace(catalogue, materials=known)
    return catalogue


def _unknown(name: str, catalogue: Catalogue, known: int) -> str:
    """What to do about a property that too few materials have; of few materials those that lack it, by name."""
    label, lacking = COEFFICIENTS[name].label, [m.name for m in catalogue.materials if getattr(m, name) is None]
    remedy = "give it in a catalogue of your own (page Materials, or --materials FILE)"
    if catalogue.given and len(catalogue) > 2:
        others = " and ".join(m.name for m in catalogue.materials if m.name not in lacking)
        return f"the {label} of {' and '.join(lacking)} is not known, that of {others} is: give another, or {remedy}"
    if len(catalogue) <= _FEW:
        return f"the {label} of {' and '.join(lacking)} is not known: offer other materials, or {remedy}"
    of = f"{known or 'none'} of the {len(catalogue)} materials on offer"
    return f"the {label} of {of} is known: offer others, or {remedy}"


@dataclass(frozen=True)
class Choice:
    """Materials that should serve the targets.

    pair: indices into the catalogue, that of the matrix first. share: of the inclusions. miss: estimated.
    """

    pair: tuple[int, int]
    share: float
    miss: float


def shares(family: Inclusions) -> NDArray[np.float64]:
    """Volume fractions at which estimates are made."""
    return np.linspace(*family.share.range, 24)


class PairTable:
    """For every ordered pair: the volume fraction that should serve the targets best, and how well.

    Depends on materials and objectives only: made once for all designs of a request.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        objectives: Sequence[Objective],
        family: Inclusions,
        dim: int,
        grid: int,
        *,
        robust: float = 0.0,
    ):
        self.catalogue, self.family, self.dim, self.grid, self.robust = catalogue, family, dim, grid, robust
        self.shares = shares(family)
        self.targets, self.extremes = targets_of(objectives), extremes_of(objectives)
        residuals = np.stack([target.gap(self._coordinates(target)) for target in self.targets])
        weights = np.array([target.weight for target in self.targets])
        share, miss = best_share(self.shares, residuals, weights)
        np.fill_diagonal(miss, np.inf)
        miss[share > catalogue.most_share] = np.inf
        limit = max(_GOOD_MISS, float(miss.min()) * 1.5) if miss.min() > TUNING.fair_miss else TUNING.fair_miss
        if len(self.targets) == 1:  # fractions that meet it exactly, or pairs that may in truth, though not by estimate
            limit = _GOOD_MISS if miss.min() <= _GOOD_MISS else float(miss.min()) + TUNING.estimate_error
        self.matrix, self.inclusion = np.nonzero(miss <= limit)
        self.miss = miss[self.matrix, self.inclusion]
        self.share = share[self.matrix, self.inclusion]

    def _coordinates(self, objective: Objective) -> NDArray[np.float64]:
        quantity = objective.quantity
        return objective.coordinate(self.family.estimate(self.catalogue, self.shares, self.dim, quantity))

    @cached_property
    def extreme_cost(self) -> NDArray[np.float64]:
        """What the quantities to be small or large cost, per pair; see `relaxdesign.study.merit`."""
        at = np.searchsorted(self.shares, self.share).clip(1, len(self.shares) - 1)
        estimates = {extreme.quantity: self._coordinates(extreme) for extreme in self.extremes}
        cost = extreme_cost(self.extremes, lambda name: estimates[name][at, self.matrix, self.inclusion])
        return np.zeros(len(self.matrix)) + cost

    @cached_property
    def fragility(self) -> NDArray[np.float64]:
        """Squared change of the targets' coordinates, per pair, if the volume fraction is off by ``robust``."""
        if self.robust == 0.0:
            return np.zeros(len(self.matrix))
        at = np.searchsorted(self.shares, self.share).clip(1, len(self.shares) - 1)
        square = np.zeros(len(self.matrix))
        for target in self.targets:
            values = self._coordinates(target)
            rise = values[at, self.matrix, self.inclusion] - values[at - 1, self.matrix, self.inclusion]
            square += np.square(self.robust * rise / (self.shares[at] - self.shares[at - 1]))
        return square

    def rank(self, fit: Fit, channels: Channels, taken: Collection[tuple[int, ...]] = ()) -> list[Choice]:
        """The pairs that serve the targets, in ascending order of cost.

        The cost adds up the squared distance from a sample (channels and volume fraction), the estimated miss and that
        which an inexact volume fraction would cause, the quantities to be small or large, gaps that the grid does not
        resolve, and that the pair is of no established class of composites; new kinds of materials lower it.
        taken: pairs that other designs of the result use.
        """
        matrix, inclusion, vf = self.matrix, self.inclusion, self.share
        points = channels.encode(self.catalogue.properties, axis=-1).numpy()
        far_matrix, far_inclusion = (np.square(points - phase.numpy()).sum(1) for phase in fit.phases)
        # A pair at the rim of the range of shares may fail to bracket the simulated target.
        rim = np.minimum(vf - self.shares[0], self.shares[-1] - vf) < 0.01
        gap_voxels = self.family.gap_voxels(vf, fit.parameters[self.family.size.name], self.dim, self.grid)
        unresolved = crowded(gap_voxels, contrast(self.catalogue.properties, matrix, inclusion))
        cost = (
            far_matrix[matrix]
            + far_inclusion[inclusion]
            + np.square(vf - fit.parameters[self.family.share.name])
            + self.extreme_cost
            + TUNING.miss_weight * (np.square(self.miss) + self.fragility)
            + TUNING.rim_cost * rim
            + TUNING.unresolved_cost * unresolved
            + TUNING.merely_plausible * (vf > self.catalogue.usual_share[matrix, inclusion])
        )
        # New kinds are worth something where the pair serves, little where it misses.
        new = worth_of_new_kinds(self.catalogue, taken, self.extremes)
        serving = 1.0 / (1.0 + np.square(self.miss / TUNING.near_miss))
        cost -= serving * new[matrix, inclusion]
        order = np.argsort(cost, kind="stable")
        ranked = (Choice((int(matrix[i]), int(inclusion[i])), float(vf[i]), float(self.miss[i])) for i in order)
        return [choice for choice in ranked if choice.pair not in taken]

    def corrected(self, choice: Choice, offsets: NDArray[np.float64]) -> Choice:
        """The choice with estimates shifted by what simulation showed: offsets of the targets' coordinates."""
        two = Catalogue(tuple(self.catalogue.materials[i] for i in choice.pair))
        curves = [
            t.coordinate(self.family.estimate(two, self.shares, self.dim, t.quantity)[:, :1, 1:]) for t in self.targets
        ]
        residuals = [t.gap(c + shift) for t, c, shift in zip(self.targets, curves, offsets, strict=True)]
        weights = np.array([t.weight for t in self.targets])
        share, miss = best_share(self.shares, np.stack(residuals), weights)
        return Choice(choice.pair, float(share[0, 0]), float(miss[0, 0]))


def worth_of_new_kinds(
    catalogue: Catalogue,
    taken: Collection[tuple[int, ...]],
    extremes: Sequence[Objective] = (),
    *,
    each: float = TUNING.known_kind,
) -> NDArray[np.float64]:
    """Worth of the new kinds of each pair (matrix, inclusions): their number times the worth of one.

    A kind is a cell of the property grid; it is new if no taken pair has it. each: worth of one in squared channel
    units, as the distance from a sample is measured. extremes: quantities to be small or large; the larger their
    weights, the less a new kind is worth.
    """
    cells = catalogue.property_cell
    new = ~np.isin(cells, cells[[index for pair in taken for index in pair]])
    second = new & (cells[:, None] != cells)  # of two materials of one kind, one counts
    worth = each / (1.0 + TUNING.extremes_over_kinds * sum(objective.weight for objective in extremes))
    return worth * (new[:, None].astype(np.float64) + second)


def best_share(
    shares: NDArray, residuals: NDArray, weights: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Volume fraction of the smallest weighted miss, and that miss, with residuals linear between the ``shares``.

    residuals: (targets, shares, matrix, inclusions). Returns two arrays (matrix, inclusions).
    """
    weights = (weights / weights.sum())[:, None, None, None]
    start, change = residuals[:, :-1], np.diff(residuals, axis=1)
    slope = (weights * change**2).sum(0)
    part = np.clip(-(weights * start * change).sum(0) / np.where(slope > 0, slope, 1.0), 0.0, 1.0)
    square = (weights * (start + part * change) ** 2).sum(0)
    best = square.argmin(0)[None]
    share = shares[:-1, None, None] + part * np.diff(shares)[:, None, None]
    return np.take_along_axis(share, best, 0)[0], np.sqrt(np.take_along_axis(square, best, 0)[0])


def contrast(properties: Properties, matrix, inclusion) -> np.ndarray:
    """How many times stiffer inclusions are than the matrix, the larger of K and G. matrix, inclusion: indices."""
    ratios = [values.numpy()[inclusion] / values.numpy()[matrix] for values in (properties.bulk, properties.shear)]
    return np.maximum(*ratios)


def crowded(gap_voxels, stiffer):
    """Whether the grid is too coarse: less than a voxel of matrix lies between inclusions more than 10 × stiffer.

    docs/verification.md measures the error: at half a voxel K is too large by a factor of 2 for 130 × stiffer spheres,
    and by 3 % for 7 × stiffer ones.
    """
    return (gap_voxels < 1.0) & (stiffer > 10.0)
