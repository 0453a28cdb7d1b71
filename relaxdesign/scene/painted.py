"""Scenes of a field painted on a cell: on its voxels, or on the surface of a phase; and how the cell deforms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates

from relaxdesign.scene.bodies import Exact
from relaxdesign.scene.scenes import PAPER, SMOOTHING, Cut, Scene, layer_of
from relaxdesign.scene.surfaces import cell_size, on_walls, smooth_surface, voxel_faces

REACH = 0.12
"""Edges of the cell by which the point that moves most is drawn away from where it was."""
_INSIDE = 0.5  # voxels below a surface at which its field is read

Paint = Callable[[NDArray], NDArray[np.uint8]]


def painted_scene(
    values: NDArray,
    paint: Paint,
    *,
    shown: NDArray[np.bool_] | None = None,
    cut: Cut | None = None,
    moved: NDArray | None = None,
) -> Scene:
    """Shows a field of a cell, voxel by voxel, on the faces of what is left of it.

    Args:
        values: (nx, ny, nz).
        paint: colours uint8 (n, 3) of values (n,).
        shown: the voxels that are seen, e.g. those of a phase; None: all.
        cut: what is left of the cell.
        moved: displacement of the nodes in voxels (3, nx + 1, ny + 1, nz + 1), by which the scene can be deformed.
    """
    left = np.zeros(values.shape, dtype=bool)
    kept = (cut or Cut()).voxels(values.shape)
    left[: kept[0], : kept[1], : kept[2]] = True
    mesh, voxels = voxel_faces(left if shown is None else left & shown)
    if mesh.n_points == 0:
        return Scene((), cell_size(values.shape))
    moves = None if moved is None else _moves(mesh, moved)
    layer = layer_of("voxels", mesh, values.shape, paint(values[tuple(voxels.T)]), finish=PAPER, moves=moves)
    return Scene((layer,), cell_size(values.shape))


def painted_phase(
    values: NDArray,
    paint: Paint,
    labels: NDArray[np.integer],
    phase: int,
    *,
    phases: int = 2,
    exact: Exact | None = None,
    cut: Cut | None = None,
    moved: NDArray | None = None,
) -> Scene:
    """Shows a field on the surface of one phase, with the values that this phase has there.

    values, paint, cut, moved: as of `painted_scene`. labels: phases (nx, ny, nz), of so many ``phases``. exact: what
    the inclusions are; the phase that they lie in has the surface of its voxels.
    """
    kept = (cut or Cut()).voxels(values.shape)
    part = labels == phase
    if exact is not None and phase > 0:
        mesh = exact.surface(phase, phases, values.shape, kept)
    else:
        left = part[: kept[0], : kept[1], : kept[2]]
        mesh = smooth_surface(left.astype(np.float32), 0.5, smoothing=SMOOTHING)
    if mesh.n_points == 0 or not part.any():
        return Scene((), cell_size(values.shape))
    colours = paint(_values_within(values, part, mesh, kept))
    moves = None if moved is None else _moves(mesh, moved)
    layer = layer_of("phase", mesh, values.shape, colours, finish=PAPER, moves=moves)
    return Scene((layer,), cell_size(values.shape))


def _values_within(values: NDArray, part: NDArray[np.bool_], mesh: pv.PolyData, kept: tuple[int, ...]) -> NDArray:
    """A field at the points of a surface, interpolated between the voxels of its phase alone: (points,).

    Beyond the phase goes on what its nearest voxel has.
    """
    normals = mesh.point_data["Normals"]
    inside = np.where(on_walls(mesh.points, kept)[:, None], 0.0, _INSIDE) * normals
    places = (mesh.points - inside - 0.5).T
    nearest = np.asarray(distance_transform_edt(~part, return_distances=False, return_indices=True))
    return map_coordinates(values[tuple(nearest)], places, order=1, mode="grid-wrap")


def _moves(mesh: pv.PolyData, moved: NDArray) -> NDArray:
    """Displacement of a surface's points in voxels (points, 3), from that of the nodes."""
    return np.stack([map_coordinates(part, mesh.points.T, order=1, mode="nearest") for part in moved], 1)


def repeated(moved: NDArray, times: int) -> NDArray:
    """Displacements (3, nx + 1, ny + 1, nz + 1) of a periodic cell, of so many cells along each axis.

    From one cell to the next it grows by as much as from one face to the other. A single layer stays one.
    """
    for axis in (1, 2, 3):
        last = moved.shape[axis] - 1
        if axis == 3 and last == 1:
            continue
        first, end = (np.take(moved, [node], axis) for node in (0, last))
        body = np.take(moved, range(last), axis)
        whole = np.concatenate([body + k * (end - first) for k in range(times)], axis)
        moved = np.concatenate([whole, end + (times - 1) * (end - first)], axis)
    return moved


def exaggerated(moved: NDArray) -> tuple[NDArray, float]:
    """Displacements in voxels without what moves the cell as a whole, so large that they are seen; and how much so."""
    away = moved - moved.mean((1, 2, 3), keepdims=True)
    largest = float(np.sqrt((away**2).sum(0)).max())
    times = REACH * (moved.shape[1] - 1) / largest if largest > 0 else 1.0
    return away * times, times
