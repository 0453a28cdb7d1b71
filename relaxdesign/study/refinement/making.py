"""What a cell of given phases has to be whatever its targets are: endless beside a void, symmetric, not too thin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relaxdesign.microstructure.features import (
    around_thin,
    distance,
    mended,
    middle_of_thin,
    smallest_feature,
    thickened,
    thin,
    too_thin,
)
from relaxdesign.microstructure.symmetry import Symmetry
from relaxdesign.study.refinement.outcome import RefinementError
from relaxdesign.study.refinement.solid import check_endless, opened, whole

Level = NDArray[np.float64]
Voxels = NDArray[np.bool_]

_AWAY = 0.5  # voxels beyond the interface to which parts that are too thin are moved
_LEAST = 0.01  # of the cell, that a phase has to fill
_GROWING = 2  # rounds of letting parts that are too thin grow
_ROUNDS = 8  # of giving parts that are too thin from one solid to the other


@dataclass(frozen=True)
class Making:
    """Of two phases.

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

    def thin(self, level: Level, width: float) -> tuple[Voxels, Voxels]:
        """Where a level set must not fall, and where it must not rise, for nothing below a width to become thinner."""
        return thin(level, width)

    def thinnest(self, level: Level) -> float:
        """Width in voxels of the thinnest neck or wall of a phase."""
        return min(smallest_feature(phase) for phase in (level > 0, level <= 0))


@dataclass(frozen=True)
class MakingOfThree:
    """Of three phases, level sets (2, *grid).

    What of the second or third phase is too thin grows at the cost of the other one; where that leads nowhere it is
    given to the other one. outer: of the first phase and the rest.
    """

    outer: Making

    @property
    def asked(self) -> float:
        """Least width in voxels that was asked for, 0 if none was."""
        return self.outer.asked

    def makeable(self, level: Level, width: float = 0.0) -> Level:
        """See `Making.makeable`."""
        return self._parted(self.outer.makeable(level[0], width), level[1], self.asked or width)

    def admitted(self, level: Level) -> Level:
        """See `Making.admitted`."""
        return self._parted(self.outer.admitted(level[0]), level[1], self.asked)

    def thin(self, level: Level, width: float) -> tuple[Voxels, Voxels]:
        """See `Making.thin`."""
        falling, rising = thin(level[0], width)
        second, third = (around_thin(phase, width) for phase in _others(level[0], level[1]))
        return np.stack([falling, third]), np.stack([rising, second])

    def thinnest(self, level: Level) -> float:
        """See `Making.thinnest`; of the solids together and each by itself."""
        each = (smallest_feature(phase) for phase in _others(level[0], level[1]) if phase.any())
        return min(self.outer.thinnest(level[0]), *each)

    def _parted(self, outer: Level, inner: Level, width: float) -> Level:
        """Both level sets, the inner one without parts of a phase that are thinner than a width in voxels.

        Raises RefinementError if that leaves hardly anything of a phase.
        """
        inner = self.outer.symmetry.averaged(inner)
        for _ in range(_GROWING if width else 0):
            for phase, sign in ((1, 1.0), (0, -1.0)):
                middle = middle_of_thin(_others(outer, inner)[phase], width)
                if middle.any():
                    inner = sign * np.maximum(sign * inner, width / 2.0 - distance(~middle))
        for _ in range(_ROUNDS if width else 0):
            before = inner
            for phase, sign in ((1, 1.0), (0, -1.0)):
                inner = np.where(too_thin(_others(outer, inner)[phase], width), -sign * _AWAY, inner)
            if np.array_equal(before > 0, inner > 0):
                break
        if min(phase.mean() for phase in _others(outer, inner)) < _LEAST:
            raise RefinementError("hardly anything is left of one of its two solids, which is too thin everywhere")
        return np.stack([outer, inner])


AnyMaking = Making | MakingOfThree


def _others(outer: Level, inner: Level) -> tuple[Voxels, Voxels]:
    """The voxels of the second and the third phase."""
    return (outer > 0) & (inner <= 0), (outer > 0) & (inner > 0)
