"""VTI (VTK XML image data): cells and local fields voxel by voxel, read back without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkDataSetAttributes, vtkImageData
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

from relaxdesign.export.cell import check_cell_size, design_name, realised_cell
from relaxdesign.files import NoSpace, write_whole
from relaxdesign.physics.fem import LocalFields
from relaxdesign.physics.fem.elements import VOIGT
from relaxdesign.physics.voxel_fields import UNITS
from relaxdesign.study.result import Design

SYMMETRIC = ("XX", "YY", "ZZ", "XY", "YZ", "XZ")
"""Order in which VTK and ParaView take the six components of a symmetric tensor; it is not Voigt's."""

_UNITS = "; ".join(f"{name}: {unit}" for name, unit in UNITS.items())


def vti_bytes(design: Design, cell_size_mm: float = 1.0, fields: LocalFields | None = None) -> bytes:
    """The realised cell with cell arrays ``E`` (GPa), ``nu``, ``rho`` (g/cm³) and ``phase`` (labels from 0).

    If that of all materials is known there are also ``k`` (W/(m K)) and ``alpha`` (1e-6/K).

    cell_size_mm: physical length of the cell's x edge; voxels are cubes and the spacing is in mm. Field data
    carry name, materials, units, and the bulk moduli wanted and realised. fields: local fields of this cell, a batch
    of one, which are added as in `write_fields_vti`.
    Raises ExportError for a design that was not realised or an unusable size.
    """
    cell = realised_cell(design)
    edge = check_cell_size(cell_size_mm) / cell.labels.shape[0]
    image = _image(cell.labels.shape, edge)
    for name, values in cell.fields.arrays.items():
        _add(image.GetCellData(), name, values)
    _add(image.GetCellData(), "phase", cell.labels)
    if fields is not None:
        _add_fields(image, fields, 0, edge)
    image.GetCellData().SetActiveScalars("phase")
    _describe(
        image,
        {
            "name": design_name(design),
            "family": design.family,
            **{f"phase_{i}": f"{material.name} [{material.id}]" for i, material in enumerate(cell.materials)},
            "units": f"{_UNITS}; phase: label of a material; lengths: mm; K: GPa",
        },
        {
            "K_target": design.wanted("K"),
            "K_realised": design.at("realised", "K"),
            **{f"volume_fraction_{i}": share for i, share in enumerate(cell.shares)},
            "density": design.value("density"),
        },
    )
    return _written(image)


def write_fields_vti(path: str | Path, fields: LocalFields, **options: Any) -> None:
    """Writes the local fields of one cell into a file, conventionally ``.vti``; options and errors as below.

    Raises OSError if the file cannot be written.
    """
    content = fields_vti_bytes(fields, **options)
    try:
        write_whole(path, content)
    except NoSpace:
        raise
    except OSError as error:
        raise OSError(error.errno, "cannot be written", str(path)) from error


def fields_vti_bytes(
    fields: LocalFields,
    *,
    sample: int = 0,
    edge: float | None = None,
    voxels: Mapping[str, ArrayLike] | None = None,
    title: str = "",
) -> bytes:
    """The local fields of one cell for ParaView, PyVista or another reader of VTK files.

    Cell data: ``strain`` and ``stress`` (GPa), symmetric tensors in VTK's order XX, YY, ZZ, XY, YZ, XZ with the
    tensor shear ε_xy = γ_xy / 2; ``von_mises``, ``pressure`` and ``energy_density`` (GPa). Point data:
    ``displacement`` in the unit of ``edge``, so that "Warp By Vector" shows the deformed cell.

    Args:
        fields: what `relaxdesign.physics.fem.local_fields` returned.
        sample: which cell of the batch.
        edge: length of a voxel's edge (default: such that the cell's x edge is 1).
        voxels: further cell data by name, one number per voxel (nx, ny, nz), e.g. E, nu.
        title: text to find again in the file.

    Raises:
        ValueError: that sample has no solution.
    """
    if not bool(fields.converged[sample]):
        raise ValueError(f"sample {sample} has no solution to write: {fields.status[sample].value}")
    shape = tuple(fields.energy.shape[1:])
    edge = 1.0 / shape[0] if edge is None else float(edge)
    image = _image(shape, edge)
    for name, values in (voxels or {}).items():
        _add(image.GetCellData(), name, np.asarray(values, dtype=np.float64))
    _add_fields(image, fields, sample, edge)
    image.GetCellData().SetActiveScalars("von_mises")
    texts = {"name": title, "boundary": str(fields.boundary), "units": _UNITS}
    _describe(image, texts, {})
    return _written(image)


