"""Refinement of a shape: the sampled phase map itself becomes the design.

Where the placement is the design (E_x ≠ E_y, single entries of C) inclusions cannot be placed anew. The phases keep
their shapes, their materials become real ones, and the interface is shifted (`interface`) until the cell meets its
targets. Materials are compared on a grid half as fine; the steps of the pair that came nearest are taken on the
design's grid and shifted by what the limit of fine grids was found to differ from it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure.base import Fit, Geometry, Shape
from relaxdesign.microstructure.features import smallest_feature, thickened
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.merit import extreme_cost
from relaxdesign.study.objective import Objective, extremes_of
from relaxdesign.study.refinement.interface import TOLERANCE, Interface
from relaxdesign.study.refinement.limit import moved_to_limit
from relaxdesign.study.refinement.outcome import Realised, RefinementError
from relaxdesign.study.refinement.sharpening import sharpened
from relaxdesign.study.refinement.solid import solid_of, whole
from relaxdesign.study.refinement.task import Stage, Task
from relaxdesign.study.selection import worth_of_new_kinds
from relaxdesign.study.trust import Resolution, verified
from relaxdesign.study.tuning import TUNING

_ACCEPTED = 0.01
_WIDTH = {2: 3.0, 3: 2.0}
"""Voxels below which necks and walls of given phases are widened, by dimension: thinner ones carry otherwise on every
grid. Where nothing is asked for, a cell that comes near its targets with thinner ones is a design too."""
_ROUNDS = 2  # of widening
_LEFT = 0.5  # voxels by which a design may be thinner than was asked for; its thinnest part is known to so much
_GIVEN = (0, 1)  # the pair of a request that names its phases
_TRIED_PAIRS = 8
_LEAST_GAIN = 0.1  # of the miss, by a whole step of a look; a pair that gains less leads nowhere
_ATTEMPTS = 3  # of pairs that met the targets on the coarser grid
_SCREENED = 40
_LOOK = 0.5  # of the grid: a look at many pairs must not cost more than the design


def design_shape(task: Task, family: Shape, fit: Fit) -> Generator[Stage, None, Realised]:
    """Takes a sample read as a shape to a verified cell, by the stages snapped and refined.

    Raises RefinementError or ConvergenceError.
    """
    pair, level = task.nearest_pair(fit), _level_of(fit, family)
    yield "snapped", task.kept(task.simulation.values(task.materials_of(pair), [family.geometry(level)]).one(0))
    if not task.request.refine:
        return _finished(pair, level, family, task)
    realised = refine_shape(fit, family, task)
    yield "refined", task.kept(realised.values)
    return realised


def refine_shape(fit: Fit, family: Shape, task: Task) -> Realised:
    """Materials near the sample's and a cell of its shape that meets the targets.

    Where they cannot all be met, what came nearest. Raises RefinementError if no pair brackets the targets.
    """
    if task.request.phases:
        return _of_given_phases(fit, family, task)
    start, looks, attempts = family.level_set(fit.labels), [], []
    for pair in _near_pairs(fit, family.geometry(start), task):
        interface = Interface(family, task.materials_of(pair), task.simulation)
        look = _Attempt(*replace(interface, times=_LOOK, least_gain=_LEAST_GAIN).shifted(start), pair)
        looks.append(look)
        if look.miss < _ACCEPTED:
            attempts.append(_to_limit(look, interface))
            if attempts[-1].miss < _ACCEPTED or len(attempts) == _ATTEMPTS:
                break
    if not looks:
        wanted = " and ".join(str(target) for target in task.simulation.targets)
        raise RefinementError(
            f"no two materials on offer have {wanted} between them (or other designs took all that have): "
            "offer more materials, allow the same pair again or ask for fewer candidates"
        )
    if not attempts:
        look = min(looks, key=lambda look: look.miss)
        attempts = [_to_limit(look, Interface(family, task.materials_of(look.pair), task.simulation))]
    best = min(attempts, key=lambda attempt: attempt.miss)
    return _finished(best.pair, best.level, family, task, best.found)


def _of_given_phases(fit: Fit, family: Shape, task: Task) -> Realised:
    """The cell of the two phases that the request names, its solid in one piece beside a void.

    The sample's own interface is shifted; if that leads nowhere, that of the sample made crisp on its targets. Raises
    RefinementError if no cell has a solid in one piece and parts as thick as was asked for.
    """
    materials, asked = task.materials_of(_GIVEN), task.request.min_feature * task.simulation.grid
    solid, width = solid_of(materials), asked or _WIDTH[task.request.dim]
    starts = [(_as_sampled, width), (_sharpened, width), (_sharpened, asked)]
    best: _Attempt | None = None
    refused = RefinementError("no cell of the sample's shape was found")
    for start, least in starts[: 2 if asked else 3]:
        interface = Interface(
            family, materials, task.simulation, width=least, extremes=extremes_of(task.request.objectives)
        )
        try:
            miss, level = np.inf, start(fit, family, materials, task)
            for _ in range(_ROUNDS if least else 1):
                level = interface.improved(_makeable(level, solid, least))
                miss, level = interface.shifted(_makeable(level, solid, least))
            if start is _as_sampled and miss > TOLERANCE:
                continue
            attempt = _to_limit(_Attempt(miss, whole(level, solid), _GIVEN), interface)
            _check_features(attempt.level, asked)
        except RefinementError as error:
            refused = error
            continue
        if best is None or attempt.miss < best.miss:
            best = attempt
        if best.miss < _ACCEPTED:
            break
    if best is None:
        raise refused
    level = whole(best.level, solid)
    found = best.found if np.array_equal(level, best.level) else None  # else what was solved had loose pieces
    return _finished(_GIVEN, level, family, task, found)


def _level_of(fit: Fit, family: Shape) -> NDArray[np.float64]:
    """The level set of a sample: of given phases it tells where in a voxel the interface lies."""
    return family.level_set(fit.labels if fit.sampled is None else (fit.sampled.clip(-1.0, 1.0) + 1.0) / 2.0)


def _makeable(level: NDArray[np.float64], solid: int | None, width: float) -> NDArray[np.float64]:
    """Without loose pieces and, if there is a width, without thinner parts. Raises RefinementError."""
    return whole(thickened(level, width) if width else level, solid)


def _check_features(level: NDArray[np.float64], asked: float) -> None:
    """Raises RefinementError if a phase has a neck or wall that is thinner than was asked for. asked: voxels."""
    thinnest = min(smallest_feature(phase) for phase in (level > 0, level <= 0)) if asked else np.inf
    if thinnest < asked - _LEFT:
        edge = level.shape[0]
        raise RefinementError(
            f"its thinnest neck, wall or gap is {thinnest / edge:.3f} of the cell's edge, thinner than the "
            f"{asked / edge:.3f} asked for: ask for less, or for more candidates"
        )


def _as_sampled(fit: Fit, family: Shape, materials: Sequence[Material], task: Task) -> NDArray[np.float64]:
    """The level set of a sample as it is."""
    return _level_of(fit, family)


def _sharpened(fit: Fit, family: Shape, materials: Sequence[Material], task: Task) -> NDArray[np.float64]:
    """The level set of a sample that was made crisp on its targets."""
    assert fit.sampled is not None
    return family.level_set(sharpened(fit.sampled, materials, task.simulation))


@dataclass(frozen=True, eq=False)
class _Attempt:
    """What a pair came to. miss: largest residual. found: at the limit of fine grids, once it was sought there."""

    miss: float
    level: NDArray[np.float64]
    pair: tuple[int, int]
    found: Resolution | None = None


def _to_limit(look: _Attempt, interface: Interface) -> _Attempt:
    """The cell shifted on the design's grid, and then until its limit meets the targets.

    If it does not, because thin parts carry otherwise on finer grids, it is shifted on a grid twice as fine.
    """
    best: tuple[float, NDArray[np.float64], Resolution] | None = None
    for fine in (False, True):
        on_grid = replace(interface, times=2, least_gain=_LEAST_GAIN) if fine else interface

        def shifted(
            level: NDArray[np.float64], shift: Mapping[str, float], on_grid: Interface = on_grid
        ) -> NDArray[np.float64]:
            return replace(on_grid, shift=shift).shifted(level)[1]

        start = best[2].shift(interface.simulation.targets, fine=True) if best else {}
        found = moved_to_limit(
            shifted(best[1] if best else look.level, start),
            shifted,
            interface.family.geometry,
            interface.materials,
            interface.simulation,
            TOLERANCE,
            fine=fine,
        )
        best = found if best is None or found[0] < best[0] else best
        if best[0] < _ACCEPTED:
            break
    assert best is not None
    return _Attempt(best[0], best[1], look.pair, best[2])


def _finished(
    pair: tuple[int, int], level: NDArray[np.float64], family: Shape, task: Task, found: Resolution | None = None
) -> Realised:
    """The exported cell. found: what is known of its resolution."""
    geometry = family.geometry(level)
    resolution = verified(task.simulation, task.materials_of(pair), geometry, found)
    return Realised(pair, torch.from_numpy(level > 0), geometry, resolution)


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
    np.fill_diagonal(cost, np.inf)
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
