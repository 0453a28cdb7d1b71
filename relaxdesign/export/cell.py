"""What every format needs of a design: its realised cell, its name and checked sizes."""

from __future__ import annotations

import math

from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Sized, inclusion_label
from relaxdesign.microstructure.cell import Cell
from relaxdesign.study.result import Design

SMALLEST_MM = 1e-3  # 1 µm: below, single precision vertices of a mesh start to coincide
LARGEST_MM = 1e4
MOST_TILES = 8  # cells along each edge of a tiled block


class ExportError(ValueError):
    """A design or a size that cannot be exported; the text says why."""


def design_name(design: Design) -> str:
    """``design-07``: name of a design in files and folders, numbered from 1 as everywhere a user sees it."""
    return f"design-{design.index + 1:02d}"


def realised_cell(design: Design) -> Cell:
    """The verified cell of a design. Raises ExportError for a design that was not realised."""
    try:
        return design.cell
    except ValueError as error:
        raise ExportError(f"{error} to export") from None


def phase_names(design: Design) -> tuple[str, ...]:
    """What the phases are called, that of label 0 first, e.g. ``("matrix", "particles")``."""
    return design.phases


def inclusion_phase(design: Design) -> int:
    """Label of the phase that was chosen for the inclusions."""
    return inclusion_label(FAMILIES[design.family])


def sizes_um(design: Design, edge_mm: float) -> dict[str, float]:
    """Smallest, mean and largest size of the inclusions in µm in a cell of this edge; empty where it is not known."""
    family = FAMILIES[design.family]
    if not design.geometry or not isinstance(family, Sized):
        return {}
    um = 1e3 * edge_mm
    return {
        name: um * size
        for name, size in zip(("smallest", "mean", "largest"), family.sizes(design.geometry), strict=True)
    }


def sizes_text(design: Design, edge_mm: float) -> str:
    """``0.48 to 1.44 mm across in a cell of 10 mm``; empty where it is not known."""
    sizes = sizes_um(design, edge_mm)
    if not sizes:
        return ""
    return f"{length(*(1e-3 * sizes[name] for name in ('smallest', 'largest')))} across in a cell of {edge_mm:.4g} mm"


def made_text(design: Design, edge_mm: float) -> str:
    """How a design is made, of a lattice with whether its thinnest part in a cell of this edge is thick enough; empty
    where it is not known."""
    made = design.makeable
    if made is None or made.wall_mm is None or design.solid is None:
        return "" if made is None else made.words
    thinnest = design.solid.min_feature * edge_mm
    told = f"{made.words} Its thinnest part is {length(thinnest)} in a cell of {edge_mm:.4g} mm"
    if thinnest >= made.wall_mm:
        return f"{told}: no less than the process needs."
    enough = made.wall_mm / design.solid.min_feature
    return f"{told}, too thin for the process: make the cell {enough:.3g} mm or larger."


def length(*values_mm: float) -> str:
    """Lengths in the unit of the largest, mm from 1 mm on, else µm: ``0.48 to 1.44 mm``; equal ones once."""
    unit, scale = ("mm", 1.0) if max(values_mm) >= 1.0 else ("µm", 1e3)
    return f"{' to '.join(dict.fromkeys(f'{scale * value:.4g}' for value in values_mm))} {unit}"


def check_cell_size(cell_size_mm: float) -> float:
    """The edge length of the cell in mm. Raises ExportError if it is no usable length."""
    return check_length("the cell size", cell_size_mm)


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
        check_length("the thickness", thickness_mm)


def check_length(what: str, value: float) -> float:
    """A length in mm. what: it is, for the error. Raises ExportError if it is no usable one."""
    if not (math.isfinite(value) and SMALLEST_MM <= value <= LARGEST_MM):
        raise ExportError(f"{what} is {value} mm; supported are {SMALLEST_MM:g} to {LARGEST_MM:g} mm")
    return float(value)
