"""Exact surfaces of cells whose family can build its inclusions as bodies: spheres as spheres, not as their voxels."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from relaxdesign.export.cell import check_sizes, extruded_thickness
from relaxdesign.export.surface import Surface
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Bodies
from relaxdesign.study.result import Design

CHORD = 0.004
"""Largest distance of a facet from a curved surface, of the size of an inclusion."""
FINEST, COARSEST = 1e-4, 0.05


def has_body(design: Design) -> bool:
    """Whether its exact geometry is known and can be meshed."""
    return bool(design.geometry) and isinstance(FAMILIES[design.family], Bodies)


def body_surface(
    design: Design,
    cell_size_mm: float = 1.0,
    thickness_mm: float | None = None,
    phase: int = 1,
    tile: int = 1,
    chord: float = CHORD,
) -> Surface:
    """Surface of a phase of a design that `has_body`, closed at the faces of the block; lengths in mm.

    Both phases come from one cut: they share their interface and fill the block together. Arguments as of `stl_bytes`.
    Raises ExportError for unusable sizes.
    """
    family, flat = FAMILIES[design.family], design.cell.dim == 2
    assert isinstance(family, Bodies)
    check_sizes(2 if flat else 3, cell_size_mm, thickness_mm, tile)
    height = extruded_thickness(thickness_mm, cell_size_mm) / cell_size_mm if flat else float(tile)
    block = Manifold.cube((tile, tile, height))
    of = phase if phase and len(design.shares) > 2 else 0  # of two phases the inclusions are all there is
    inside, outside = block.split(family.body(design.geometry, tile, height, chord, of))
    mesh = (inside if phase else outside).to_mesh64()
    points = np.asarray(mesh.vert_properties)[:, :3] * cell_size_mm
    size = (tile * cell_size_mm, tile * cell_size_mm, height * cell_size_mm)
    triangles = np.asarray(mesh.tri_verts).astype(np.int64)
    return Surface(points.astype(np.float32), triangles, design.shares[phase], size)
