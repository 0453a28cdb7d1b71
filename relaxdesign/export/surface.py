"""The surface of one phase of a voxel cell as a closed, oriented triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from relaxdesign.export.cell import ExportError, check_sizes, extruded_thickness

MOST_VOXELS = 2**24  # of a tiled block: some hundred MB of triangles at most


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed triangle mesh, outward oriented, lengths in mm.

    The mesh cuts the corners of the voxels, so it encloses a little less than the voxels do: quote fractions from
    ``voxel_fraction`` and use ``volume`` for the amount of material in the file.
    """

    points: np.ndarray  # float32 (n, 3)
    triangles: np.ndarray  # int64 (m, 3), counter-clockwise from outside
    voxel_fraction: float  # share of the cell's voxels that belong to the phase
    size: tuple[float, float, float]  # of the whole cell, mm

    @property
    def volume(self) -> float:
        """Volume enclosed by the mesh, mm³ (divergence theorem)."""
        a, b, c = (self.points[self.triangles[:, corner]].astype(np.float64) for corner in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)

    @property
    def cell_volume(self) -> float:
        """Volume of the whole cell, mm³."""
        return float(np.prod(self.size))

    @property
    def mesh_fraction(self) -> float:
        """Share of the cell that the mesh encloses; compare with ``voxel_fraction``."""
        return self.volume / self.cell_volume


def phase_surface(
    phase: np.ndarray, cell_size_mm: float = 1.0, thickness_mm: float | None = None, label: int = 1, tile: int = 1
) -> Surface:
    """Surface of the voxels with this label, closed at the faces of the cell.

    phase: labels (nx, ny, nz). cell_size_mm: length of the x edge of one cell. A cell one voxel thick is extruded to
    ``thickness_mm`` (default: an eighth of the cell size); for others it must be left out. tile: the cell is repeated
    so often along each axis (a cell one voxel thick along x and y), as one body without inner walls.
    Raises ExportError when sizes are unusable or no voxel has the label.
    """
    phase = np.asarray(phase)
    if phase.ndim != 3 or phase.size == 0:
        raise ExportError(f"the phase array has shape {phase.shape}, expected (nx, ny, nz)")
    inside = phase == label
    if not inside.any():
        raise ExportError(f"no voxel has the label {label}: there is no surface to export")
    flat = phase.shape[2] == 1
    check_sizes(2 if flat else 3, cell_size_mm, thickness_mm, tile)
    voxel = cell_size_mm / phase.shape[0]
    inside = np.tile(inside, (tile, tile, 1 if flat else tile))
    if inside.size > MOST_VOXELS:
        raise ExportError(f"{tile} cells along each edge make {inside.size:.2g} voxels; at most {MOST_VOXELS:.2g} fit")
    height = extruded_thickness(thickness_mm, cell_size_mm) if flat else voxel * inside.shape[2]

    points, triangles = _contour(np.repeat(inside, 2, axis=2) if flat else inside)
    if flat:
        # Two equal layers. What bevels the rims lies between a layer and the empty voxel beyond it; pushed flat
        # into the plane of that layer it becomes the lid of a prism of exactly the given height.
        points[:, 2] = np.where(points[:, 2] < 1, 0.0, height)
        points[:, :2] *= voxel
    else:
        points *= voxel
    size = (voxel * inside.shape[0], voxel * inside.shape[1], height)
    surface = Surface(points.astype(np.float32), triangles, float(inside.mean()), size)
    if surface.volume < 0:
        surface = Surface(surface.points, triangles[:, ::-1].copy(), surface.voxel_fraction, size)
    return surface


def _contour(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) in voxel edges from the cell's corner, and triangles (m, 3), of the level 1/2.

    Values sit at voxel centres; one layer of empty voxels around the cell closes the surface exactly
    at the cell's faces (half-way between the last centre and the first empty one).
    """
    values = np.pad(inside, 1).astype(np.float32)
    image = vtkImageData()
    image.SetDimensions(*values.shape)
    image.SetOrigin(-0.5, -0.5, -0.5)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(order="F"), deep=True))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.5)
    contour.ComputeNormalsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    mesh = contour.GetOutput()
    points = vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64)
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).astype(np.int64).reshape(-1, 3)
    return points, triangles
