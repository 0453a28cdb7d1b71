"""Refinement of inclusions that are placed at random.

Refinement picks a pair of catalogue materials near the sample that can reach the targets, and solves for the volume
fraction at which the mean over random placements meets them. Realisation takes one of those placements and fits the
size of its inclusions until this very cell meets the targets (`sizing`). Every quantity here comes from the
evaluator in float64.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.materials.channels import Properties
from relaxdesign.microstructure.base import Fit, Inclusions, Placement, PlacementError, inclusions_of
from relaxdesign.physics.quantities import computable, format_value
from relaxdesign.study.family import with_third
from relaxdesign.study.objective import Objective
from relaxdesign.study.refinement.outcome import Realised, Refined, RefinementError
from relaxdesign.study.refinement.roots import gauss_newton, stop_early
from relaxdesign.study.refinement.sizing import finished, realise
from relaxdesign.study.refinement.task import Stage, Task
from relaxdesign.study.selection import Choice, PairTable
from relaxdesign.study.simulation import PLACEMENTS, CellValues, Simulation

_MEAN_TOLERANCE = 2e-3  # relative, of the mean over placements; far below its spread
_TRIED_PAIRS = 12
_RESIZED_PAIRS = 3
# Several targets: what one fraction can do for all of them is good enough, and cells to find such pairs with.
_ACCEPTED = 0.01
_SCREENED = {2: 24, 3: 10}
_SCREENING_PLACEMENTS = {2: 3, 3: 1}


def design_inclusions(task: Task, family: Inclusions, fit: Fit, table: PairTable) -> Generator[Stage, None, Realised]:
    """Takes a sample read as inclusions to a verified cell, by the stages projected, snapped and refined.

    table: of the materials on offer. Raises RefinementError, PlacementError or ConvergenceError.
    """
    pair = task.nearest_pair(fit)
    snapped = yield from _over_placements(task, family, fit, pair)
    if not task.request.refine:
        if snapped is None:
            raise RefinementError("the sample is a single material; refinement, which would change that, is off")
        return finished(pair, snapped.placements[0], task, snapped.values.deviation, fit.remark)
    refined = refine(fit, family, table, task)
    yield "refined", task.kept(refined.values.mean)
    return realise(refined, task, fit.remark)


def _over_placements(
    task: Task, family: Inclusions, fit: Fit, pair: tuple[int, int]
) -> Generator[Stage, None, Refined | None]:
    """Stages projected and snapped; returns the snapped placements, None for a single material."""
    phases = task.channels.decode(torch.stack(fit.phases), axis=-1)
    means = [_mean_material(phases, i) for i in range(len(fit.phases))]
    read = with_third(means, family, task.materials.third)
    snapped = task.materials_of(pair)
    if fit.homogeneous or pair[0] == pair[1]:
        yield "projected", {"K": read[0].bulk, "density": read[0].density}
        yield "snapped", {"K": snapped[0].bulk, "density": snapped[0].density}
        return None
    elastic = Simulation.of(
        [o for o in task.request.objectives if computable([o.quantity], task.channels.coefficients)],
        task.request.boundary,
        task.simulation.dim,
        task.simulation.grid,
        layers=task.simulation.layers,
    )
    where = fit.parameters[family.share.name], fit.parameters[family.size.name], task.generator
    projected = elastic.placed_anew(family, read, *where)[1].mean
    yield "projected", projected
    placements, values = task.simulation.placed_anew(family, snapped, *where)
    task.simulation.cost.merge(elastic.cost)
    yield "snapped", task.kept(values.mean)
    return Refined(pair, tuple(placements), values, float("nan"))


def _mean_material(phases: Properties, i: int) -> Material:
    """A phase's mean properties as if it were a material."""
    young, poisson, bulk, shear, density = (
        float(getattr(phases, name)[i]) for name in ("young", "poisson", "bulk", "shear", "density")
    )
    return Material(f"phase-{i}", "mean of a phase", "", young, poisson, bulk, shear, density)


