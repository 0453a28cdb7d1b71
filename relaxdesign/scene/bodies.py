"""The inclusions of a cell as they are, not as their voxels: spheres as spheres, discs and fibres as cylinders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyvista as pv
from manifold3d import Manifold

from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Bodies, Inclusions
from relaxdesign.scene.surfaces import SLAB, creased_at_walls

CHORD = 0.006
"""Largest distance of a facet from a curved surface, of the size of an inclusion: normals hide the rest."""


@dataclass(frozen=True)
class Exact:
    """What the inclusions of a cell are. family: its name. geometry: as in a design. tile: cells along each edge."""

    family: str
    geometry: Mapping[str, Any]
    tile: int = 1

    @staticmethod
    def of(family: str, geometry: Mapping[str, Any]) -> Exact | None:
        """None where the family has no inclusions, or none are known; shapes are drawn by their voxels, smoothed."""
        of = FAMILIES[family]
        return Exact(family, geometry) if geometry and isinstance(of, Inclusions) and isinstance(of, Bodies) else None

    def tiled(self, times: int) -> Exact:
        """So many cells along each edge."""
        return replace(self, tile=times)

    def surface(self, phase: int, phases: int, shape: tuple[int, ...], kept: tuple[int, ...]) -> pv.PolyData:
        """The closed surface of a phase, cut at what is left of the voxels of all cells.

        phase: from 1, of so many ``phases``. shape: voxels of all cells. kept: of those that are left. Returns
        triangles in voxels with normals at their points, as `smooth_surface` does; none where the phase is cut away.
        """
        family, flat = FAMILIES[self.family], shape[2] == 1
        assert isinstance(family, Bodies)
        voxel = self.tile / shape[0]
        size = np.array([voxel, voxel, SLAB * self.tile if flat else voxel])
        height = size[2] if flat else float(self.tile)
        body = family.body(self.geometry, self.tile, height, CHORD, phase if phases > 2 else 0)
        mesh = (body ^ Manifold.cube((size * kept).tolist())).to_mesh64()
        if not len(mesh.tri_verts):
            return pv.PolyData()
        points = np.asarray(mesh.vert_properties)[:, :3] / size
        return creased_at_walls(points, np.asarray(mesh.tri_verts).astype(np.int64), kept)
