"""Every voxel of a cell as a hexahedron: the mesh that the evaluator solves on, with the nodes of neighbours shared."""

from __future__ import annotations

import numpy as np

from relaxdesign.export.cell import ExportError, check_cell_size
from relaxdesign.export.mesh.model import HEXAHEDRON, Mesh
from relaxdesign.export.mesh.solid import solid_voxels
from relaxdesign.microstructure.cell import Cell

MOST_VOXELS = 128**3
"""Some 2 GB of memory and 250 MB of text."""

CORNERS = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])
"""Of a hexahedron, in the order of its nodes."""


def voxel_mesh(cell: Cell, names: tuple[str, ...], cell_size_mm: float = 1.0) -> Mesh:
    """The solid voxels of a cell as hexahedra of 8 nodes; a 2D cell is one of them thick.

    names: of the phases. cell_size_mm: length of the x edge. Raises ExportError for an unusable size, a solid that does
    not hang together, or too many voxels.
    """
    check_cell_size(cell_size_mm)
    labels = cell.labels
    if labels.size > MOST_VOXELS:
        raise ExportError(
            f"the cell has {labels.size} voxels; a mesh of at most {MOST_VOXELS} is written: make the image coarser "
            "(--step 'downsample 2') or crop it"
        )
    where = np.argwhere(solid_voxels(cell))
    voxel = cell_size_mm / labels.shape[0]
    grid = np.array(labels.shape) + 1
    nodes = np.ravel_multi_index(tuple((where[:, None] + CORNERS).transpose(2, 0, 1)), tuple(grid))
    kept, elements = np.unique(nodes, return_inverse=True)
    points = voxel * np.stack(np.unravel_index(kept, tuple(grid)), axis=1)
    x, y, z = (float(voxel * edge) for edge in labels.shape)
    phase = labels[tuple(where.T)]
    elements = elements.reshape(nodes.shape).astype(np.int64)
    return Mesh(points, elements, phase, HEXAHEDRON, (x, y, z), names, cell.materials)
