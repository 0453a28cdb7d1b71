"""Refinement and realisation: a projected design is moved onto its targets with real materials.

Refinement picks a pair of catalogue materials near the sample that can reach the targets, and
solves for the volume fraction at which the mean over random placements meets them. Realisation takes
one of those placements and fits its diameter until this very cell meets the targets.
Every quantity here comes from the evaluator in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels
from relaxdesign.microstructure.particles.packing import (
    DIAMETER_RANGE,
    VOLUME_FRACTION_RANGE,
    Packing,
    PackingError,
    particle_diameter,
    particle_volume,
    place_particles,
)
from relaxdesign.microstructure.particles.projection import Projection
from relaxdesign.physics.evaluator import Effective
from relaxdesign.physics.quantities import QUANTITIES, format_value
from relaxdesign.study.request import Objective
from relaxdesign.study.selection import Candidate, PairTable, pair_estimates
from relaxdesign.study.simulation import PLACEMENTS, PlacementValues, Simulation, verify

_MEAN_TOLERANCE = 2e-3  # relative, of the mean over placements; far below its spread
_REALISED_TOLERANCE = 1e-3
_TRIED_PAIRS = 12
_RESIZED_PAIRS = 3
# Several targets: what one fraction can do for all of them is good enough, and cells to find such pairs with.
_ACCEPTED = 0.01
_SCREENED = {2: 24, 3: 10}
_SCREENING_PLACEMENTS = {2: 3, 3: 1}


class RefinementError(ValueError):
    """No pair of materials near the sample reached the targets; the text says what was tried."""


@dataclass(frozen=True, eq=False)
class Refined:
    """Materials and volume fraction whose mean quantities meet the targets, and the placements measured."""

    matrix: int
    particle: int
    packings: tuple[Packing, ...]
    values: PlacementValues
    miss: float  # largest residual of the mean


@dataclass(frozen=True, eq=False)
class Realised:
    """The exported cell. phase: bool (*grid). effective: the verifying float64 solve of one cell."""

    phase: Tensor
    effective: Effective
    packing: Packing | None = None

    @property
    def values(self) -> dict[str, float]:
        return {name: float(value[0]) for name, value in self.effective.values.items()}


def refine(
    projection: Projection,
    table: PairTable,
    channels: Channels,
    simulation: Simulation,
    *,
    taken: Collection[tuple[int, int]] = (),
    generator: torch.Generator,
) -> Refined:
    """Materials and volume fraction near the sample whose mean quantities meet the targets.

    taken: pairs that other designs of the result already use. Where several targets cannot all be met, the pair that
    comes nearest. Raises RefinementError when none of the best pairs works out; the text tells the nearest value.
    """
    ranked = table.rank(projection, channels, taken)
    if not ranked:
        wanted = " and ".join(str(target) for target in simulation.targets)
        raise RefinementError(
            f"all pairs of the materials on offer that come near {wanted} are taken by other designs: "
            "offer more materials, allow the same pair again or ask for fewer candidates"
        )
    if len(simulation.targets) > 1:
        ranked = _screened(ranked, table, simulation, projection.diameter, generator)
        return _compromise(ranked[:_TRIED_PAIRS], projection.diameter, table, simulation, generator)
    return _met(ranked[:_TRIED_PAIRS], projection.diameter, table, simulation, generator)


def _compromise(
    ranked: list[Candidate], diameter: float, table: PairTable, simulation: Simulation, generator: torch.Generator
) -> Refined:
    """Several targets: the first pair that meets them closely, else the one that misses them least."""
    best: Refined | None = None
    for pair in ranked:
        found = _FractionSearch(pair, diameter, table, simulation, generator).compromise()
        if found is not None and (best is None or found.miss < best.miss):
            best = found
        if best is not None and best.miss < _ACCEPTED:
            return best
    if best is None:
        raise RefinementError(f"particles of none of the {len(ranked)} pairs closest to the sample could be placed")
    return best


def _met(
    ranked: list[Candidate], diameter: float, table: PairTable, simulation: Simulation, generator: torch.Generator
) -> Refined:
    """One target: the first pair that meets it; else one of the nearest, with particles of another size.

    Values at the rim of what a pair can have, which miss the target a little, are taken only if no pair meets it.
    """
    near: list[tuple[Refined, Candidate]] = []
    for pair in ranked:
        search = _FractionSearch(pair, diameter, table, simulation, generator)
        if found := search.root():
            return found
        near += [(search.nearest, pair)] if search.nearest else []
    near.sort(key=lambda entry: entry[0].miss)
    if near and near[0][0].miss < _ACCEPTED:
        return near[0][0]
    for _, pair in near[:_RESIZED_PAIRS]:
        for size in DIAMETER_RANGE:
            search = _FractionSearch(pair, size, table, simulation, generator)
            if found := search.root():
                return found
            near += [(search.nearest, pair)] if search.nearest else []
    nearest = min((entry[0] for entry in near), key=lambda refined: refined.miss, default=None)
    if nearest is not None and nearest.miss < _ACCEPTED:
        return nearest
    raise RefinementError(_missed(simulation.targets[0], len(ranked), nearest, table.catalogue))


def _missed(target: Objective, tried: int, nearest: Refined | None, catalogue: Catalogue) -> str:
    """That no pair met the target, and the nearest value that one has."""
    text = f"the {tried} pairs of materials closest to the sample miss {target} at every volume fraction"
    if tried == 1:
        text = f"the only pair of materials that comes near {target} misses it at every volume fraction"
    if nearest is not None:
        matrix, particle = (catalogue.materials[i].name for i in (nearest.matrix, nearest.particle))
        value = format_value(target.quantity, nearest.values.mean[target.quantity])
        share = nearest.packings[0].volume_fraction
        text += f"; the nearest that can be had is {value}, with {100 * share:.0f} % of {particle} in {matrix}"
    return f"{text}: ask for that, use another seed or offer more materials"


def _screened(
    ranked: list[Candidate],
    table: PairTable,
    simulation: Simulation,
    diameter: float,
    generator: torch.Generator,
) -> list[Candidate]:
    """The best candidates, re-ordered by what a few simulated placements say of their estimates."""
    scored = []
    for rank, pair in enumerate(ranked[: _SCREENED[simulation.dim]]):
        matrix, particle = (table.catalogue.materials[i] for i in (pair.matrix, pair.particle))
        size = float(np.clip(diameter, *DIAMETER_RANGE))
        try:
            packings = place_particles(
                pair.volume_fraction,
                size,
                simulation.dim,
                grid=simulation.grid,
                count=_SCREENING_PLACEMENTS[simulation.dim],
                generator=generator,
            )
        except PackingError:
            continue
        simulated = simulation.placements(matrix, particle, packings).mean
        two = Catalogue((matrix, particle))
        offsets = []
        for target in simulation.targets:
            quantity = QUANTITIES[target.quantity]
            estimate = pair_estimates(two, [pair.volume_fraction], simulation.dim, target.quantity)[0, 0, 1]
            offsets.append(quantity.coordinate(simulated[target.quantity]) - quantity.coordinate(estimate))
        better = table.corrected(pair, np.array(offsets))
        scored.append((max(0.0, better.miss - 0.5 * _ACCEPTED) + 1e-4 * rank, better))
    return [pair for _, pair in sorted(scored, key=lambda entry: entry[0])]


class _FractionSearch:
    """Search for the volume fraction: mean quantities over fixed placements are smooth in it, K is monotone.

    Particles are placed once, at the largest fraction of the bracket, and then only shrink: the
    same centres serve all fractions, so the functions have no placement noise.
    """

    def __init__(
        self,
        pair: Candidate,
        diameter: float,
        table: PairTable,
        simulation: Simulation,
        generator: torch.Generator,
    ):
        self.pair, self.vf, self.diameter = pair, pair.volume_fraction, diameter
        self.materials = table.catalogue.materials[pair.matrix], table.catalogue.materials[pair.particle]
        self.simulation, self.generator = simulation, generator
        self.seen: dict[float, tuple[list[Packing], PlacementValues]] = {}
        self.nearest: Refined | None = None
        """Where `root` found nothing: what came nearest."""

    def root(self) -> Refined | None:
        """At the fraction that meets the one target; None if there is none."""
        low, high = VOLUME_FRACTION_RANGE
        for width in (0.06, 0.15, 0.3):
            bracket = max(low, self.vf - width), min(high, self.vf + width)
            if not self._place(*bracket):
                continue
            ends = [float(self._residuals(vf)[0]) for vf in bracket]
            if ends[0] * ends[1] < 0:
                brentq(_stop_early(lambda vf: float(self._residuals(vf)[0]), _MEAN_TOLERANCE), *bracket, xtol=2e-4)
            best = self._best()
            if best.miss < 5 * _MEAN_TOLERANCE and (ends[0] * ends[1] <= 0):
                return best
            if self.nearest is None or best.miss < self.nearest.miss:
                self.nearest = best
        return None

    def compromise(self) -> Refined | None:
        """At the fraction of the smallest weighted misses; None where none can be placed."""
        low, high = VOLUME_FRACTION_RANGE
        for width in (0.08, 0.03):
            bracket = max(low, self.vf - width), min(high, self.vf + width)
            if self._place(*bracket):
                _gauss_newton(self._residuals, self.vf, bracket, self._weights)
                return self._best()
        return None

    @property
    def _weights(self) -> NDArray[np.float64]:
        return np.array([target.weight for target in self.simulation.targets])

    def _best(self) -> Refined:
        """At the fraction, of those seen, of the smallest largest residual."""
        misses = {vf: float(np.abs(self._residuals(vf)).max()) for vf in self.seen}
        vf = min(misses, key=misses.__getitem__)
        packings, values = self.seen[vf]
        return Refined(self.pair.matrix, self.pair.particle, tuple(packings), values, misses[vf])

    def _place(self, low: float, high: float) -> bool:
        """Places as many particles as keep a supported diameter at both ends of the bracket, near the sample's."""
        dim = self.simulation.dim
        smallest, largest = (particle_volume(diameter, dim) for diameter in DIAMETER_RANGE)
        fewest, most = max(1, math.ceil(high / largest)), math.floor(low / smallest)
        if fewest > most:
            return False
        wanted = round(self.vf / particle_volume(float(np.clip(self.diameter, *DIAMETER_RANGE)), dim))
        self.count = int(np.clip(wanted, fewest, most))
        diameter = float(particle_diameter(high, self.count, dim))
        try:
            self.base = place_particles(
                high, diameter, dim, grid=self.simulation.grid, count=PLACEMENTS, generator=self.generator
            )
        except PackingError:
            return False
        self.seen = {}
        return True

    def _residuals(self, vf: float) -> NDArray[np.float64]:
        """Residuals of the targets at a fraction."""
        if vf not in self.seen:
            diameter = float(particle_diameter(vf, self.count, self.simulation.dim))
            packings = [Packing(packing.centres, diameter) for packing in self.base]
            self.seen[vf] = packings, self.simulation.placements(*self.materials, packings)
        return self.simulation.residuals(self.seen[vf][1].mean)


