"""VTI (VTK XML image data): the realised cell voxel by voxel, read back without loss."""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

from relaxdesign.export.cell import check_cell_size, design_name, realised_cell
from relaxdesign.result import Design


def vti_bytes(design: Design, cell_size_mm: float = 1.0) -> bytes:
    """The realised two-phase cell with cell arrays ``E`` (GPa), ``nu``, ``rho`` (g/cm³) and ``phase`` (1 = particle).

    cell_size_mm: physical length of the cell's x edge; voxels are cubes and the spacing is in mm. Field data
    carry name, materials, units, and the bulk moduli wanted and realised.
    Raises ExportError for a design that was not realised or an unusable size.
    """
    phase, matrix, particle = realised_cell(design)
    voxel = check_cell_size(cell_size_mm) / phase.shape[0]
    image = vtkImageData()
    image.SetDimensions(*(n + 1 for n in phase.shape))
    image.SetSpacing(voxel, voxel, voxel)
    for name, low, high in (
        ("E", matrix.young, particle.young),
        ("nu", matrix.poisson, particle.poisson),
        ("rho", matrix.density, particle.density),
    ):
        image.GetCellData().AddArray(_array(name, np.where(phase == 1, float(high), float(low))))
    image.GetCellData().AddArray(_array("phase", phase))
    image.GetCellData().SetActiveScalars("phase")

    texts = {
        "name": design_name(design),
        "matrix": f"{matrix.name} [{matrix.id}]",
        "particle": f"{particle.name} [{particle.id}]",
        "units": "E: GPa; nu: 1; rho: g/cm3; phase: 0 matrix, 1 particle; lengths: mm; K: GPa",
    }
    for name, text in texts.items():
        strings = vtkStringArray()
        strings.SetName(name)
        strings.InsertNextValue(text)
        image.GetFieldData().AddArray(strings)
    numbers = {
        "K_target": design.target_bulk,
        "K_realised": design.K.realised,
        "volume_fraction": float(phase.mean()),
        "density": design.density,
    }
    for name, number in numbers.items():
        if number is not None:
            image.GetFieldData().AddArray(_array(name, np.array([number], dtype=np.float64)))

    writer = vtkXMLImageDataWriter()
    writer.SetInputData(image)
    writer.SetDataModeToBinary()  # base64: the text then holds no raw bytes and can pass as a string
    writer.WriteToOutputStringOn()
    if not writer.Write():
        raise RuntimeError(f"VTK could not write {design_name(design)}")
    return writer.GetOutputString().encode()


def _array(name: str, values: np.ndarray):
    array = numpy_to_vtk(values.ravel(order="F"), deep=True)
    array.SetName(name)
    return array
