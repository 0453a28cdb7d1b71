"""Refinement of a shape: the sampled phase map itself becomes the design.

Where the placement is the design (E_x ≠ E_y, single entries of C) inclusions cannot be placed anew. The phases keep
their shapes, their materials become real ones, and the interface is shifted (`interface`) until the cell meets its
targets. Materials are compared on a grid half as fine; the steps of the pair that came nearest are taken on the
design's grid and shifted by what the limit of fine grids was found to differ from it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.base import Fit, Geometry, Shape
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.merit import extreme_cost
from relaxdesign.study.objective import Objective, extremes_of
from relaxdesign.study.refinement.attempt import ACCEPTED, LEAST_GAIN, Attempt, finished, level_of, to_limit
from relaxdesign.study.refinement.given_phases import refine_given_phases
from relaxdesign.study.refinement.interface import Interface
from relaxdesign.study.refinement.outcome import Realised, RefinementError
from relaxdesign.study.refinement.task import Stage, Task
from relaxdesign.study.selection import worth_of_new_kinds
from relaxdesign.study.tuning import TUNING

_TRIED_PAIRS = 8
_ATTEMPTS = 3  # of pairs that met the targets on the coarser grid
_SCREENED = 40
_LOOK = 0.5  # of the grid: a look at many pairs must not cost more than the design


def design_shape(task: Task, family: Shape, fit: Fit) -> Generator[Stage, None, Realised]:
    """Takes a sample read as a shape to a verified cell, by the stages snapped and refined.

    Raises RefinementError or ConvergenceError.
    """
    pair, level = task.nearest(fit), level_of(fit, family)
    yield "snapped", task.kept(task.simulation.values(task.materials_of(pair), [family.geometry(level)]).one(0))
    if not task.request.refine:
        return finished(pair, level, family, task)
    realised = refine_shape(fit, family, task)
    yield "refined", task.kept(realised.values)
    return realised


def refine_shape(fit: Fit, family: Shape, task: Task) -> Realised:
    """Materials near the sample's and a cell of its shape that meets the targets.

    Where they cannot all be met, what came nearest. Raises RefinementError if no pair brackets the targets.
    """
    if task.request.phases:
        return refine_given_phases(fit, family, task)
    start, looks, attempts = family.level_set(fit.labels), [], []
    for pair in _near_pairs(fit, family.geometry(start), task):
        interface = Interface(family, task.materials_of(pair), task.simulation)
        look = Attempt(*replace(interface, times=_LOOK, least_gain=LEAST_GAIN).shifted(start), pair)
        looks.append(look)
        if look.miss < ACCEPTED:
            attempts.append(to_limit(look, interface))
            if attempts[-1].miss < ACCEPTED or len(attempts) == _ATTEMPTS:
                break
    if not looks:
        wanted = " and ".join(str(target) for target in task.simulation.targets)
        raise RefinementError(
            f"no two materials on offer have {wanted} between them (or other designs took all that have): "
            "offer more materials, allow the same pair again or ask for fewer candidates"
        )
    if not attempts:
        look = min(looks, key=lambda look: look.miss)
        attempts = [to_limit(look, Interface(family, task.materials_of(look.pair), task.simulation))]
    best = min(attempts, key=lambda attempt: attempt.miss)
    return finished(best.pair, best.level, family, task, best.found)


def _near_pairs(fit: Fit, sampled: Geometry, task: Task) -> list[tuple[int, int]]:
    """Pairs to try, in ascending order of cost: materials near the phases' that bound the wanted moduli."""
    extremes = extremes_of(task.request.objectives)
    single = _between_phases(task.materials, task.request.objectives)
    averaged = [objective for objective in extremes if objective.quantity in single]
    cost = _cost_of_pairs(fit, task, extremes, averaged, single)
    order = np.argsort(cost, axis=None, kind="stable")[:_SCREENED]
    pairs = [divmod(int(flat), len(task.materials)) for flat in order if np.isfinite(cost.flat[flat])]
    scored = []
    for pair in pairs:
        values = task.simulation.values(task.materials_of(pair), [sampled], times=_LOOK).one(0)
        others = extreme_cost(
            (objective for objective in extremes if objective not in averaged),
            lambda name, values=values: QUANTITIES[name].coordinate(values[name]),
        )
        miss = float(np.square(task.simulation.residuals(values)).sum()) + _fragility(pair, sampled, values, task)
        scored.append((cost[pair] + others + miss, pair))
    return [pair for _, pair in sorted(scored)[:_TRIED_PAIRS]]


def _fragility(pair: tuple[int, int], sampled: Geometry, values: Mapping[str, float], task: Task) -> float:
    """Squared change of the targets' coordinates if the volume fraction is off by what the request allows for."""
    simulation, robust = task.simulation, task.request.robust
    if robust == 0.0:
        return 0.0
    moved = sampled.moved(1.0 / simulation.grid)
    grown = float((simulation.shares([moved], _LOOK) - simulation.shares([sampled], _LOOK)).mean())
    there = simulation.values(task.materials_of(pair), [moved], times=_LOOK).one(0)
    coordinates = {target.quantity: target.coordinate for target in simulation.targets}
    rises = [float(of(there[name]) - of(values[name])) / grown for name, of in coordinates.items()]
    return float(np.square(robust * np.array(rises)).sum())


def _cost_of_pairs(
    fit: Fit,
    task: Task,
    extremes: Sequence[Objective],
    averaged: Sequence[Objective],
    single: dict[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """What speaks against each pair (matrix, inclusions) before any simulation; infinite where it cannot serve."""
    points = task.channels.encode(task.materials.properties, axis=-1).numpy()
    far = [np.square(points - mean.numpy()).sum(1) for mean in fit.phases]
    cost = (
        far[0][:, None]
        + far[1]
        - worth_of_new_kinds(task.materials, task.taken, extremes, each=TUNING.known_kind_free_form)
    )
    cost = cost + TUNING.merely_plausible_free_form * (task.materials.usual_share <= 0.0)
    np.fill_diagonal(cost, np.inf)
    cost[task.materials.forbidden] = np.inf
    share = float(fit.labels.mean())
    for target in task.simulation.targets:
        if target.quantity not in single:
            continue
        values = single[target.quantity]
        low, high = np.minimum.outer(values, values), np.maximum.outer(values, values)
        cost[(low > (target.high or np.inf)) | (high < (target.low or 0.0))] = np.inf

    def mean(name: str) -> NDArray[np.float64]:
        values = single[name]
        return QUANTITIES[name].coordinate((1 - share) * values[:, None] + share * values[None, :])

    cost += extreme_cost(averaged, mean)
    for pair in task.taken:
        cost[pair] = np.inf
    return cost


def _between_phases(materials: Catalogue, objectives: Sequence[Objective]) -> dict[str, NDArray[np.float64]]:
    """Values (materials,) of the quantities asked for that any cell has between those of its two phases."""
    elastic = materials.properties  # whose E is that of K and G
    values: dict[str, NDArray[np.float64]] = {}
    for quantity in (QUANTITIES[objective.quantity] for objective in objectives):
        name = quantity.of_material
        if name is not None and quantity.positive:
            known = hasattr(elastic, name)
            values[quantity.name] = getattr(elastic, name).numpy() if known else materials.column(name)
    return values
