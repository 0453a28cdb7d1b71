"""What a level set encloses as a body: the surface on which it is zero, which is where the cell's phases meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from manifold3d import Manifold, Mesh64
from numpy.typing import NDArray

from relaxdesign.microstructure.contour import zero_surface
from relaxdesign.microstructure.free_form.stored import unpacked

_POINTS_PER_VOXEL = 2
_MOST_POINTS = 2**25  # a few hundred MB of triangles

_LEAST = 1e-6  # of the level at a point: a surface through points of the grid would touch itself there


def free_form_body(geometry: Mapping[str, Any], tile: int, height: float, phase: int = 0) -> Manifold:
    """All phases but the first, or one of them, of a block of cells. geometry: as from `LevelSet.to_dict`.

    tile, height, errors: as of `level_body`.
    """
    level, *further = unpacked(geometry)
    body = level_body(level, tile, height)
    if not further or phase == 0:
        return body
    last = level_body(further[0], tile, height)
    return body ^ last if phase == 2 else body - last


def level_body(level: NDArray[np.float64], tile: int, height: float) -> Manifold:
    """Where a level set (*grid) is positive, of a block of cells and half a voxel beyond, lengths in cell edges.

    It is taken to be linear between the voxels' centres, as where shares of voxels are computed. height: of a block of
    2D cells. Raises ValueError for a block of too many voxels.
    """
    edge, flat = level.shape[0], level.ndim == 2
    per_voxel = _POINTS_PER_VOXEL
    while (points := (per_voxel * (edge * tile + 1) + 3) ** level.ndim) > _MOST_POINTS and per_voxel > 1:
        per_voxel -= 1
    if points > _MOST_POINTS:
        raise ValueError(f"{tile} cells along each edge make {points:.2g} voxels; at most {_MOST_POINTS:.2g} fit")
    values = level
    for axis in range(level.ndim):
        values = _refined(values, per_voxel, axis)
        along = np.arange(-per_voxel, per_voxel * edge * tile + 1)
        values = values.take(along, axis, mode="wrap")
    values = np.where(np.abs(values) < _LEAST, np.where(values > 0, _LEAST, -_LEAST), values)
    values = np.pad(values[..., None].repeat(2, -1) if flat else values, 1, constant_values=-1.0)
    corners, triangles = zero_surface(values)
    step = 1.0 / (per_voxel * edge)
    places = (corners - 1.0 - per_voxel) * step + 0.5 / edge
    if flat:
        places[:, 2] = (corners[:, 2] - 1.5) * 4.0 * height + 0.5 * height
    return Manifold(Mesh64(places, triangles.astype(np.uint64)))


def _refined(values: NDArray[np.float64], times: int, axis: int) -> NDArray[np.float64]:
    """Periodic values with ``times`` as many points along an axis, linear between the given ones."""
    parts = [values + part / times * (np.roll(values, -1, axis) - values) for part in range(times)]
    return np.stack(parts, axis + 1).reshape(
        tuple(count * (times if number == axis else 1) for number, count in enumerate(values.shape))
    )
