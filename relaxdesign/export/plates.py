"""Flat plates that close two opposite ends of an exported block of cells, for specimens that are printed and tested.

They are in the STL of the solid only: the periodic cell and all that is told of it are those without plates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from relaxdesign.export.cell import ExportError, check_length
from relaxdesign.microstructure.cell import Cell

AXES = "xyz"
USUAL = {2: "y", 3: "z"}
"""Axis that plates lie across where none is named, by dimension."""

Voxels = NDArray[np.bool_]


def bear_plates(cell: Cell) -> bool:
    """Whether a cell is one solid beside a void, whose ends plates can close."""
    return cell.void is not None and len(cell.materials) == 2


@dataclass(frozen=True)
class Plates:
    """Two equal plates. thickness_mm: of each. axis: number of the axis that they lie across."""

    thickness_mm: float
    axis: int

    @staticmethod
    def of(thickness_mm: float, axis: str, cell: Cell) -> Plates | None:
        """The plates that are asked for; None of no thickness.

        axis: its name, empty for the usual one. Raises ExportError for a thickness or an axis that cannot be, or a cell
        that is not one solid beside a void.
        """
        if not thickness_mm:
            return None
        check_length("the thickness of the plates", thickness_mm)
        axis, offered = axis or USUAL[cell.dim], tuple(AXES[: cell.dim])
        if axis not in offered:
            why = ", as a 2D cell is extruded along z" if axis == "z" else ""
            raise ExportError(f"plates lie across {' or '.join(offered)}, not across {axis!r}{why}")
        if not bear_plates(cell):
            why = "no void, its ends are flat" if cell.void is None else f"{len(cell.materials) - 1} solids beside it"
            raise ExportError(f"plates close the ends of one solid beside a void; this cell has {why}")
        return Plates(thickness_mm, AXES.index(axis))


@dataclass(frozen=True, eq=False)
class Specimen:
    """The solid of a block of cells between two plates, in one piece.

    solid: voxels, with one layer more at both ends of the axis, the plates. loose: share of the block's solid that was
    cut off at its faces, hung on no plate and was taken away. sealed: number of voids that nothing can be taken out of.
    """

    solid: Voxels
    loose: float
    sealed: int

    @staticmethod
    def of(inside: Voxels, axis: int) -> Specimen:
        """inside: voxels (nx, ny, nz) of the block's solid, nz = 1 in 2D. axis: number of that which plates lie across.

        Raises ExportError if the block does not hold the plates together.
        """
        layers = [(1, 1) if number == axis else (0, 0) for number in range(inside.ndim)]
        numbers, _ = _labelled(np.pad(inside, layers, constant_values=True))
        first, last = (int(numbers.take(end, axis).flat[0]) for end in (0, -1))
        if first != last:
            raise not_held(axis)
        solid = numbers == first
        held = int(np.count_nonzero(solid)) - 2 * (inside.size // inside.shape[axis])
        return Specimen(solid, 1.0 - held / int(np.count_nonzero(inside)), _sealed(~solid, axis))

    @property
    def words(self) -> str:
        """What the plates changed; empty if nothing."""
        told = []
        if self.loose:
            share = f"{100 * self.loose:.2g} %"
            told.append(f"{share} of the solid, cut off at the faces and held by no plate, is left out of the file.")
        if self.sealed:
            number = "One void is" if self.sealed == 1 else f"{self.sealed} voids are"
            told.append(f"{number} closed on all sides, so that no powder comes out.")
        return " ".join(told)


def not_held(axis: int) -> ExportError:
    """The error of a block that does not hold plates across an axis together."""
    return ExportError(
        f"the block of cells does not hold plates across {AXES[axis]} together, as pieces that belong together "
        "are cut at its faces: export more cells along each edge, or plates across another axis"
    )


def _sealed(void: Voxels, axis: int) -> int:
    """The number of voids that reach none of the faces beside the plates; a 2D cell is open along z."""
    if void.shape[2] == 1:
        return 0
    numbers, count = _labelled(void)
    beside = [numbers.take(end, across) for across in range(3) if across != axis for end in (0, -1)]
    return count - int(np.count_nonzero(np.unique(np.concatenate([face.ravel() for face in beside]))))


def _labelled(voxels: Voxels) -> tuple[NDArray[np.int32], int]:
    """The piece of every voxel from 1 on, in a block that ends at its faces, and the number of pieces."""
    labelled: tuple[NDArray[np.int32], int] = label(voxels)  # type: ignore[assignment]
    return labelled
