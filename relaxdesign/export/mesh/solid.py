"""What is meshed of a cell: its solid phases, which must hang together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relaxdesign.export.cell import ExportError
from relaxdesign.microstructure.cell import Cell
from relaxdesign.microstructure.connectivity import pieces


def solid_voxels(cell: Cell) -> NDArray[np.bool_]:
    """The voxels (nx, ny, nz) that are not void.

    Raises ExportError unless they are one piece that goes on for ever along all axes: loose pieces have no stiffness,
    and a finite element program cannot solve for where they float.
    """
    if cell.void is None:
        return np.ones(cell.labels.shape, dtype=bool)
    solid = cell.labels != cell.void
    found = pieces(solid[..., 0] if cell.dim == 2 else solid)
    if not len(found.voxels):
        raise ExportError("the cell is all void: there is nothing to mesh")
    if len(found.voxels) > 1:
        loose, all_of = int(found.voxels[1:].sum()), int(found.voxels.sum())
        count = len(found.voxels) - 1
        raise ExportError(
            f"the solid has {count} loose {'piece' if count == 1 else 'pieces'} ({loose} of its {all_of} voxels) that "
            "touch the rest by no face of a voxel, and a mesh of it cannot be solved: remove them from the image "
            "(--step 'remove VOXELS'), or export a design whose solid is connected"
        )
    if not found.connected:
        raise ExportError(
            f"the solid goes on for ever along {found.spans[0]} of {cell.dim} directions only, so that it has no "
            "stiffness along the others and a mesh of it cannot be solved: export a design whose solid is connected"
        )
    return solid
