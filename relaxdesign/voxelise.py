"""Closed surfaces (STL) as labels on a voxel grid."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from relaxdesign.fields_io import FieldError, quiet_vtk

SMALLEST_GRID, LARGEST_GRID = 4, 256


def load_stl(path: str | Path, *, grid: int, dim: int = 3, edge: float | None = None) -> np.ndarray:
    """Labels of the inside of a closed surface, uint8 with 1 inside: (grid,)*3, or (grid, grid, 1) for dim 2.

    A voxel belongs to the inside if its centre does. In 2D the surface is cut half-way up its height.

    Args:
        grid: voxels per edge.
        edge: of the cubic cell, in the file's unit of length; the cell then begins at the origin, as files exported
            here do. None: the smallest cube around the surface, with the surface in its middle.

    Raises:
        FieldError: the file is no STL, its surface is not closed, or nothing of it lies in the cell.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersCore import vtkFeatureEdges
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil
    from vtkmodules.vtkIOGeometry import vtkSTLReader

    if not SMALLEST_GRID <= grid <= LARGEST_GRID:
        raise FieldError(f"{grid} voxels per edge were asked for; supported are {SMALLEST_GRID} to {LARGEST_GRID}")
    if dim not in (2, 3):
        raise FieldError(f"the dimension is {dim}; it must be 2 or 3")
    if edge is not None and not (math.isfinite(edge) and edge > 0):
        raise FieldError(f"the edge of the cell is {edge}; it must be a positive length")
    with quiet_vtk():
        reader = vtkSTLReader()
        reader.SetFileName(str(path))
        reader.Update()
        surface = reader.GetOutput()
        if surface.GetNumberOfPolys() == 0:
            raise FieldError(f"{path}: not an STL file, or one without triangles")
        bounds = np.array(surface.GetBounds()).reshape(3, 2)
        if not np.isfinite(vtk_to_numpy(surface.GetPoints().GetData())).all():
            raise FieldError(f"{path}: the surface has corners that are not finite")
        open_edges = vtkFeatureEdges()
        open_edges.SetInputData(surface)
        open_edges.FeatureEdgesOff()
        open_edges.NonManifoldEdgesOff()
        open_edges.ManifoldEdgesOff()
        open_edges.Update()
        if holes := open_edges.GetOutput().GetNumberOfLines():
            raise FieldError(
                f"{path}: the surface is not closed ({holes} open edges); repair it so that it has an inside"
            )
        size = bounds[:, 1] - bounds[:, 0]
        length = float(size.max() if dim == 3 else size[:2].max()) if edge is None else edge
        corner = bounds.mean(axis=1) - length / 2 if edge is None else np.zeros(3)
        voxel = length / grid
        layers = grid if dim == 3 else 1
        first = corner + voxel / 2
        if dim == 2:
            first[2] = bounds[2].mean()
        stencil = vtkPolyDataToImageStencil()
        stencil.SetInputData(surface)
        stencil.SetOutputOrigin(*first)
        stencil.SetOutputSpacing(voxel, voxel, voxel)
        stencil.SetOutputWholeExtent(0, grid - 1, 0, grid - 1, 0, layers - 1)
        image = vtkImageStencilToImage()
        image.SetInputConnection(stencil.GetOutputPort())
        image.SetInsideValue(1)
        image.SetOutsideValue(0)
        image.SetOutputScalarTypeToUnsignedChar()
        image.Update()
        labels = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape((grid, grid, layers), order="F")
    if not labels.any():
        raise FieldError(
            f"{path}: no voxel lies inside the surface, which reaches from {_point(bounds[:, 0])} to "
            f"{_point(bounds[:, 1])}; choose the cell around it or more voxels"
        )
    return np.ascontiguousarray(labels)


def _point(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
