"""Binary STL of one phase, in millimetres (STL itself has no unit)."""

from __future__ import annotations

import numpy as np

from relaxdesign.export.bodies import CHORD, body_surface, has_body
from relaxdesign.export.cell import design_name, phase_names, realised_cell
from relaxdesign.export.plates import Plates
from relaxdesign.export.surface import Surface, phase_surface
from relaxdesign.io.stl import RECORD
from relaxdesign.study.result import Design


def stl_bytes(
    design: Design,
    cell_size_mm: float = 1.0,
    thickness_mm: float | None = None,
    phase: int = 1,
    tile: int = 1,
    chord: float = CHORD,
    plates: Plates | None = None,
) -> bytes:
    """Closed, manifold, outward oriented surface of a phase; arguments and errors as of `design_surface`."""
    surface = design_surface(design, cell_size_mm, thickness_mm, phase, tile, chord, plates)
    what = phase_names(design)[phase]
    if plates is not None and phase != design.cell.void:
        what = f"{what}, plates,"
    return surface_to_stl(surface, f"RelaxDesign {design_name(design)} {what} mm")


def design_surface(
    design: Design,
    cell_size_mm: float = 1.0,
    thickness_mm: float | None = None,
    phase: int = 1,
    tile: int = 1,
    chord: float = CHORD,
    plates: Plates | None = None,
) -> Surface:
    """Surface of a phase by its label: of exact bodies where the design knows them, else of its voxels.

    cell_size_mm: edge length of one cell. thickness_mm: of 2D cells, default an eighth of the cell size.
    tile: cells along each edge of a block of periodic images (in 2D along x and y).
    chord: largest distance of a facet from a body's curved surface, of the body's size.
    plates: that close two ends of the solid beside a void; a void has none.
    Raises ExportError for a design that was not realised, unusable sizes or plates that the block does not hold.
    """
    cell = realised_cell(design)
    plates = None if phase == cell.void else plates
    if has_body(design):
        return body_surface(design, cell_size_mm, thickness_mm, phase, tile, chord, plates)
    return phase_surface(cell.labels, cell_size_mm, thickness_mm, phase, tile, plates)


def surface_to_stl(surface: Surface, title: str) -> bytes:
    """Binary STL of a mesh. title: at most 80 ASCII characters; must not begin with "solid"."""
    corners = surface.points[surface.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    records = np.zeros(len(corners), dtype=RECORD)
    records["normal"] = normal / np.where(length > 0, length, 1)
    records["corners"] = corners
    header = title.encode("ascii", "replace")[:80].ljust(80)
    return header + np.uint32(len(corners)).astype("<u4").tobytes() + records.tobytes()
