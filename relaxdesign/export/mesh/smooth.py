"""A conforming mesh of the smoothed phases: tetrahedra, of a 2D cell wedges one layer thick.

Interfaces and faces of the cell are triangles on the corners of voxels (`interfaces`), which move until the steps are
gone (`smoothing`), and Gmsh fills what they enclose and leaves them as they are. So phases share the nodes of their
interfaces, and opposite faces of the cell have the same nodes. Where Gmsh finds that surfaces cut each other, they are
smoothed less; those of voxels themselves cut nowhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from relaxdesign.export.cell import ExportError, check_cell_size
from relaxdesign.export.mesh.filling import NotFilled, run_gmsh
from relaxdesign.export.mesh.interfaces import NOTHING, Regions, Walls
from relaxdesign.export.mesh.model import TETRAHEDRON, WEDGE, Mesh, used
from relaxdesign.export.mesh.smoothing import Interfaces, smoothed
from relaxdesign.export.mesh.solid import solid_voxels
from relaxdesign.microstructure.cell import Cell

MOST_VOXELS = {2: 1024**2, 3: 96**3}
_MOST_WALLS = 400_000
"""Faces of voxels on interfaces and on the faces of the cell: Gmsh makes some ten tetrahedra of each."""
_LARGEST = np.array(3.0)
"""Edges of elements far from interfaces, in voxels."""
_TRIES = (1.0, 0.7, 0.4, 0.0)
"""Of the smoothing, one after the other."""


def smooth_mesh(
    cell: Cell,
    names: tuple[str, ...],
    cell_size_mm: float = 1.0,
    shares: tuple[float, ...] | None = None,
    *,
    quadratic: bool = True,
    known: Interfaces | None = None,
) -> Mesh:
    """The solid phases of a cell, each with the volume fraction that is given.

    Args:
        names: of the phases.
        cell_size_mm: length of the x edge.
        shares: volume fractions of the phases; None: those of the voxels.
        known: where the interfaces lie.
        quadratic: elements of 10 nodes (2D: 15), else of 4 (6), which are much too stiff.

    Raises:
        ExportError: for an unusable size, a solid that does not hang together, a cell that is too large, without Gmsh,
            or if Gmsh cannot mesh it.
    """
    check_cell_size(cell_size_mm)
    solid = solid_voxels(cell)
    labels = cell.labels[..., 0] if cell.dim == 2 else cell.labels
    regions = Regions.of(labels, cell.void if cell.dim == 3 else None)  # the voids of a plane are meshed, and left out
    walls = Walls.of(regions)
    _check_size(labels, walls)
    counts = regions.volumes(len(cell.materials))
    wanted = counts if shares is None else np.where(counts > 0, np.array(shares) * labels.size, 0.0)
    moved = smoothed(regions, walls, labels, wanted, known)
    for part in _TRIES:
        try:
            filled = _filled(regions, walls, part * moved)
        except NotFilled as error:
            problem = error
            continue
        told = () if part == 1.0 else (f"Interfaces are smoothed by {100 * part:.0f} %: further, they would cross.",)
        mesh = _as_mesh(cell, names, cell_size_mm / labels.shape[0], *filled, told)
        return mesh.quadratic() if quadratic else mesh
    raise ExportError(f"{problem}: export the mesh of voxels, or a cell with more voxels; solid voxels: {solid.sum()}")


def _check_size(labels: NDArray, walls: Walls) -> None:
    """Raises ExportError for a cell that is too large."""
    if labels.size > MOST_VOXELS[labels.ndim] or len(walls.axis) > _MOST_WALLS:
        raise ExportError(
            f"the cell has {labels.size} voxels and {len(walls.axis)} of their faces on interfaces; smoothed meshes "
            f"are made of at most {MOST_VOXELS[labels.ndim]} and {_MOST_WALLS}: make it coarser "
            "(--step 'downsample 2'), or export the mesh of voxels"
        )


def _filled(
    regions: Regions, walls: Walls, moved: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Points in voxels, elements and their phases. Raises NotFilled."""
    points = walls.points(moved)
    simplices, wall = walls.simplices(points)
    if points.shape[1] == 2:
        return _filled_plane(regions, walls, points, simplices)
    between = np.sort(np.stack([walls.below[wall], walls.above[wall]], axis=1), axis=1)
    surfaces, number = np.unique(between, axis=0, return_inverse=True)
    bodies = [(body, n) for n, pair in enumerate(surfaces.tolist(), start=1) for body in pair if body != NOTHING]
    found = run_gmsh(
        "surfaces", points=points, simplices=simplices, wall=number + 1, bodies=np.array(bodies), largest=_LARGEST
    )
    corners = found["points"][found["elements"]]
    volumes = np.linalg.det(corners[:, 1:] - corners[:, :1]) / 6.0
    if not (volumes > 0).all():
        raise NotFilled("Gmsh made elements of no volume")
    return found["points"], found["elements"], regions.phase[found["body"]]


