"""Winding numbers of a closed, oriented surface at the centres of voxels, by signed crossings along columns.

The winding number of a point is the sum of the signs of the crossings of any ray from outside to it: +1 for a
crossing into the surface, −1 for one out of it. It is 1 inside one body, 2 where two bodies overlap, 0 in a cavity.
"""

from __future__ import annotations

import numpy as np

# Corners are moved to a lattice of this many steps per voxel. Which column meets which triangle is then decided in
# whole numbers, exactly: across a shared edge no crossing is lost or counted twice.
_STEPS = 2**18
LARGEST_EXTENT = 2**11  # of the surface, in voxels: products of coordinates stay below 2^63
_PAIRS = 2**20  # of triangles and columns, worked on at once


def winding_numbers(triangles: np.ndarray, origin: np.ndarray, voxel: float, shape: tuple[int, int, int]) -> np.ndarray:
    """Computes the winding number at every voxel centre of a box, int32 (nx, ny, nz).

    A centre on the surface counts as just beyond it in the directions of growing x, y and z.

    Args:
        triangles: corners (n, 3, 3) of closed shells, counter-clockwise from outside; they may leave the box, but
            span at most LARGEST_EXTENT voxels with it.
        origin: (3,), the first corner of the box. voxel: edge of a voxel. shape: voxels of the box.
    """
    nx, ny, nz = shape
    corners = np.rint(((triangles - origin) / voxel - 0.5) * _STEPS).astype(np.int64)  # voxel centres: whole numbers
    area = _cross(*np.moveaxis(corners[..., :2], 1, 0))
    corners, area = corners[area != 0], area[area != 0]
    sign = np.where(area > 0, -1, 1).astype(np.int32)  # upwards through a triangle that faces up: out of the surface
    corners = np.where((area > 0)[:, None, None], corners, corners[:, ::-1])
    first = np.maximum(-(-corners[..., :2].min(axis=1) // _STEPS), 0)
    last = np.minimum(corners[..., :2].max(axis=1) // _STEPS, (nx - 1, ny - 1))
    size = np.maximum(last - first + 1, 0)
    count = size.prod(axis=1)
    met = np.flatnonzero(count)
    steps = np.zeros((nx * ny, nz + 1), np.int32)
    for part in np.split(met, np.flatnonzero(np.diff(np.cumsum(count[met]) // _PAIRS)) + 1):
        index = np.repeat(part, count[part])
        within = np.arange(len(index)) - np.repeat(np.cumsum(count[part]) - count[part], count[part])
        column = first[index] + np.stack([within // size[index, 1], within % size[index, 1]], axis=1)
        hit, height = _crossings(corners[index], column * _STEPS)
        layer = np.clip(np.ceil(height), 0, nz).astype(np.int64)  # the first voxel centre not below the crossing
        np.add.at(steps, (column[hit, 0] * ny + column[hit, 1], layer), sign[index[hit]])
    return np.cumsum(steps, axis=1, dtype=np.int32)[:, :nz].reshape(shape)


def _cross(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(b − a) × (p − a) of points in a plane, (..., 2): positive if p lies left of the line from a to b."""
    return (b[..., 0] - a[..., 0]) * (p[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (p[..., 0] - a[..., 0])


def _crossings(corners: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs of a triangle (m, 3, 3), counter-clockwise from above, and a column (m, 2) meet, and at what height.

    A column through an edge or a corner is thought a little to the right, and much less up (symbolic perturbation).
    Returns the indices of the pairs that meet, and the heights of their crossings in voxels.
    """
    a, b, c = np.moveaxis(corners, 1, 0)
    weights, inside = [], np.ones(len(corners), bool)
    for start, end in ((b, c), (c, a), (a, b)):
        left = _cross(start, end, column)
        run, rise = end[:, 0] - start[:, 0], end[:, 1] - start[:, 1]
        inside &= (left > 0) | ((left == 0) & ((rise < 0) | ((rise == 0) & (run > 0))))
        weights.append(left)
    hit = np.flatnonzero(inside)
    of_a, of_b, of_c = (weight[hit].astype(np.float64) for weight in weights)
    base = a[hit, 2]
    # Differences of heights, so that a level triangle is crossed at its level exactly.
    height = base + (of_b * (b[hit, 2] - base) + of_c * (c[hit, 2] - base)) / (of_a + of_b + of_c)
    return hit, height / _STEPS