def refine(fit: Fit, family: Inclusions, table: PairTable, task: Task) -> Refined:
    """Materials and volume fraction near the sample whose mean quantities meet the targets.

    Where several targets cannot all be met, the pair that comes nearest. Raises RefinementError when none of the best
    pairs works out; the text tells the nearest value.
    """
    ranked = table.rank(fit, task.channels, task.taken)
    targets = task.simulation.targets
    if not ranked:
        wanted = " and ".join(str(target) for target in targets)
        raise RefinementError(
            f"all pairs of the materials on offer that come near {wanted} are taken by other designs: "
            "offer more materials, allow the same pair again or ask for fewer candidates"
        )
    place = _Placing(family, task, family.size.clip(fit.parameters[family.size.name]))
    if len(targets) > 1:
        return _compromise(_screened(ranked, table, place)[:_TRIED_PAIRS], place)
    return _met(ranked[:_TRIED_PAIRS], place)


@dataclass(frozen=True, eq=False)
class _Placing:
    """How inclusions are placed for one sample. size: wanted of each inclusion."""

    family: Inclusions
    task: Task
    size: float

    @property
    def simulation(self) -> Simulation:
        return self.task.simulation


def _compromise(ranked: list[Choice], place: _Placing) -> Refined:
    """Several targets: the first pair that meets them closely, else the one that misses them least."""
    best: Refined | None = None
    for choice in ranked:
        found = _ShareSearch(choice, place).compromise()
        if found is not None and (best is None or found.miss < best.miss):
            best = found
        if best is not None and best.miss < _ACCEPTED:
            return best
    if best is None:
        inclusions = inclusions_of(place.family)
        raise RefinementError(f"{inclusions} of none of the {len(ranked)} pairs closest to the sample could be placed")
    return best


def _met(ranked: list[Choice], place: _Placing) -> Refined:
    """One target: the first pair that meets it; else one of the nearest, with inclusions of another size.

    Values at the rim of what a pair can have, which miss the target a little, are taken only if no pair meets it.
    """
    near: list[tuple[Refined, Choice]] = []
    for choice in ranked:
        search = _ShareSearch(choice, place)
        if found := search.root():
            return found
        near += [(search.nearest, choice)] if search.nearest else []
    near.sort(key=lambda entry: entry[0].miss)
    if near and near[0][0].miss < _ACCEPTED:
        return near[0][0]
    for _, choice in near[:_RESIZED_PAIRS]:
        for size in place.family.size.range:
            search = _ShareSearch(choice, replace(place, size=size))
            if found := search.root():
                return found
            near += [(search.nearest, choice)] if search.nearest else []
    nearest = min((entry[0] for entry in near), key=lambda refined: refined.miss, default=None)
    if nearest is not None and nearest.miss < _ACCEPTED:
        return nearest
    raise RefinementError(_missed(place.simulation.targets[0], len(ranked), nearest, place.task))


def _missed(target: Objective, tried: int, nearest: Refined | None, task: Task) -> str:
    """The message that no pair met the target, with the nearest value reached."""
    text = f"the {tried} pairs of materials closest to the sample miss {target} at every volume fraction"
    if tried == 1:
        text = f"the only pair of materials that comes near {target} misses it at every volume fraction"
    if nearest is not None:
        matrix, inclusion = (task.materials.materials[index].name for index in nearest.pair)
        value = format_value(target.quantity, nearest.values.mean[target.quantity])
        share = nearest.placements[0].share
        text += f"; the nearest that can be had is {value}, with {100 * share:.0f} % of {inclusion} in {matrix}"
    return f"{text}: ask for that, use another seed or offer more materials"


