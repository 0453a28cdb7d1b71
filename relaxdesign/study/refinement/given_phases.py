"""Refinement of a shape between two given phases: a cell that meets its targets and can be made.

Its solid is in one piece beside a void, no neck, wall or gap is thinner than a least width, and where that is asked for
it is symmetric and its voids are open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Fit, Shape
from relaxdesign.microstructure.features import mended, smallest_feature, thickened
from relaxdesign.microstructure.symmetry import Symmetry
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.study.objective import extremes_of
from relaxdesign.study.refinement.attempt import ACCEPTED, Attempt, finished, level_of, to_limit
from relaxdesign.study.refinement.interface import TOLERANCE, Interface, Level
from relaxdesign.study.refinement.outcome import Realised, RefinementError
from relaxdesign.study.refinement.sharpening import sharpened
from relaxdesign.study.refinement.solid import check_endless, opened, solid_of, whole
from relaxdesign.study.refinement.task import Task

WIDTH = {2: 3.0, 3: 2.0}
"""Voxels below which necks and walls of given phases are widened, by dimension: thinner ones carry otherwise on every
grid. Where nothing is asked for, a cell that comes near its targets with thinner ones is a design too."""
_ROUNDS = 2  # of widening
_SPARE = 1.0  # voxels by which parts are made thicker than was asked for; steps onto targets thin some again
_LEFT = 0.5  # voxels by which a design may be thinner than was asked for; its thinnest part is known to so much
_PAIR = (0, 1)  # the pair of a request that names its phases


def refine_given_phases(fit: Fit, family: Shape, task: Task) -> Realised:
    """The cell of the two phases that the request names, its solid in one piece beside a void.

    The sample's own interface is shifted; if that leads nowhere, that of the sample made crisp on its targets. Raises
    RefinementError if no cell has a solid in one piece and parts as thick as was asked for, ConvergenceError.
    """
    materials, asked = task.materials_of(_PAIR), task.request.min_feature * task.simulation.grid
    width = asked + _SPARE if asked else WIDTH[task.request.dim]
    making = Making(solid_of(materials), task.request.open_voids, task.simulation.symmetry, asked)
    starts = [(_as_sampled, width), (_sharpened, width), (_sharpened, 0.0)]
    best: Attempt | None = None
    refused: Exception = RefinementError("no cell of the sample's shape was found")
    for start, least in starts[: 2 if asked else 3]:
        extremes = extremes_of(task.request.objectives)
        interface = Interface(
            family, materials, task.simulation, width=least, extremes=extremes, admitted=making.admitted
        )
        try:
            level = start(fit, family, materials, task)
            miss, level = _shifted(level, interface, making, strict=asked > 0.0)
            if start is _as_sampled and miss > TOLERANCE:
                continue
            attempt = to_limit(Attempt(miss, making.makeable(level), _PAIR), interface)
            _check_features(attempt.level, asked)
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
    return finished(_PAIR, level, family, task, found)


def _shifted(level: Level, interface: Interface, making: Making, *, strict: bool) -> tuple[float, Level]:
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


@dataclass(frozen=True)
class Making:
    """What a cell has to be whatever its targets are.

    solid: label of the solid beside a void. open_voids: whether no void may be enclosed. asked: least width in voxels
    that was asked for, 0 if none was.
    """

    solid: int | None
    open_voids: bool
    symmetry: Symmetry
    asked: float = 0.0

    def makeable(self, level: Level, width: float = 0.0) -> Level:
        """Symmetric, without loose pieces, enclosed voids and, if there is a width, without thinner parts.

        Raises RefinementError.
        """
        return self.admitted(whole(thickened(level, width) if width else level, self.solid))

    def admitted(self, level: Level) -> Level:
        """What every step towards the targets keeps to: as thick as was asked for, symmetric, endless, voids open.

        Raises RefinementError if the solid ends along an axis or enclosed voids cannot be filled or joined.
        """
        if self.asked:
            level = mended(level, self.asked)
        level = self.symmetry.averaged(level)
        check_endless(level, self.solid)
        return opened(level, self.solid, self.symmetry, self.asked) if self.open_voids else level


def _check_features(level: Level, asked: float) -> None:
    """Raises RefinementError if a phase has a neck or wall that is thinner than was asked for. asked: voxels."""
    thinnest = min(smallest_feature(phase) for phase in (level > 0, level <= 0)) if asked else np.inf
    if thinnest < asked - _LEFT:
        edge = level.shape[0]
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
    return family.level_set(sharpened(fit.sampled, materials, task.simulation))
