"""Refinement of a shape between two or three given phases: a cell that meets its targets and can be made.

Its solid is in one piece beside a void, no neck, wall or gap is thinner than a least width, and where that is asked for
it is symmetric and its voids are open.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Fit, Shape
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.study.objective import extremes_of
from relaxdesign.study.refinement.attempt import ACCEPTED, Attempt, finished, level_of, to_limit
from relaxdesign.study.refinement.interface import TOLERANCE, Interface, Level
from relaxdesign.study.refinement.making import AnyMaking, Making, MakingOfThree
from relaxdesign.study.refinement.outcome import Realised, RefinementError
from relaxdesign.study.refinement.sharpening import sharpened
from relaxdesign.study.refinement.solid import solid_of
from relaxdesign.study.refinement.task import Task

WIDTH = {2: 3.0, 3: 2.0}
"""Voxels below which necks and walls of given phases are widened, by dimension: thinner ones carry otherwise on every
grid. Where nothing is asked for, a cell that comes near its targets with thinner ones is a design too."""
_ROUNDS = 2  # of widening
_SPARE = 1.0  # voxels by which parts are made thicker than was asked for; steps onto targets thin some again
_LEFT = 0.5  # voxels by which a design may be thinner than was asked for; its thinnest part is known to so much


def refine_given_phases(fit: Fit, family: Shape, task: Task) -> Realised:
    """The cell of the phases that the request names, its solid in one piece beside a void.

    The sample's own interface is shifted; if that leads nowhere, that of the sample made crisp on its targets. Raises
    RefinementError if no cell has a solid in one piece and parts as thick as was asked for, ConvergenceError.
    """
    chosen, asked = task.nearest(fit), task.request.min_feature * task.simulation.grid
    materials = task.materials_of(chosen)
    width = asked + _SPARE if asked else WIDTH[task.request.dim]
    outer = Making(solid_of(materials), task.request.open_voids, task.simulation.symmetry, asked)
    making = outer if len(materials) == 2 else MakingOfThree(outer)
    starts = [(_as_sampled, width), (_sharpened, width), (_sharpened, 0.0)]
    best: Attempt | None = None
    refused: Exception = RefinementError("no cell of the sample's shape was found")
    for start, least in starts[: 2 if asked else 3]:
        extremes = extremes_of(task.request.objectives)
        interface = Interface(
            family,
            materials,
            task.simulation,
            width=least,
            extremes=extremes,
            admitted=making.admitted,
            thin=making.thin,
        )
        try:
            level = start(fit, family, materials, task)
            miss, level = _shifted(level, interface, making, strict=asked > 0.0)
            if start is _as_sampled and miss > TOLERANCE:
                continue
            attempt = to_limit(Attempt(miss, making.makeable(level), chosen), interface)
            _check_features(attempt.level, making)
        except (RefinementError, ConvergenceError) as error:
            refused = error
            continue
        if best is None or attempt.rank < best.rank:
            best = attempt
        if best.rank < ACCEPTED:
            break
    if best is None:
        raise refused
    level = making.makeable(best.level)
    found = best.found if np.array_equal(level, best.level) else None  # else what was solved had loose pieces
    return finished(chosen, level, family, task, found)


def _shifted(level: Level, interface: Interface, making: AnyMaking, *, strict: bool) -> tuple[float, Level]:
    """Its thin parts widened and its interface shifted onto the targets, twice, since steps thin some parts again.

    Returns the largest residual and the cell; if it need not be strict and the first round came nearer, that one.
    Raises RefinementError, ConvergenceError.
    """
    best: tuple[float, Level] | None = None
    for _ in range(_ROUNDS if interface.width else 1):
        try:
            better = interface.improved(making.makeable(level, interface.width))
            miss, level = interface.shifted(making.makeable(better, interface.width))
        except RefinementError:
            if best is None or strict:
                raise
            break
        if best is None or strict or miss < max(best[0], TOLERANCE):
            best = miss, level
    assert best is not None
    return best


def _check_features(level: Level, making: AnyMaking) -> None:
    """Raises RefinementError if a phase has a neck or wall that is thinner than was asked for."""
    asked = making.asked
    if asked and (thinnest := making.thinnest(level)) < asked - _LEFT:
        edge = level.shape[-1]
        raise RefinementError(
            f"its thinnest neck, wall or gap is {thinnest / edge:.3f} of the cell's edge, thinner than the "
            f"{asked / edge:.3f} asked for: ask for less, or for more candidates"
        )


def _as_sampled(fit: Fit, family: Shape, materials: Sequence[Material], task: Task) -> Level:
    """The level set of a sample as it is."""
    return level_of(fit, family)


def _sharpened(fit: Fit, family: Shape, materials: Sequence[Material], task: Task) -> Level:
    """The level set of a sample that was made crisp on its targets."""
    assert fit.sampled is not None
    thinnest = task.request.min_feature * task.simulation.grid
    return family.level_set(sharpened(fit.sampled, materials, task.simulation, thinnest))