def _screened(ranked: list[Choice], table: PairTable, place: _Placing) -> list[Choice]:
    """The best choices, re-ordered by what a few simulated placements say of their estimates."""
    simulation, family, dim = place.simulation, place.family, place.simulation.dim
    scored = []
    for rank, choice in enumerate(ranked[: _SCREENED[dim]]):
        materials = place.task.materials_of(choice.pair)
        try:
            placements = family.place(
                choice.share,
                place.size,
                dim,
                grid=simulation.grid,
                count=_SCREENING_PLACEMENTS[dim],
                generator=place.task.generator,
            )
        except PlacementError:
            continue
        simulated = simulation.values(materials, placements).mean
        two = Catalogue(tuple(place.task.materials.materials[index] for index in choice.pair))
        offsets = []
        for target in simulation.targets:
            estimate = family.estimate(two, [choice.share], dim, target.quantity)[0, 0, 1]
            offsets.append(target.coordinate(simulated[target.quantity]) - target.coordinate(estimate))
        better = table.corrected(choice, np.array(offsets))
        scored.append((max(0.0, better.miss - 0.5 * _ACCEPTED) + 1e-4 * rank, better))
    return [choice for _, choice in sorted(scored, key=lambda entry: entry[0])]


class _ShareSearch:
    """Search for the volume fraction: mean quantities over fixed placements are smooth in it, K is monotone.

    Inclusions are placed once, at the largest fraction of the bracket, and then only shrink: the same centres serve
    all fractions, so the functions have no placement noise.
    """

    def __init__(self, choice: Choice, place: _Placing):
        self.choice, self.vf, self.place = choice, choice.share, place
        self.materials = place.task.materials_of(choice.pair)
        self.seen: dict[float, tuple[list[Placement], CellValues]] = {}
        self.nearest: Refined | None = None
        """Where `root` found nothing: what came nearest."""

    def root(self) -> Refined | None:
        """At the fraction that meets the one target; None if there is none."""
        low, high = self.place.family.share.range
        for width in (0.06, 0.15, 0.3):
            bracket = max(low, self.vf - width), min(high, self.vf + width)
            if not self._place(*bracket):
                continue
            ends = [float(self._residuals(vf)[0]) for vf in bracket]
            if ends[0] * ends[1] < 0:
                brentq(stop_early(lambda vf: float(self._residuals(vf)[0]), _MEAN_TOLERANCE), *bracket, xtol=2e-4)
            best = self._best()
            if best.miss < 5 * _MEAN_TOLERANCE and (ends[0] * ends[1] <= 0):
                return best
            if self.nearest is None or best.miss < self.nearest.miss:
                self.nearest = best
        return None

    def compromise(self) -> Refined | None:
        """At the fraction of the smallest weighted misses; None where none can be placed."""
        low, high = self.place.family.share.range
        for width in (0.08, 0.03):
            bracket = max(low, self.vf - width), min(high, self.vf + width)
            if self._place(*bracket):
                gauss_newton(self._residuals, self.vf, bracket, self._weights, _MEAN_TOLERANCE)
                return self._best()
        return None

    @property
    def _weights(self) -> NDArray[np.float64]:
        return np.array([target.weight for target in self.place.simulation.targets])

    def _best(self) -> Refined:
        """At the fraction, of those seen, of the smallest largest residual."""
        misses = {vf: float(np.abs(self._residuals(vf)).max()) for vf in self.seen}
        vf = min(misses, key=misses.__getitem__)
        placements, values = self.seen[vf]
        return Refined(self.choice.pair, tuple(placements), values, misses[vf])

    def _place(self, low: float, high: float) -> bool:
        """Places inclusions that keep a supported size at both ends of the bracket, near the sample's."""
        place, simulation = self.place, self.place.simulation
        try:
            self.base = place.family.place_between(
                low,
                high,
                self.vf,
                place.size,
                simulation.dim,
                grid=simulation.grid,
                count=PLACEMENTS,
                generator=place.task.generator,
            )
        except PlacementError:
            return False
        self.seen = {}
        return True

    def _residuals(self, vf: float) -> NDArray[np.float64]:
        """Residuals of the targets at a fraction."""
        simulation = self.place.simulation
        if vf not in self.seen:
            placements = [placement.with_share(vf) for placement in self.base]
            self.seen[vf] = placements, simulation.values(self.materials, placements)
        return simulation.residuals(self.seen[vf][1].mean)
