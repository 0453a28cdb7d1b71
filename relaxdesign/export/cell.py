"""What every format needs of a design: its realised cell, its name and checked sizes."""

from __future__ import annotations

import math

import numpy as np

from relaxdesign.io.labels import phase_fields
from relaxdesign.materials.catalogue import Material
from relaxdesign.study.result import Design

SMALLEST_MM = 1e-3  # 1 µm: below, single precision vertices of a mesh start to coincide
LARGEST_MM = 1e4
MOST_TILES = 8  # cells along each edge of a tiled block


class ExportError(ValueError):
    """A design or a size that cannot be exported; the text says why."""


def design_name(design: Design) -> str:
    """``design-07``: name of a design in files and folders, numbered from 1 as everywhere a user sees it."""
    return f"design-{design.index + 1:02d}"


def realised_cell(design: Design) -> tuple[np.ndarray, Material, Material]:
    """Labels (nx, ny, nz), uint8 with 1 = particle, and the materials of matrix and particles.

    Raises ExportError for a design that was not realised.
    """
    if design.phase is None or design.matrix is None or design.particle is None:
        why = f" ({design.message})" if design.message else ""
        raise ExportError(f"{design_name(design)} was not realised{why}: there is no cell to export")
    phase = np.asarray(design.phase)
    if phase.ndim != 3 or phase.size == 0 or not np.isin(phase, (0, 1)).all():
        raise ExportError(
            f"{design_name(design)} has a phase array of shape {phase.shape}; expected labels 0 and 1, (nx, ny, nz)"
        )
    return phase.astype(np.uint8), design.matrix, design.particle


def voxel_properties(design: Design) -> dict[str, np.ndarray]:
    """E (GPa), nu, rho (g/cm³) and, if known of both materials, k (W/(m K)) of every voxel, float64 (nx, ny, nz).

    Raises ExportError for a design that was not realised.
    """
    phase, matrix, particle = realised_cell(design)
    return phase_fields(phase, {0: matrix, 1: particle})


def check_cell_size(cell_size_mm: float) -> float:
    """The edge length of the cell in mm. Raises ExportError if it is no usable length."""
    return _check_length("the cell size", cell_size_mm)


def extruded_thickness(thickness_mm: float | None, cell_size_mm: float) -> float:
    """The thickness in mm of an extruded 2D cell; None: an eighth of the cell size."""
    return cell_size_mm / 8 if thickness_mm is None else thickness_mm


def check_sizes(dim: int, cell_size_mm: float, thickness_mm: float | None, tile: int = 1) -> None:
    """Raises ExportError if cells of this dimension cannot be exported with these sizes."""
    if not 1 <= tile <= MOST_TILES:
        raise ExportError(f"{tile} cells along each edge were asked for; supported are 1 to {MOST_TILES}")
    check_cell_size(cell_size_mm)
    if thickness_mm is not None and dim == 3:
        raise ExportError("a thickness belongs to 2D cells; the size of a 3D cell follows from the cell size")
    if thickness_mm is not None:
        _check_length("the thickness", thickness_mm)


def _check_length(what: str, value: float) -> float:
    if not (math.isfinite(value) and SMALLEST_MM <= value <= LARGEST_MM):
        raise ExportError(f"{what} is {value} mm; supported are {SMALLEST_MM:g} to {LARGEST_MM:g} mm")
    return float(value)
