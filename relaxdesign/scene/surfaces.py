"""Meshes of voxel cells: smooth surfaces between two phases, and the faces of voxels. Lengths in edges of the cell."""

from __future__ import annotations

from typing import cast

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from scipy import ndimage

SLAB = 0.25
"""Height of a 2D cell, which is one voxel thick, as a share of its edge."""

_CREASE_DEGREES = 45.0
_FAR_OFF = 1e-3  # of a voxel
_FARTHEST = 0.35  # voxels that smoothing moves a point along an axis


def cell_size(shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Edges of a cell of cubic voxels (nx, ny, nz), the first of them 1; a single layer is as thick as ``SLAB``."""
    nx, ny, nz = shape
    return 1.0, ny / nx, SLAB if nz == 1 else nz / nx


def smooth_surface(values: NDArray, level: float, *, blur: float = 0.0, smoothing: int = 0) -> pv.PolyData:
    """Computes the closed surface around what lies above a level, by flying edges, with normals at its points.

    Beyond the walls of the array values are mirrored about the level, so that the surface closes exactly at the walls,
    flat. A single layer is extruded.

    Args:
        values: (nx, ny, nz) at the voxels' centres.
        level: the surface's.
        blur: standard deviation of a Gaussian that smooths periodic values first, in voxels; loses thin features.
        smoothing: iterations of Taubin's filter (doi:10.1145/218380.218473), which moves no point by half a voxel.

    Returns:
        Triangles in voxels from the corner of the array, z of a single layer between 0 and 1; without any where
        nothing or everything is above.
    """
    flat = values.shape[2] == 1
    field = values.astype(np.float32)
    if blur:
        field = ndimage.gaussian_filter(field, (blur, blur, 0.0 if flat else blur), mode="wrap")
    if flat:
        field = np.repeat(field, 2, axis=2)
    padded = np.pad(field, 1, mode="edge")
    outside = np.ones(padded.shape, dtype=bool)
    outside[1:-1, 1:-1, 1:-1] = False
    outside &= padded >= level
    padded[outside] = np.minimum(2 * level - padded[outside], np.nextafter(np.float32(level), np.float32(-np.inf)))
    image = pv.ImageData(dimensions=padded.shape, origin=(-0.5, -0.5, -0.5))
    image.point_data["value"] = padded.ravel(order="F")
    surface = cast(
        pv.PolyData,
        image.contour([level], "value", method="flying_edges", compute_normals=False, compute_scalars=False),
    )
    if surface.n_points == 0:
        return surface
    if smoothing:
        surface = _smoothed(surface, field.shape, smoothing)
    if flat:
        points = np.array(surface.points)
        points[:, 2] = points[:, 2] >= 1  # what bevels the rims becomes the lid of a prism
        surface.points = points
    return cast(
        pv.PolyData,
        surface.compute_normals(
            cell_normals=False, split_vertices=True, feature_angle=_CREASE_DEGREES, consistent_normals=False
        ),
    )


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
