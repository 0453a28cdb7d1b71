"""The solid of a cell with voids, as somebody has to make it.

It is in one piece that goes on for ever along all axes, and what is left in its voids can be taken out of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from relaxdesign.materials.material import Material, void_of
from relaxdesign.microstructure.connectivity import Pieces, pieces
from relaxdesign.microstructure.features import distance
from relaxdesign.study.refinement.outcome import RefinementError

LARGEST_LOOSE = 0.25
"""Share of the solid that may be loose and is taken away; it carries nothing. More of it, and the cell is refused."""

LARGEST_FILLED = 0.1
"""Share of the cell that may be enclosed voids and is filled. More of it, and the cell is refused."""

_AWAY = 0.5  # voxels beyond the interface to which loose pieces are moved

Level = NDArray[np.float64]


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


def opened(level: Level, solid: int | None) -> Level:
    """The level set without enclosed voids: they are filled. In 2D all are open, along the third axis.

    Raises RefinementError if more than `LARGEST_FILLED` of the cell would be filled, or all voids.
    """
    if solid is None or level.ndim < 3:
        return level
    inside = (level > 0) == bool(solid)
    filled = pieces(~inside).ended
    if not filled.any():
        return level
    if filled.mean() > LARGEST_FILLED or np.array_equal(filled, ~inside):
        which = "all of them" if np.array_equal(filled, ~inside) else f"{100 * filled.mean():.0f} % of the cell"
        raise RefinementError(
            f"its enclosed voids are too large to be filled ({which}): allow them, or ask for more candidates"
        )
    inside |= filled
    sign = 1.0 if solid else -1.0
    beside = inside & maximum_filter(filled, 3, mode="wrap")
    return np.where(beside, sign * np.maximum(sign * level, distance(inside) - 0.5), level)


def check_open(labels: NDArray, solid: int | None) -> None:
    """Raises RefinementError for a cell (*grid) that has enclosed voids."""
    if solid is not None and labels.ndim == 3 and (count := pieces(labels != solid).spans.count(0)):
        raise RefinementError(
            f"its voids are not all open ({count} enclosed): allow enclosed ones, or ask for more candidates"
        )