def _written(image: vtkImageData) -> bytes:
    """The image as a file's content."""
    writer = vtkXMLImageDataWriter()
    writer.SetInputData(image)
    writer.SetDataModeToBinary()  # base64: the text then holds no raw bytes and can pass as a string
    writer.WriteToOutputStringOn()
    if not writer.Write():
        raise RuntimeError("VTK could not write the image")
    return writer.GetOutputString().encode()


def _add_fields(image: vtkImageData, fields: LocalFields, sample: int, edge: float) -> None:
    """The local fields of one cell of a batch, with the mean strain and stress; voxels of this edge."""
    cells = image.GetCellData()
    for name, tensor, shear in (("strain", fields.strain, 0.5), ("stress", fields.stress, 1.0)):
        scaled = tensor[sample].cpu().numpy() * np.array([1.0] * 3 + [shear] * 3).reshape(6, 1, 1, 1)
        voigt = ["XYZ"[i] + "XYZ"[j] for i, j in VOIGT]
        _add(cells, name, scaled[[voigt.index(component) for component in SYMMETRIC]], SYMMETRIC)
    for name, field in (
        ("von_mises", fields.von_mises),
        ("pressure", fields.pressure),
        ("energy_density", fields.energy),
    ):
        _add(cells, name, field[sample].cpu().numpy())
    _add(image.GetPointData(), "displacement", edge * fields.displacement[sample].cpu().numpy(), "XYZ")
    image.GetPointData().SetActiveVectors("displacement")
    _describe(
        image,
        {
            "field_units": "strain: 1; stress, von_mises, pressure, energy_density: GPa; displacement: as x",
            "macroscopic": "Voigt order xx yy zz yz xz xy, strain with engineering shear, stress in GPa",
        },
        {
            "macroscopic_strain": fields.macroscopic_strain[sample].tolist(),
            "macroscopic_stress": fields.macroscopic_stress[sample].tolist(),
        },
    )


def _image(shape: tuple[int, ...], edge: float) -> vtkImageData:
    image = vtkImageData()
    image.SetDimensions(*(n + 1 for n in shape))
    image.SetSpacing(edge, edge, edge)
    return image


def _add(data: vtkDataSetAttributes, name: str, values: np.ndarray, components: Sequence[str] = ()) -> None:
    """Add (nx, ny, nz), or (components, nx, ny, nz), to the cell or point data of an image."""
    if components:
        values = np.stack([part.ravel(order="F") for part in values], axis=1)
    array = numpy_to_vtk(values if components else values.ravel(order="F"), deep=True)
    array.SetName(name)
    for index, component in enumerate(components):
        array.SetComponentName(index, component)
    data.AddArray(array)


def _describe(image: vtkImageData, texts: Mapping[str, str], numbers: Mapping[str, float | list[float] | None]) -> None:
    """Texts and numbers as field data of the image."""
    for name, text in texts.items():
        strings = vtkStringArray()
        strings.SetName(name)
        strings.InsertNextValue(text)
        image.GetFieldData().AddArray(strings)
    for name, number in numbers.items():
        if number is not None:
            array = numpy_to_vtk(np.atleast_1d(np.asarray(number, dtype=np.float64)), deep=True)
            array.SetName(name)
            image.GetFieldData().AddArray(array)
