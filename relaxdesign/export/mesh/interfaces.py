"""The interfaces of a voxel cell and its faces as triangles (2D: segments) that share their corners.

Corners are those of voxels, and so every one on a face of the cell has its image on the opposite face, which is divided
in the same way. Arrays are of dim axes here: a 2D cell has two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

NOTHING = 0
"""Region of voids and of what is outside of the cell."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Pieces of the solid phases.

    numbers: of every voxel from 1 on, `NOTHING` in voids, (*grid). phase: of each number, -1 of `NOTHING`.
    """

    numbers: NDArray[np.int32]
    phase: NDArray[np.int64]

    @staticmethod
    def of(labels: NDArray, void: int | None) -> Regions:
        """The pieces whose voxels share faces, in a cell that ends at its faces."""
        numbers, phases = np.zeros(labels.shape, np.int32), [-1]
        for phase in np.unique(labels).tolist():
            if phase != void:
                found: tuple[NDArray, int] = label(labels == phase)  # type: ignore[assignment]
                numbers += np.where(found[0], found[0] + len(phases) - 1, 0).astype(np.int32)
                phases += [phase] * found[1]
        return Regions(numbers, np.array(phases))

    def volumes(self, phases: int) -> NDArray[np.float64]:
        """Voxels of every phase."""
        counts = np.bincount(self.numbers.ravel(), minlength=len(self.phase))[1:]
        return np.bincount(self.phase[1:], counts, minlength=phases).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Walls:
    """All faces of voxels between two regions, as they lie on the lattice of the voxels' corners.

    corners: lattice nodes (m, 2 * (dim - 1), dim) of each, counter-clockwise seen from above (2D: the end that has the
    lower region on its left first). below, above: regions (m,) on both sides along the axis. axis: (m,).
    """

    corners: NDArray[np.int64]
    below: NDArray[np.int32]
    above: NDArray[np.int32]
    axis: NDArray[np.int64]
    grid: tuple[int, ...]

    @staticmethod
    def of(regions: Regions) -> Walls:
        """Those of a cell, and of its outer faces."""
        parts = list(_walls(regions.numbers))
        corners, below, above, axis = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Walls(corners, below, above, axis, regions.numbers.shape)

    @cached_property
    def nodes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lattice nodes (n, dim) that are corners, and the number of every corner among them (m, corners)."""
        shape = tuple(edge + 1 for edge in self.grid)
        flat = np.ravel_multi_index(tuple(np.moveaxis(self.corners, -1, 0)), shape)
        kept, number = np.unique(flat, return_inverse=True)
        return np.stack(np.unravel_index(kept, shape), axis=1), number.reshape(flat.shape)

    @property
    def outer(self) -> NDArray[np.bool_]:
        """Which of them lie in the faces of the cell."""
        place = np.take_along_axis(self.corners[:, 0], self.axis[:, None], axis=1)[:, 0]
        return (place == 0) | (place == np.array(self.grid)[self.axis])

    def points(self, moved: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, dim) of `nodes` in voxels. moved: displacements (*grid, dim) of the periodic lattice."""
        nodes = self.nodes[0]
        return nodes + moved[tuple((nodes % self.grid).T)]

    def simplices(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Triangles or segments (k, dim) by the numbers of nodes, and the wall that each belongs to.

        Of the two diagonals of a wall that is taken whose triangles are the better ones, seen along the axis; images
        on opposite faces get the same.
        """
        number = self.nodes[1]
        if len(self.grid) == 2:
            return number, np.arange(len(number))
        score = [_worst(points[number[:, split]], self.axis) for split in _SPLITS]
        split = np.where((score[1] > score[0] + 1e-9)[:, None, None], *(np.array(s)[None] for s in reversed(_SPLITS)))
        triangles = np.take_along_axis(number, split.reshape(len(number), -1), axis=1).reshape(-1, 3)
        return triangles, np.repeat(np.arange(len(number)), 2)


_SPLITS = (((0, 1, 2), (0, 2, 3)), ((0, 1, 3), (1, 2, 3)))


def _walls(numbers: NDArray[np.int32]) -> Iterator[tuple[NDArray, NDArray, NDArray, NDArray]]:
    """Corners, regions below and above, and axis of the walls across each axis."""
    dim = numbers.ndim
    for axis in range(dim):
        padded = np.pad(numbers, [(1, 1) if other == axis else (0, 0) for other in range(dim)])
        below, above = np.delete(padded, -1, axis), np.delete(padded, 0, axis)
        at = np.argwhere(below != above)
        along = np.eye(dim, dtype=np.int64)
        if dim == 2:
            other = along[1 - axis]
            offsets = [0 * other, other] if axis == 0 else [other, 0 * other]
        else:
            b, c = along[(axis + 1) % 3], along[(axis + 2) % 3]
            offsets = [0 * b, b, b + c, c]
        where = tuple(at.T)
        yield at[:, None] + np.array(offsets), below[where], above[where], np.full(len(at), axis)


def _worst(corners: NDArray[np.float64], axis: NDArray[np.int64]) -> NDArray[np.float64]:
    """The lower quality of two triangles (m, 2, 3, 3): their area across the axis over the squares of their edges."""
    edges = np.roll(corners, -1, axis=2) - corners
    area = np.cross(edges[:, :, 0], edges[:, :, 1])
    across = np.take_along_axis(area, axis[:, None, None], axis=2)[..., 0]
    return (across / (edges**2).sum(axis=(2, 3))).min(axis=1)


def normals(points: NDArray[np.float64], simplices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Area vectors (k, dim) of triangles, or of segments, from below to above."""
    corners = points[simplices]
    first = corners[:, 1] - corners[:, 0]
    if points.shape[1] == 2:
        return np.stack([first[:, 1], -first[:, 0]], axis=1)
    return 0.5 * np.cross(first, corners[:, 2] - corners[:, 0])


def enclosed(
    points: NDArray[np.float64], simplices: NDArray[np.int64], below: NDArray, above: NDArray, count: int
) -> NDArray[np.float64]:
    """Volumes (areas) of so many bodies, whose numbers below and above each simplex are given (divergence theorem)."""
    flux = np.einsum("ij,ij->i", points[simplices].mean(axis=1), normals(points, simplices)) / points.shape[1]
    given, taken = (np.bincount(side, flux, minlength=count) for side in (below, above))
    return (given - taken).astype(np.float64)
