"""Channels through a solid that would join an enclosed void of a periodic cell to another void.

They are straight, lead through the thinnest wall and are as wide as is asked for; where the cell is to be symmetric,
their images go with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

from relaxdesign.microstructure.connectivity import Pieces, pieces
from relaxdesign.microstructure.symmetry import NO_SYMMETRY, Symmetry

Voxels = NDArray[np.bool_]
Ends = tuple[NDArray[np.int64], NDArray[np.int64]]

LEAST = 2.0
"""Voxels that a channel is wide at least: the faces of the voxels in it hang together."""
_MORE = 0.5  # voxels by which channels are wider than that, so that voxels resolve them
_TRIED = 6  # ways
_SLACK = 1.5  # voxels by which a way may be longer than the shortest: with its images it may take less of the solid
_SPACING = 0.25  # voxels, of the points that a way consists of


@dataclass(frozen=True, eq=False)
class Enclosed:
    """A void that nothing can be taken out of.

    voxels: of it and of its images, bool (*grid). alone: whether there is no open void that it could be joined to.
    channels: levels (*grid), in voxels the distance from a channel, negative within, that join it to an open void or,
    where it is alone, to another void or its own periodic image; the one with the fewest voxels of the solid first.
    """

    voxels: Voxels
    alone: bool
    channels: list[NDArray[np.float64]]


def nearest_enclosed(void: Voxels, width: float = 0.0, symmetry: Symmetry = NO_SYMMETRY) -> Enclosed | None:
    """The enclosed void that is nearest to an open one, the largest where none is open; None if none is enclosed.

    void: voxels (*grid) of a cell that has the symmetry. width: voxels that a channel is wide, no less than `LEAST`.
    """
    found = pieces(void)
    ended = found.ended
    if not ended.any():
        return None
    alone = np.array_equal(ended, void)
    number, starts, stops = _from_largest(void, found) if alone else _to_open(found, ended)
    radius = (max(width, LEAST) + _MORE) / 2.0
    fields = [
        symmetry.lowest(_from_way(start, stop, void.shape) - radius)
        for start, stop in _different((starts, stops), void.shape, symmetry)
    ]
    fields.sort(key=lambda field: int(((field < 0.0) & ~void).sum()))
    return Enclosed(symmetry.lowest(-1.0 * (found.numbers == number)) < 0.0, alone, fields)


def _to_open(found: Pieces, ended: Voxels) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """The enclosed void nearest to an open one, and ways (ways, dim) from it to there, shortest first."""
    grid = found.numbers.shape
    margin = max(grid) // 2 + 1
    length, stop = _nearest(np.pad((found.numbers > 0) & ~ended, margin, mode="wrap"))
    middle = tuple(slice(margin, margin + edge) for edge in grid)
    length, stop = length[middle], stop[(slice(None), *middle)] - margin
    number = int(found.numbers.ravel()[np.argmin(np.where(ended, length, np.inf))])
    start = np.argwhere(found.numbers == number)
    return number, *_shortest(start, stop[(slice(None), *start.T)].T, length[tuple(start.T)])


def _from_largest(void: Voxels, found: Pieces) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """The largest void and ways (ways, dim) from it to the nearest other void or image of its own, shortest first."""
    grid = np.array(void.shape)
    tiled = np.pad(void, [(edge, edge) for edge in grid], mode="wrap")
    numbers: NDArray[np.int32] = label(tiled)[0]  # type: ignore[index]
    here = numbers == numbers[tuple(np.argwhere(found.largest)[0] + grid)]
    if not (tiled & ~here).any():  # it winds through more cells than were looked at
        return 1, np.zeros((0, void.ndim), dtype=int), np.zeros((0, void.ndim), dtype=int)
    length, stop = _nearest(tiled & ~here)
    start = np.argwhere(here)
    return 1, *_shortest(start - grid, stop[(slice(None), *start.T)].T - grid, length[tuple(start.T)])


def _nearest(ends: Voxels) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of every voxel the distance to the nearest of some voxels, and which one that is, (dim, *grid)."""
    length, stop = distance_transform_edt(~ends, return_indices=True)  # type: ignore[misc]
    return length, stop.astype(np.int64)


def _shortest(start: NDArray, stop: NDArray, length: NDArray[np.float64]) -> Ends:
    """The ways (ways, dim) that are hardly longer than the shortest, in ascending order."""
    order = np.argsort(length, kind="stable")
    order = order[length[order] <= length[order[0]] + _SLACK]
    return start[order], stop[order]


def _different(ways: Ends, grid: tuple[int, ...], symmetry: Symmetry) -> list[tuple[NDArray, NDArray]]:
    """The first ways (ways, dim) that are no images of each other."""
    images = symmetry.lowest(np.arange(np.prod(grid), dtype=np.float64).reshape(grid))
    seen: set[float] = set()
    different = []
    for start, stop in zip(*ways, strict=True):
        begins = float(images[tuple(start % grid)])
        if begins not in seen:
            seen.add(begins)
            different.append((start, stop))
        if len(different) == _TRIED:
            break
    return different


def _from_way(start: NDArray, stop: NDArray, grid: tuple[int, ...]) -> NDArray[np.float64]:
    """Distance in voxels (*grid) of their centres from the straight way between two of them, periodic."""
    length = float(np.linalg.norm(stop - start))
    nearest = np.full(grid, np.inf)
    for part in np.linspace(0.0, 1.0, int(length / _SPACING) + 2):
        squared = np.zeros((1,) * len(grid))
        for axis, edge in enumerate(grid):
            across = np.abs(np.arange(edge) - (start[axis] + part * (stop[axis] - start[axis]))) % edge
            shape = [1] * len(grid)
            shape[axis] = edge
            squared = squared + np.square(np.minimum(across, edge - across)).reshape(shape)
        np.minimum(nearest, squared, out=nearest)
    return np.sqrt(nearest)
