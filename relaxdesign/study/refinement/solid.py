"""The solid of a cell with voids, as somebody has to make it.

It is in one piece that goes on for ever along all axes, and what is left in its voids can be taken out of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from relaxdesign.materials.material import Material, void_of
from relaxdesign.microstructure.channels import nearest_enclosed
from relaxdesign.microstructure.connectivity import Pieces, pieces
from relaxdesign.microstructure.features import distance
from relaxdesign.microstructure.symmetry import NO_SYMMETRY, Symmetry
from relaxdesign.study.refinement.outcome import RefinementError

LARGEST_LOOSE = 0.25
"""Share of the solid that may be loose and is taken away; it carries nothing. More of it, and the cell is refused."""

LARGEST_FILLED = 0.1
"""Share of the cell that may be enclosed voids that are filled, or channels that join them. More of it, and the cell is
refused."""

_AWAY = 0.5  # voxels beyond the interface to which loose pieces are moved

Level = NDArray[np.float64]
Voxels = NDArray[np.bool_]


def solid_of(materials: Sequence[Material]) -> int | None:
    """The label of the solid of two phases, one of which is void; None of two solids.

    Of three phases whose first is void all others count as 1.
    """
    void = void_of(materials)
    return None if void is None else 1 - void


def whole(level: Level, solid: int | None) -> Level:
    """The level set without loose pieces of the solid.

    solid: label of the phase that has to be one piece, 1 where the level is positive; None: any pieces will do. Raises
    RefinementError if more than `LARGEST_LOOSE` of it is loose, or if it ends somewhere.
    """
    if solid is None:
        return level
    inside, found = _pieces(level, solid)
    loose = 1.0 - float(found.voxels[0]) / float(found.voxels.sum())
    if loose > LARGEST_LOOSE:
        raise RefinementError(
            f"the solid is in {len(found.voxels)} pieces, {100 * loose:.0f} % of it beside the largest"
        )
    return np.where(inside & ~found.largest, -_AWAY if solid else _AWAY, level)


def check_endless(level: Level, solid: int | None) -> None:
    """Raises RefinementError if the largest piece of the solid ends somewhere. solid: as in `whole`."""
    if solid is not None:
        _pieces(level, solid)


def _pieces(level: Level, solid: int) -> tuple[NDArray[np.bool_], Pieces]:
    """The solid and its pieces. Raises RefinementError if the largest ends somewhere."""
    inside = (level > 0) == bool(solid)
    found = pieces(inside)
    if not len(found.voxels) or found.spans[0] < level.ndim:
        raise RefinementError("the solid does not hang together along all axes: it carries nothing along one of them")
    return inside, found


def opened(level: Level, solid: int | None, symmetry: Symmetry = NO_SYMMETRY, width: float = 0.0) -> Level:
    """The level set without enclosed voids: each is filled or joined to an open one, whichever changes less.

    What changes is counted in voxels of the solid. In 2D all voids are open, along the third axis. solid: as in
    `whole`. symmetry: that the level set has and keeps. width: voxels that channels are wide, no less than two. Raises
    RefinementError if more than `LARGEST_FILLED` of the cell would change, or the solid would fall apart.
    """
    if solid is None or level.ndim < 3:
        return level
    inside, sign = (level > 0) == bool(solid), 1.0 if solid else -1.0
    filled, channel = _changes(inside, width, symmetry)
    if filled.any():
        inside = inside | filled
        beside = inside & maximum_filter(filled, 3, mode="wrap")
        level = np.where(beside, sign * np.maximum(sign * level, distance(inside) - 0.5), level)
    return level if channel is None else sign * np.minimum(sign * level, channel)


def _changes(inside: Voxels, width: float, symmetry: Symmetry) -> tuple[Voxels, Level | None]:
    """The enclosed voids that are filled, and the level of all channels that open the others, negative within.

    inside: voxels of the solid. Raises RefinementError, see `opened`.
    """
    filled, taken, channel = np.zeros_like(inside), np.zeros_like(inside), None
    while (void := nearest_enclosed(~inside, width, symmetry)) is not None:
        spare = int(LARGEST_FILLED * inside.size) - int(filled.sum()) - int(taken.sum())
        fills = int(void.voxels.sum()) if not void.alone else spare + 1  # some void has to be left
        way = next((way for way in void.channels if _holds(inside, way, min(fills - 1, spare))), None)
        if way is not None:
            taken |= inside & (way < 0.0)
            inside = inside & (way >= 0.0)
            channel = way if channel is None else np.minimum(channel, way)
        elif fills <= spare:
            filled |= void.voxels
            inside = inside | void.voxels
        else:
            share = 100.0 * float(void.voxels.mean())
            raise RefinementError(
                f"its voids are not all open: one of {share:.1f} % of the cell is too large to be filled, and a "
                "channel out of it would take too much of the solid or cut it: allow enclosed voids, or ask for more "
                "candidates"
            )
    return filled & inside, channel


def _holds(inside: Voxels, channel: Level, most: int) -> bool:
    """Whether the solid hangs together as before without a channel, which takes at most so many voxels of it."""
    left = inside & (channel >= 0.0)
    if inside.sum() - left.sum() > most:
        return False
    before, after = pieces(inside), pieces(left)
    return len(after.voxels) <= len(before.voxels) and after.spans[:1] >= before.spans[:1]


def check_open(labels: NDArray, solid: int | None) -> None:
    """Raises RefinementError for a cell (*grid) that has enclosed voids."""
    if solid is not None and labels.ndim == 3 and (count := pieces(labels != solid).spans.count(0)):
        raise RefinementError(
            f"its voids are not all open ({count} enclosed): allow enclosed ones, or ask for more candidates"
        )
