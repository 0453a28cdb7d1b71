"""Exact surfaces of cells whose family can build them as bodies: spheres as spheres, level sets where they vanish."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from relaxdesign.export.cell import ExportError, check_sizes, extruded_thickness
from relaxdesign.export.plates import Plates, not_held
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
    plates: Plates | None = None,
) -> Surface:
    """Surface of a phase of a design that `has_body`, closed at the faces of the block; lengths in mm.

    Both phases come from one cut: they share their interface and fill the block together. Arguments and errors as of
    `relaxdesign.export.stl.design_surface`.
    """
    family, flat = FAMILIES[design.family], design.cell.dim == 2
    assert isinstance(family, Bodies)
    check_sizes(2 if flat else 3, cell_size_mm, thickness_mm, tile)
    height = extruded_thickness(thickness_mm, cell_size_mm) / cell_size_mm if flat else float(tile)
    block = Manifold.cube((tile, tile, height))
    of = phase if phase and len(design.shares) > 2 else 0  # of two phases the inclusions are all there is
    try:
        inside, outside = block.split(family.body(design.geometry, tile, height, chord, of))
    except ValueError as error:
        raise ExportError(str(error)) from None
    body, fraction = inside if phase else outside, design.shares[phase]
    if plates is not None:
        body, block = _with_plates(body, block, plates.axis, plates.thickness_mm / cell_size_mm)
        fraction = body.volume() / block.volume()
    mesh = body.to_mesh64()
    points = np.asarray(mesh.vert_properties)[:, :3] * cell_size_mm
    low, high = np.reshape(block.bounding_box(), (2, 3)) * cell_size_mm
    triangles = np.asarray(mesh.tri_verts).astype(np.int64)
    return Surface(points.astype(np.float32), triangles, fraction, tuple((high - low).tolist()))


def _with_plates(solid: Manifold, block: Manifold, axis: int, thickness: float) -> tuple[Manifold, Manifold]:
    """The solid of a block with plates beyond its ends, without what hangs on neither, and the block that holds all.

    thickness: of a plate, in cell edges. Raises ExportError if the block does not hold the plates together.
    """
    low, high = np.reshape(block.bounding_box(), (2, 3))
    along = np.eye(3)[axis] * thickness
    plate = Manifold.cube(np.where(np.eye(3)[axis] > 0, thickness, high - low))
    ends = (plate.translate(-along), plate.translate(high * np.eye(3)[axis]))
    whole = Manifold.cube(high - low + 2.0 * along).translate(-along)
    reach = high[axis] - low[axis] + 1.5 * thickness
    for piece in (solid + ends[0] + ends[1]).decompose():
        first, last = np.reshape(piece.bounding_box(), (2, 3))[:, axis]
        if last - first > reach:
            return piece, whole
    raise not_held(axis)
