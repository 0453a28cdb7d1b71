"""Interfaces that a design knows exactly, for corners of its mesh to move to: spheres, and where level sets vanish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from relaxdesign.export.mesh.smoothing import Interfaces
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Round
from relaxdesign.microstructure.free_form.stored import unpacked
from relaxdesign.study.result import Design

_STEP = 0.25  # voxels, of differences


@dataclass(frozen=True, eq=False)
class Spheres:
    """Spheres (2D: discs) in a periodic cell, in voxels. centres: (n, dim). radii: (n,)."""

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]

    def towards(
        self, points: NDArray[np.float64], free: NDArray[np.bool_], grid: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """See `Interfaces`. A face of the cell cuts a sphere in a circle."""
        offset, radius = self._nearest(points, grid)
        across = radius**2 - np.where(free, 0.0, offset**2).sum(axis=1)
        length = np.linalg.norm(np.where(free, offset, 0.0), axis=1)
        reach = np.sqrt(across, out=np.zeros_like(across), where=across > 0)
        good = (across > 0) & (length > 0)
        stretch = np.divide(reach, length, out=np.ones_like(length), where=good) - 1.0
        return np.where(free, offset, 0.0) * stretch[:, None]

    def _nearest(
        self, points: NDArray[np.float64], grid: tuple[int, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """From the centre of the sphere whose surface is nearest to each point (n, dim), and its radius (n,)."""
        best, offset, radius = np.full(len(points), np.inf), np.zeros_like(points), np.zeros(len(points))
        for centre, size in zip(self.centres, self.radii.tolist(), strict=True):
            apart = points - centre
            apart -= np.round(apart / grid) * grid
            off = np.abs(np.linalg.norm(apart, axis=1) - size)
            nearer = off < best
            best[nearer], offset[nearer], radius[nearer] = off[nearer], apart[nearer], size
        return offset, radius


@dataclass(frozen=True, eq=False)
class Levels:
    """Level sets (n, *grid) at the centres of voxels, linear in between; later ones count where the first is positive.

    See `relaxdesign.microstructure.free_form.three.TwoLevelSets`.
    """

    levels: NDArray[np.float64]

    def towards(
        self, points: NDArray[np.float64], free: NDArray[np.bool_], grid: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """See `Interfaces`: a step of Newton's method along the gradient."""
        values = np.stack([_at(level, points) for level in self.levels])
        distance = np.abs(values)
        distance[1:, values[0] <= 0] = np.inf
        which = distance.argmin(axis=0)
        moves = np.zeros_like(points)
        for number, level in enumerate(self.levels):
            mine = which == number
            slope = np.where(free[mine], _slope(level, points[mine]), 0.0)
            steep = (slope**2).sum(axis=1)
            length = np.divide(-values[number, mine], steep, out=np.zeros_like(steep), where=steep > 0)
            moves[mine] = slope * length[:, None]
        return moves


def known_interfaces(design: Design) -> Interfaces | None:
    """Those of a realised design, in voxels of its labels; None where only the labels tell them."""
    family = FAMILIES[design.family]
    if not design.geometry or design.labels is None:
        return None
    if isinstance(family, Round):
        spheres, grid = family.spheres(design.geometry).values(), design.labels.shape[0]
        centres, diameters = (np.concatenate(column) for column in zip(*spheres, strict=True))
        return Spheres(grid * centres, 0.5 * grid * diameters)
    return Levels(unpacked(design.geometry)) if "level" in design.geometry else None


def _at(level: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The level at points (n, dim), in voxels from the corner of the cell."""
    return map_coordinates(level, points.T - 0.5, order=1, mode="grid-wrap")


def _slope(level: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Its gradient (n, dim) there, by differences."""
    steps = _STEP * np.eye(level.ndim)
    return np.stack([(_at(level, points + s) - _at(level, points - s)) / (2.0 * _STEP) for s in steps], axis=1)
