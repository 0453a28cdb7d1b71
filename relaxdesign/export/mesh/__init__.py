"""Cells and designs as meshes for finite element programs."""

from __future__ import annotations

from collections.abc import Mapping

from relaxdesign.export.cell import ExportError, phase_names, realised_cell
from relaxdesign.export.mesh.hexahedra import voxel_mesh
from relaxdesign.export.mesh.known import known_interfaces
from relaxdesign.export.mesh.model import Mesh
from relaxdesign.export.mesh.smooth import smooth_mesh
from relaxdesign.microstructure.cell import Cell
from relaxdesign.study.result import Design

__all__ = ["MESHES", "Mesh", "cell_mesh", "check_mesh_kind", "design_mesh"]

MESHES: Mapping[str, str] = {
    "voxels": "hexahedra, one per voxel",
    "linear": "smoothed tetrahedra of 4 nodes (2D: wedges of 6)",
    "quadratic": "smoothed tetrahedra of 10 nodes (2D: wedges of 15)",
}
"""Kinds of meshes, by what options call them."""


def check_mesh_kind(kind: str) -> str:
    """The same kind. Raises ExportError for one that does not exist."""
    if kind not in MESHES:
        raise ExportError(f"meshes of kind {kind!r} are not made; kinds are {', '.join(MESHES)}")
    return kind


def cell_mesh(cell: Cell, kind: str = "voxels", cell_size_mm: float = 1.0, names: tuple[str, ...] = ()) -> Mesh:
    """A mesh of the solid phases of a cell.

    kind: of `MESHES`. cell_size_mm: length of the x edge. names: of the phases; empty: phase-0, phase-1, … Raises
    ExportError as `hexahedra.voxel_mesh` and `smooth.smooth_mesh`.
    """
    names = names or tuple(f"phase-{label}" for label in range(len(cell.materials)))
    if check_mesh_kind(kind) == "voxels":
        return voxel_mesh(cell, names, cell_size_mm)
    return smooth_mesh(cell, names, cell_size_mm, quadratic=kind == "quadratic")


def design_mesh(design: Design, kind: str = "voxels", cell_size_mm: float = 1.0) -> Mesh:
    """A mesh of a realised design; smoothed ones have the volume fractions and, where known, the
    interfaces of the design.

    Arguments and errors as of `cell_mesh`.
    """
    cell, names = realised_cell(design), phase_names(design)
    if check_mesh_kind(kind) == "voxels":
        return voxel_mesh(cell, names, cell_size_mm)
    quadratic, known = kind == "quadratic", known_interfaces(design)
    return smooth_mesh(cell, names, cell_size_mm, design.shares, quadratic=quadratic, known=known)
