"""Meshes of voxel cells: smooth surfaces between two phases, and the faces of voxels. Lengths in edges of the cell."""

from __future__ import annotations

from typing import cast

import numpy as np
import pyvista as pv
from numpy.typing import NDArray

SLAB = 0.25
"""Height of a 2D cell, which is one voxel thick, as a share of its edge."""

_FAR_OFF = 1e-3  # of a voxel
_FARTHEST = 0.35  # voxels that smoothing moves a point along an axis


def cell_size(shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Edges of a cell of cubic voxels (nx, ny, nz), the first of them 1; a single layer is as thick as ``SLAB``."""
    nx, ny, nz = shape
    return 1.0, ny / nx, SLAB if nz == 1 else nz / nx


def smooth_surface(values: NDArray, level: float, *, periodic: bool = False, smoothing: int = 0) -> pv.PolyData:
    """Computes the closed surface around what lies above a level, by flying edges, with normals at its points.

    It closes exactly at the walls of the array, flat. A single layer is extruded.

    Args:
        values: (nx, ny, nz) at the voxels' centres.
        level: the surface's.
        periodic: whether values at the walls lie between those on both sides, so that the surface fits to copies of
            itself; else they are those of the outermost voxels.
        smoothing: iterations of Taubin's filter (doi:10.1145/218380.218473), which moves no point by half a voxel.

    Returns:
        Triangles in voxels from the corner of the array, z of a single layer between 0 and 1; without any where
        nothing or everything is above.
    """
    field = values.astype(np.float32)
    for axis in range(3):
        field = _with_walls(field, axis, periodic=periodic)
    padded = np.pad(field, 1, mode="edge")
    outside = np.ones(padded.shape, dtype=bool)
    outside[1:-1, 1:-1, 1:-1] = False
    outside &= padded >= level
    padded[outside] = np.minimum(2 * level - padded[outside], np.nextafter(np.float32(level), np.float32(-np.inf)))
    image = pv.ImageData(dimensions=padded.shape)
    image.point_data["value"] = padded.ravel(order="F")
    surface = cast(
        pv.PolyData,
        image.contour([level], "value", method="flying_edges", compute_normals=False, compute_scalars=False),
    )
    if surface.n_points == 0:
        return surface
    surface.points = np.column_stack([_places(surface.points[:, i], n) for i, n in enumerate(values.shape)])
    if smoothing:
        surface = _smoothed(surface, values.shape, smoothing)
    return creased_at_walls(surface.points, surface.regular_faces, values.shape)


def creased_at_walls(points: NDArray, triangles: NDArray, shape: tuple[int, ...]) -> pv.PolyData:
    """A surface with normals: at a wall the wall's, elsewhere those of the triangles around a point, by their areas.

    What lies in a wall has points of its own, so that the surface meets the wall in an edge. Lengths in voxels of an
    array of this shape.
    """
    walls = [(axis, end) for axis in range(3) for end in (0, shape[axis])]
    inside = np.ones(len(triangles), dtype=bool)
    parts: list[tuple[NDArray, NDArray, NDArray]] = []
    for axis, end in walls:
        at_wall = np.abs(points[:, axis] - end) < _FAR_OFF
        flat = inside & at_wall[triangles].all(1)
        inside &= ~flat
        own, corners = _own_points(points, triangles[flat])
        normals = np.zeros_like(own)
        normals[:, axis] = 1.0 if end else -1.0
        parts.append((own, corners, normals))
    own, corners = _own_points(points, triangles[inside])
    parts.append((own, corners, _point_normals(own, corners)))
    begins = np.cumsum([0, *(len(own) for own, _, _ in parts[:-1])])
    creased = pv.PolyData.from_regular_faces(
        np.concatenate([own for own, _, _ in parts]),
        np.concatenate([begin + corners for begin, (_, corners, _) in zip(begins, parts, strict=True)]),
    )
    creased.point_data.active_normals = np.concatenate([normals for _, _, normals in parts])
    return creased


def _own_points(points: NDArray, triangles: NDArray) -> tuple[NDArray, NDArray]:
    """The points that triangles have, and the triangles in their numbers."""
    used = np.zeros(len(points), dtype=bool)
    used[triangles] = True
    return points[used], (np.cumsum(used) - 1)[triangles]


def _point_normals(points: NDArray, triangles: NDArray) -> NDArray[np.float32]:
    """Unit normals at the points of a surface."""
    first, second, third = (points[triangles[:, corner]] for corner in range(3))
    across = np.cross(second - first, third - first)  # as long as the triangle is large
    sums = [np.bincount(triangles.ravel(), np.repeat(across[:, axis], 3), len(points)) for axis in range(3)]
    normals = np.stack(sums, axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, np.finfo(np.float32).tiny)).astype(np.float32)


def _with_walls(values: NDArray, axis: int, *, periodic: bool) -> NDArray:
    """Values at the centres of voxels, and at both walls across an axis."""
    first, last = (np.take(values, [end], axis) for end in (0, -1))
    if periodic:
        first = last = (first + last) / 2
    return np.concatenate([first, values, last], axis)


def _places(index: NDArray, voxels: int) -> NDArray[np.float32]:
    """Where along an axis the indices of padded values lie: outside (at the wall too), wall, centres, wall, outside."""
    places = np.concatenate([[0.0, 0.0], np.arange(voxels) + 0.5, [voxels, voxels]])
    return np.interp(index, np.arange(len(places)), places).astype(np.float32)


def _smoothed(surface: pv.PolyData, shape: tuple[int, ...], iterations: int) -> pv.PolyData:
    """Smooths a surface inside the cell; what lies in a wall stays in that wall, and single voxels do not vanish."""
    before = surface.points
    smooth = cast(pv.PolyData, surface.smooth_taubin(n_iter=iterations, pass_band=0.1))
    points = before + np.clip(smooth.points - before, -_FARTHEST, _FARTHEST)
    points = np.clip(points, 0, shape)
    for axis, end in enumerate(shape):
        for wall in (0, end):
            points[np.abs(before[:, axis] - wall) < _FAR_OFF, axis] = wall
    smooth.points = points
    return smooth


def voxels_at(points: NDArray, normals: NDArray, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Indices (n, 3) of the voxels just inside points of a surface, in voxels from the array's corner."""
    return np.clip(np.floor(points - 0.01 * normals).astype(np.intp), 0, np.array(shape) - 1)


def on_walls(points: NDArray, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether points (n, 3), in voxels, lie in a wall of the array."""
    return np.any((points < _FAR_OFF) | (points > np.array(shape) - _FAR_OFF), axis=1)


def voxel_faces(shown: NDArray[np.bool_]) -> tuple[pv.PolyData, NDArray[np.intp]]:
    """Builds the outer faces of the voxels that are shown.

    shown: (nx, ny, nz). Returns triangles in voxels, and of each triangle's voxel the indices (triangles, 3).
    """
    if not shown.any():
        return pv.PolyData(), np.empty((0, 3), dtype=np.intp)
    cell = pv.ImageData(dimensions=np.array(shown.shape) + 1)
    cell.cell_data["voxel"] = np.arange(shown.size)
    faces = cell.extract_cells(shown.ravel(order="F")).extract_surface(algorithm="dataset_surface").triangulate()
    owners = np.unravel_index(faces.cell_data["voxel"], shown.shape, order="F")
    faces = faces.compute_normals(cell_normals=False, split_vertices=True, consistent_normals=False)
    return cast(pv.PolyData, faces), np.stack(owners, axis=1)
