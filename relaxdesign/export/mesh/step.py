"""STEP of cells of spheres or, in 2D, cylinders: exact solids for CAD, by Gmsh and Open CASCADE.

Of a 2D cell the file has the cylinders, cut at the faces of the cell, and the matrix around them; all share their
faces. Of a 3D cell it has whole spheres, with the images that reach into the cell, and the block of the cell by itself:
what of them lies in the block, and what of the block lies outside of them, CAD programs cut on their own.
"""

from __future__ import annotations

import itertools

import numpy as np

from relaxdesign.export.cell import ExportError, check_sizes, extruded_thickness
from relaxdesign.export.mesh.filling import run_gmsh
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Round
from relaxdesign.study.result import Design

MOST_SPHERES = 2000
"""In the block, with images: Open CASCADE cuts some ten a second."""
_IN_HEADER = b"FILE_NAME("


def has_spheres(design: Design) -> bool:
    """Whether its inclusions are known as spheres or discs."""
    return bool(design.geometry) and isinstance(FAMILIES[design.family], Round)


def step_bytes(design: Design, cell_size_mm: float = 1.0, thickness_mm: float | None = None) -> bytes:
    """The file, in mm. thickness_mm: of a 2D cell, default an eighth of the cell size.

    Raises ExportError for a design that has no spheres, unusable sizes, too many spheres, or without Gmsh.
    """
    family = FAMILIES[design.family]
    if not design.geometry or not isinstance(family, Round):
        raise ExportError(
            "STEP is written of particles and fibres whose exact shapes are known; export STL, 3MF or a mesh of this "
            "design"
        )
    dim = design.cell.dim
    check_sizes(dim, cell_size_mm, thickness_mm)
    height = extruded_thickness(thickness_mm, cell_size_mm) if dim == 2 else cell_size_mm
    centres, radii = [], []
    for places, diameters in family.spheres(design.geometry).values():
        for image in itertools.product((-1, 0, 1), repeat=dim):
            at = places + image
            outside = np.linalg.norm(at - at.clip(0.0, 1.0), axis=1)
            near = outside < 0.5 * diameters
            centres.append(np.pad(at[near], ((0, 0), (0, 3 - dim))))
            radii.append(0.5 * diameters[near])
    placed, sizes = cell_size_mm * np.concatenate(centres), cell_size_mm * np.concatenate(radii)
    if len(sizes) > MOST_SPHERES:
        raise ExportError(
            f"{len(sizes)} particles reach into the cell; STEP files of at most {MOST_SPHERES} are written"
        )
    size = np.array([cell_size_mm, cell_size_mm, height])
    found = run_gmsh("step", size=size, centres=placed, radii=sizes, flat=np.array(dim == 2))
    return _timeless(found["step"].tobytes())


def _timeless(content: bytes) -> bytes:
    """Without the time of writing, so that the same design gives the same file."""
    start = content.index(_IN_HEADER)
    name, time = content.index(b"'", start), content.index(b",", start) + 1
    end = content.index(b",", time)
    return content[:name] + b"'RelaxDesign','1980-01-01T00:00:00'" + content[end:]
