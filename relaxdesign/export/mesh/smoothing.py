"""Interfaces of voxels without their steps: corners move by a filter that keeps volumes, faces of the cell stay flat.

The filter is that of Taubin (1995, doi:10.1145/218380.218473): a step towards the mean of the neighbours on the
interface, and a larger one back, let only what is longer than some voxels pass. Every corner stays within `FARTHEST` of
where it was along each axis, so that neighbours do not change places, as in surface nets (Gibson 1998,
doi:10.1007/BFb0056277). What is left of the volume fractions' error is taken by moving interfaces along their normals.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from relaxdesign.export.mesh.interfaces import NOTHING, Regions, Walls, enclosed, normals

FARTHEST = 0.45
"""Voxels."""
_STEPS = 20
_ON_KNOWN = 10
_FORTH, _BACK = 0.5, -0.526  # pass-band 0.1
_CORRECTIONS = 4


class Interfaces(Protocol):
    """Where the interfaces of a cell are known to lie."""

    def towards(
        self, points: NDArray[np.float64], free: NDArray[np.bool_], grid: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """From points (n, dim) in voxels to the nearest interface, along the axes that are free at each, else 0."""
        ...


def smoothed(
    regions: Regions, walls: Walls, labels: NDArray, volumes: NDArray[np.float64], known: Interfaces | None = None
) -> NDArray[np.float64]:
    """Displacements (*grid, dim) of the corners of a periodic lattice of voxels, in voxels.

    labels: phases (*grid). volumes: of the phases in voxels, that the solid ones are to have. known: where interfaces
    lie.
    """
    moved = np.zeros((*labels.shape, labels.ndim))
    for _ in range(_STEPS):
        for factor in (_FORTH, _BACK):
            moved = _kept(moved + factor * _to_neighbours(labels, moved))
    if known is not None:
        for _ in range(_ON_KNOWN):
            moved = _kept(moved + _FORTH * _to_neighbours(labels, moved))
            moved = _kept(_on_known(labels, moved, known))
    for _ in range(_CORRECTIONS):
        moved = _kept(moved + _correction(regions, walls, moved, volumes))
    return moved


def _on_known(labels: NDArray, moved: NDArray[np.float64], known: Interfaces) -> NDArray[np.float64]:
    """Displacements that bring every corner on an interface to where that is known to lie, within faces."""
    nodes = np.argwhere(_on_interface(labels))
    moved = moved.copy()
    moved[tuple(nodes.T)] += known.towards(nodes + moved[tuple(nodes.T)], nodes > 0, labels.shape)
    return moved


def _on_interface(labels: NDArray) -> NDArray[np.bool_]:
    """The corners (*grid) that have voxels of several phases around them."""
    low, high = labels, labels
    for axis in range(labels.ndim):
        low, high = (np.minimum(low, np.roll(low, 1, axis)), np.maximum(high, np.roll(high, 1, axis)))
    return low < high


def _kept(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacements that are allowed: not too far, and within the faces of the cell."""
    return _within_faces(np.clip(moved, -FARTHEST, FARTHEST))


def _within_faces(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (*grid, dim) of the lattice without what points out of the faces of the cell."""
    vectors = vectors.copy()
    for axis in range(vectors.ndim - 1):
        np.moveaxis(vectors, axis, 0)[0, ..., axis] = 0.0
    return vectors


def _to_neighbours(labels: NDArray, moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """From every corner on an interface to the mean of those it has an edge with there; 0 elsewhere."""
    dim = labels.ndim
    across = [labels != np.roll(labels, 1, axis) for axis in range(dim)]
    total, count = np.zeros_like(moved), np.zeros(labels.shape)
    for along in range(dim):
        edge = np.zeros(labels.shape, dtype=bool)  # from a corner to the next along this axis
        for axis in set(range(dim)) - {along}:
            edge |= across[axis]
            for other in set(range(dim)) - {along, axis}:
                edge |= np.roll(across[axis], 1, other)
        step = np.eye(dim)[along]
        forward = np.where(edge[..., None], np.roll(moved, -1, along) + step - moved, 0.0)
        back = np.roll(edge, 1, along)
        backward = np.where(back[..., None], np.roll(moved, 1, along) - step - moved, 0.0)
        total, count = total + forward + backward, count + edge + back
    return total / np.maximum(count, 1)[..., None]


def _correction(
    regions: Regions, walls: Walls, moved: NDArray[np.float64], volumes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Displacements along the normals of the interfaces, by one distance for each pair of phases, that make up for what
    the volumes of the phases lack."""
    points, count = walls.points(moved), len(volumes)
    simplices, wall = walls.simplices(points)
    phase = np.where(np.arange(len(regions.phase)) == NOTHING, count, regions.phase)
    below, above = phase[walls.below[wall]], phase[walls.above[wall]]
    lacking = volumes - enclosed(points, simplices, below, above, count + 1)[:-1]
    area, inner = normals(points, simplices), ~walls.outer[wall]
    nodes = tuple((walls.nodes[0] % walls.grid).T)
    gains, ways = [], []
    for low, high in np.unique(np.sort(np.stack([below, above], 1)[inner & (below != above)], 1), axis=0).tolist():
        sign = inner * (1.0 * ((below == low) & (above == high)) - ((below == high) & (above == low)))
        at = np.zeros_like(moved)
        for corner in simplices.T:
            np.add.at(at, tuple(axis[corner] for axis in nodes), area * sign[:, None])
        length = np.linalg.norm(at, axis=-1, keepdims=True)
        ways.append(_within_faces(np.divide(at, length, out=np.zeros_like(at), where=length > 0)))
        swept = np.abs(sign) @ np.linalg.norm(area, axis=1)
        gains.append([swept * ((label == low) - (label == high)) for label in range(count)])
    if not ways:
        return np.zeros_like(moved)
    distances = np.linalg.lstsq(np.array(gains, dtype=np.float64).T, lacking, rcond=None)[0]
    return np.tensordot(distances, np.stack(ways), axes=1).astype(np.float64)