def _stop_early(function: Callable[[float], float], tolerance: float) -> Callable[[float], float]:
    """The function, zero as soon as it is small: root finding ends there."""

    def stopping(x: float) -> float:
        value = function(x)
        return 0.0 if abs(value) < tolerance else value

    return stopping


def _gauss_newton(
    residuals: Callable[[float], NDArray[np.float64]],
    start: float,
    bracket: tuple[float, float],
    weights: NDArray[np.float64],
    steps: int = 5,
) -> None:
    """Visits points x of ever smaller weighted Σ r²: Gauss–Newton with secant slopes."""
    before, x = start, start + (0.25 if start < sum(bracket) / 2 else -0.25) * (bracket[1] - bracket[0])
    old = residuals(before)
    for _ in range(steps):
        new = residuals(x)
        if abs(x - before) < 1e-12 or max(np.abs(new).max(), 0.0) < _MEAN_TOLERANCE:
            return
        slope = (new - old) / (x - before)
        if (size := float((weights * slope**2).sum())) == 0.0:
            return
        following = float(np.clip(x - float((weights * slope * new).sum()) / size, *bracket))
        if abs(following - x) < 1e-3 * (bracket[1] - bracket[0]):
            return
        before, x, old = x, following, new


def realise(refined: Refined, catalogue: Catalogue, simulation: Simulation) -> Realised:
    """The placement nearest to the targets, its diameter fitted so that this cell meets them.

    Voxels join or leave the particles one by one, so quantities move in small steps: the
    nearest step is taken. The final solve is at 1e-8 in float64.
    """
    matrix, particle = (catalogue.materials[i] for i in (refined.matrix, refined.particle))
    several = len(simulation.targets) > 1
    weights = np.array([target.weight for target in simulation.targets])
    misses = [np.abs(simulation.residuals(refined.values.one(i))).max() for i in range(len(refined.packings))]
    best: tuple[float, Packing] | None = None
    for choice in np.argsort(misses)[:3]:
        packing = refined.packings[int(choice)]
        seen: dict[float, NDArray[np.float64]] = {}

        def residuals(diameter: float, packing: Packing = packing, seen: dict = seen) -> NDArray[np.float64]:
            if diameter not in seen:
                values = simulation.placements(matrix, particle, [Packing(packing.centres, diameter)])
                seen[diameter] = simulation.residuals(values.mean)
            return seen[diameter]

        low, high = 0.93 * packing.diameter, min(1.07 * packing.diameter, packing.largest_diameter())
        start = float(np.abs(residuals(packing.diameter)).max())
        if several and start > _REALISED_TOLERANCE:
            _gauss_newton(residuals, packing.diameter, (low, high), weights)
        elif start > _REALISED_TOLERANCE:
            gap = _stop_early(lambda diameter: float(residuals(diameter)[0]), _REALISED_TOLERANCE)
            here = gap(packing.diameter)
            other = next((end for end in (low, high) if end != packing.diameter and here * gap(end) <= 0), None)
            if other is not None:
                brentq(gap, *sorted((packing.diameter, other)), xtol=1e-5)
        diameter = min(seen, key=lambda d: float(np.abs(seen[d]).max()))
        miss = float(np.abs(seen[diameter]).max())
        if best is None or miss < best[0]:
            best = miss, Packing(packing.centres, diameter)
        if best[0] < 2 * _REALISED_TOLERANCE:
            break
    assert best is not None
    phase = best[1].voxelise(simulation.grid)
    return Realised(phase, verify(matrix, particle, phase, simulation), best[1])
