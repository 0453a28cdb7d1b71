"""What composites of the materials on offer can have together: targets that are each in reach may exclude each other.

The closed-form estimates of the family tell it for every pair of materials and volume fraction. They err where
fractions are high and contrasts large, so a conflict is said and never refused: a simulated design has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure.base import Inclusions
from relaxdesign.physics.quantities import QUANTITIES, format_value
from relaxdesign.study.family import family_of
from relaxdesign.study.objective import Objective, targets_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.selection import best_share, shares
from relaxdesign.study.tuning import TUNING

_KEPT = 1e4  # weight, relative to the others, of a target that is kept
_MET = 0.01  # coordinates within which a target is kept
_ALIKE = 0.01  # coordinates by which two compromises differ at least in one quantity
_MOST_KEPT = 3


@dataclass(frozen=True)
class Compromise:
    """A composite by estimate, near to several targets.

    matrix, inclusions: the pair. share: volume fraction of the inclusions. values: of the targets' quantities, by name.
    miss: weighted root mean square of what the targets are missed by, in their coordinates. kept: the quantity whose
    target it was to meet before the others; "" where it is nearest to all of them.
    """

    matrix: Material
    inclusions: Material
    share: float
    values: dict[str, float]
    miss: float
    kept: str = ""


class Together:
    """All pairs of materials under several objectives.

    catalogue: materials that may be combined, with the properties that the objectives need. objectives: two or more,
    a target among them.
    """

    def __init__(self, catalogue: Catalogue, objectives: Sequence[Objective], family: Inclusions, dim: int):
        self.catalogue, self.family, self.dim = catalogue, family, dim
        self.objectives, self.targets = tuple(objectives), targets_of(objectives)
        self.shares = shares(family)
        self._allowed = ~np.eye(len(catalogue), dtype=bool) & ~catalogue.forbidden
        self._coordinates = {objective.quantity: self._estimate(objective.quantity) for objective in objectives}

    def _estimate(self, name: str) -> NDArray[np.float64]:
        return QUANTITIES[name].coordinate(self.family.estimate(self.catalogue, self.shares, self.dim, name))

    @property
    def conflict(self) -> bool:
        """Whether no pair comes near to all targets, though for each there may be some."""
        return len(self.targets) > 1 and self.compromises[0].miss > TUNING.fair_miss

    @cached_property
    def compromises(self) -> tuple[Compromise, ...]:
        """The nearest to all targets, then for each of the first ones the nearest that meets it, if there is any."""
        found = [self._nearest()]
        for target in self.targets[:_MOST_KEPT] if len(self.targets) > 1 else ():
            candidate = self._nearest(target)
            off = abs(float(target.gap(target.coordinate(candidate.values[target.quantity]))))
            if off <= _MET and not any(_alike(candidate, other) for other in found):
                found.append(candidate)
        return tuple(found)

    def _nearest(self, kept: Objective | None = None) -> Compromise:
        """The pair and volume fraction nearest to all targets. kept: one that counts far more than the others."""
        residuals = np.stack([self._gap(target) for target in self.targets])
        weights = np.array([target.weight * (_KEPT if target is kept else 1.0) for target in self.targets])
        share, miss = best_share(self.shares, residuals, weights)
        miss = np.where(self._allowed & (share <= self.catalogue.most_share), miss, np.inf)
        m, p = np.unravel_index(int(miss.argmin()), miss.shape)
        at = float(share[m, p])
        values = {
            name: float(QUANTITIES[name].value(np.interp(at, self.shares, coordinates[:, m, p])))
            for name, coordinates in self._coordinates.items()
        }
        gaps = [float(t.gap(np.float64(t.coordinate(values[t.quantity])))) for t in self.targets]
        true = float(np.sqrt(np.average(np.square(gaps), weights=[target.weight for target in self.targets])))
        pair = self.catalogue.materials[int(m)], self.catalogue.materials[int(p)]
        return Compromise(*pair, at, values, true, "" if kept is None else kept.quantity)

    def _gap(self, target: Objective) -> NDArray[np.float64]:
        coordinates = self._coordinates[target.quantity]
        if target.scale is not None:  # misses count relative to an amount of the quantity
            coordinates = target.coordinate(QUANTITIES[target.quantity].value(coordinates))
        return target.gap(coordinates)

    def cloud(self, *names: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Values of all pairs that may be combined, at volume fractions that they can have.

        Returns (quantities, composites), and for every composite whether it is near to the targets of the quantities
        that are not named.
        """
        usable = self._allowed & (self.shares[:, None, None] <= self.catalogue.most_share)
        values = np.stack([QUANTITIES[name].value(self._coordinates[name][usable]) for name in names])
        near = np.ones(values.shape[1], dtype=bool)
        for target in self.targets:
            if target.quantity not in names:
                near &= np.abs(self._gap(target)[usable]) <= TUNING.fair_miss
        return values, near


def together(request: DesignRequest, materials: Catalogue) -> Together | None:
    """The materials on offer under the objectives of a request, with two or more; None where nothing estimates them.

    Cells of given phases and free-form cells have no estimates.
    """
    family = family_of(request.family, request.dim, materials)
    if len(request.objectives) < 2 or request.phases or not isinstance(family, Inclusions):
        return None
    return Together(materials, request.objectives, family, request.dim)


def in_words(compromise: Compromise, targets: Sequence[Objective]) -> str:
    """``K = 97.4 GPa (-19 %), G = 28.1 GPa (+42 %)``: values, and by how much they miss the targets."""
    told = []
    for target in targets:
        name, value = target.quantity, compromise.values[target.quantity]
        miss = target.miss(value)
        by = f"{100 * miss:+.0f} %" if QUANTITIES[name].positive and target.scale is None else f"{miss:+.2g}"
        told.append(f"{name} = {format_value(name, value)}{f' ({by})' if abs(miss) >= _MET / 2 else ''}")
    return ", ".join(told)


def conflict(found: Together | None) -> str:
    """What a user should know before targets that no pair comes near to; empty where there is nothing to say."""
    if found is None or not found.conflict:
        return ""
    told = [f"{'nearest to all:' if not c.kept else f'with {c.kept} kept:'} {in_words(c, found.targets)}"
            for c in found.compromises]  # fmt: skip
    return f"by estimate no pair of materials comes near to all; to be had are, {'; '.join(told)}"


def _alike(one: Compromise, other: Compromise) -> bool:
    def coordinates(of: Compromise) -> NDArray[np.float64]:
        return np.array([QUANTITIES[name].coordinate(value) for name, value in of.values.items()])

    return bool(np.abs(coordinates(one) - coordinates(other)).max() < _ALIKE)