def _filled_plane(
    regions: Regions, walls: Walls, points: NDArray[np.float64], segments: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The same of a plane, which is meshed with its voids."""
    found = run_gmsh("lines", points=points, simplices=segments, wall=np.where(walls.outer, 1, 2), largest=_LARGEST)
    points, triangles = found["points"], found["elements"]
    corners = points[triangles]
    area = np.linalg.det(corners[:, 1:] - corners[:, :1]) / 2.0
    triangles = np.where((area < 0)[:, None], triangles[:, ::-1], triangles)
    if not np.abs(area).min() > 0:
        raise NotFilled("Gmsh made elements of no area")
    body = _bodies(triangles, segments, len(points))
    # A body has the phase of most of the voxels that the middles of its triangles lie in.
    middle = np.floor(corners.mean(axis=1)).astype(np.int64).clip(0, np.array(walls.grid) - 1)
    phase = regions.phase[regions.numbers[tuple(middle.T)]]
    votes = np.zeros((body.max() + 1, phase.max() + 1))
    np.add.at(votes, (body, phase), np.abs(area))
    return points, triangles, votes.argmax(axis=1)[body]


def _bodies(triangles: NDArray[np.int64], segments: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The body of every triangle, from 0 on: triangles hang together across edges that are no segments."""
    edges = np.sort(triangles[:, ((0, 1), (1, 2), (2, 0))], axis=2).reshape(-1, 2) @ (count, 1)
    closed = np.isin(edges, np.sort(segments, axis=1) @ (count, 1))
    of = np.repeat(np.arange(len(triangles)), 3)[~closed]
    order = np.argsort(edges[~closed], kind="stable")
    one, other = of[order].reshape(-1, 2).T
    links = coo_array((np.ones(len(one)), (one, other)), shape=(len(triangles),) * 2)
    return connected_components(links, directed=False)[1].astype(np.int64)


def _as_mesh(
    cell: Cell,
    names: tuple[str, ...],
    voxel: float,
    points: NDArray[np.float64],
    elements: NDArray[np.int64],
    phase: NDArray[np.int64],
    told: tuple[str, ...],
) -> Mesh:
    """The solid elements as a mesh; a plane becomes a layer of wedges as thick as a voxel. points: in voxels."""
    solid = np.ones(len(phase), bool) if cell.void is None else phase != cell.void
    points, elements = used(points, elements[solid])
    kind = TETRAHEDRON
    if points.shape[1] == 2:
        kind, layer = WEDGE, len(points)
        points = np.concatenate([np.pad(points, ((0, 0), (0, 1)), constant_values=z) for z in (0.0, 1.0)])
        elements = np.concatenate([elements, elements + layer], axis=1)
    x, y, z = (float(voxel * edge) for edge in cell.labels.shape)
    return Mesh(voxel * points, elements, phase[solid].astype(np.uint8), kind, (x, y, z), names, cell.materials, told)
