"""Volumes: .raw with its size, the .nf of chfem, NRRD, MetaImage and NIfTI, and image data of VTK (.vtk, .vti)."""

from __future__ import annotations

import gzip
import math
import re
from pathlib import Path

import numpy as np

from relaxdesign.io.fields import DEFAULT_LABELS, FieldError, quiet_vtk
from relaxdesign.io.images.base import Image, ImageReading, along_axes, check_size, one_array, reading
from relaxdesign.io.vti import VtiFile

ITK = (".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz")
DETACHED = (".nhdr", ".mhd", ".nf")
"""Headers whose voxels lie in another file."""

_GZIP_BYTES = 16  # of a voxel at most
_HEADER = 4096  # bytes of a header that are looked at
_LEGACY = {
    "unsigned_char": 1, "char": 1, "unsigned_short": 2, "short": 2, "unsigned_int": 4, "int": 4, "float": 4,
    "unsigned_long": 8, "long": 8, "double": 8, "vtktypeint64": 8, "vtktypeuint64": 8,
}  # fmt: skip


def read_raw(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """Plain numbers, x fastest unless other axes are told; ``how`` has their size and type."""
    if how.size is None:
        raise FieldError("a .raw file does not tell its size; give it as nx,ny,nz, and its type if that is not uint8")
    size = (*how.size, 1) if len(how.size) == 2 else how.size
    if len(size) != 3:
        raise FieldError(f"the size {how.size} of the .raw file has {len(size)} numbers; give nx,ny,nz")
    check_size(size, most_voxels)
    try:
        dtype = np.dtype(how.dtype or "uint8")
    except TypeError:
        raise FieldError(
            f"unknown type {how.dtype!r}; give one of NumPy, such as uint8, uint16, >u2, float32"
        ) from None
    if dtype.kind not in "biuf":
        raise FieldError(f"values of type {dtype} are no grey values; give uint8, uint16, float32 or another")
    axes = how.axes or "zyx"
    if sorted(axes) != ["x", "y", "z"]:
        raise FieldError(f"the axes {axes!r} are not known; give zyx (x fastest, the usual) or xyz")
    needed, found = math.prod(size) * dtype.itemsize, path.stat().st_size
    if needed != found:
        raise FieldError(
            f"{' x '.join(map(str, size))} values of type {dtype} have {needed} bytes, the file has {found}; check the "
            "size and the type"
        )
    stored = np.fromfile(path, dtype).reshape([size["xyz".index(axis)] for axis in axes])
    return Image(along_axes(stored, axes), None, f".raw of {dtype}, axes {axes}")


def read_nf(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """A model of chfem: its .nf names the size, the .raw beside it holds the labels (uint8, x fastest)."""
    with reading(".nf file of chfem"):
        text = _head(path, 16 * _HEADER)
        match = re.search(r"%image_dimensions\s+(\d+)\s+(\d+)(?:[ \t]+(\d+))?", text)
        if match is None:
            raise FieldError("the .nf file has no %image_dimensions; give the .raw file with its size")
        edge = re.search(r"%voxel_size\s+([-+.\deE]+)", text)
        step = float(edge[1]) if edge else 1.0
    raw = path.with_suffix(".raw")
    if not raw.is_file():
        raise FieldError(f"there is no {raw.name} beside it, which holds the voxels")
    size = tuple(max(1, int(n or 1)) for n in match.groups())
    how = ImageReading(size=size, dtype="uint8", axes=how.axes)
    image = read_raw(raw, how, most_voxels)
    return Image(image.values, (step, step, step), f"{raw.name} as its .nf of chfem says, axes {how.axes or 'zyx'}")


def read_itk(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """NRRD, MetaImage or NIfTI. x, y and z are the axes of the file: its directions are not applied."""
    import SimpleITK as sitk

    _check_beside(path)
    kind = _kind(path)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    with reading(f"{kind} file"):
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        if reader.GetNumberOfComponents() != 1:
            raise FieldError(f"it has {reader.GetNumberOfComponents()} numbers per voxel; write one of them")
        size, spacing = reader.GetSize(), reader.GetSpacing()
        while len(size) > 3 and size[-1] == 1:
            size, spacing = size[:-1], spacing[:-1]
        check_size(size, most_voxels)
        if path.suffix.lower() == ".gz":
            _check_gzip(path, _GZIP_BYTES * math.prod(size) + _HEADER)
        if not np.allclose(np.abs(reader.GetDirection()), np.eye(len(reader.GetSize())).ravel(), atol=1e-6):
            turned = ", turned in its header, which is not applied"
        else:
            turned = ""
        stored = sitk.GetArrayFromImage(reader.Execute()).reshape(size[::-1])
    steps = (*spacing, spacing[0])[:3]
    note = f"{kind}, axes of the file{turned}"
    return Image(along_axes(stored, how.axes or "zyx"), (steps[0], steps[1], steps[2]), note)


def read_vti(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """A cell array of XML image data of VTK."""
    with reading(".vti file"):
        try:
            file = VtiFile(path.read_bytes(), most_voxels)
            name = one_array(file.names, how.array, DEFAULT_LABELS, tuple(f"{n} (point data)" for n in file.points))
            check_size(file.shape, most_voxels)
            values = file.read(name)
        except ValueError as error:
            raise error if isinstance(error, FieldError) else FieldError(str(error)) from None
    x, y, z = file.spacing
    return Image(values, (x, y, z), f"cell array {name} of .vti")


def read_vtk(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """Legacy image data of VTK (STRUCTURED_POINTS): a cell array, or point data, where a point stands for a voxel."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkCommand
    from vtkmodules.vtkIOLegacy import vtkStructuredPointsReader

    with reading(".vtk file"), quiet_vtk():
        points = _legacy_size(path, most_voxels)
        reader = vtkStructuredPointsReader()
        errors: list[str] = []
        reader.AddObserver(vtkCommand.ErrorEvent, lambda *_: errors.append("VTK cannot read it"))
        reader.SetFileName(str(path))
        reader.ReadAllScalarsOn()
        reader.Update()
        if errors or reader.GetErrorCode():
            raise FieldError("damaged or cut short: VTK cannot read the whole file; write it again")
        output = reader.GetOutput()
        cells, nodes = output.GetCellData(), output.GetPointData()
        names = [[of.GetArrayName(i) for i in range(of.GetNumberOfArrays())] for of in (cells, nodes)]
        data, kind = (cells, 0) if names[0] else (nodes, 1)
        array = data.GetArray(one_array(names[kind], how.array, DEFAULT_LABELS))
        size = points if kind else tuple(max(1, n - 1) for n in points)
        if array.GetNumberOfComponents() != 1 or array.GetNumberOfTuples() != math.prod(size):
            raise FieldError(f"{array.GetName()} has not one number per voxel of {size}")
        stored = vtk_to_numpy(array).reshape(size[::-1]).copy()
    told = "point data, a voxel for every point" if kind else "cell data"
    x, y, z = output.GetSpacing()
    return Image(along_axes(stored, how.axes or "zyx"), (x, y, z), f"array {array.GetName()} of .vtk, {told}")


def _legacy_size(path: Path, most_voxels: int | None) -> tuple[int, int, int]:
    """Points along the axes. Raises FieldError unless the file is large enough for all values that it announces."""
    content = path.read_bytes()
    head = content[:_HEADER].decode("latin-1")
    if not head.startswith("# vtk DataFile"):
        raise FieldError("no legacy .vtk file")
    if "STRUCTURED_POINTS" not in head.upper():
        raise FieldError("no image data (STRUCTURED_POINTS); write it as image data, in ParaView: Resample To Image")
    match = re.search(r"DIMENSIONS\s+(\d+)\s+(\d+)\s+(\d+)", head, re.IGNORECASE)
    if match is None:
        raise FieldError("damaged: it has no DIMENSIONS; write the file again")
    x, y, z = (int(n) for n in match.groups())
    check_size((x, y, z), None if most_voxels is None else 8 * most_voxels)
    binary = re.search(r"^\s*BINARY", head, re.MULTILINE | re.IGNORECASE) is not None
    count = 0
    pattern = rb"^(?:(CELL_DATA|POINT_DATA)\s+(\d+)|SCALARS\s+\S+\s+(\w+)[ \t]*(\d*)\s*\n(?:LOOKUP_TABLE[^\n]*\n)?)"
    for found in re.finditer(pattern, content, re.MULTILINE | re.IGNORECASE):
        if found[2]:
            count = int(found[2])
            continue
        width = _LEGACY.get(found[3].decode().lower(), 1) if binary else 2
        needed, there = count * width * int(found[4] or 1), len(content) - found.end()
        if needed > there + (not binary):
            raise FieldError(f"damaged or cut short: an array needs {needed} bytes, {there} follow; write it again")
    return x, y, z


def _head(path: Path, size: int = _HEADER) -> str:
    """The first bytes of a file as text."""
    with path.open("rb") as stream:
        return stream.read(size).decode("latin-1")


def _check_beside(path: Path) -> None:
    """Raises FieldError for a header whose voxels lie anywhere but in files beside it."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return
    head = _head(path)
    pattern = r"^\s*(?:data ?file\s*:|ElementDataFile\s*=)\s*(.+?)\s*$"
    for match in re.finditer(pattern, head, re.MULTILINE | re.IGNORECASE):
        name = match[1]
        if name.upper() in ("LOCAL", "INTERNAL"):
            continue
        if name.upper().startswith("LIST") or "%" in name or "/" in name or "\\" in name or name in (".", ".."):
            raise FieldError(f"its voxels lie in {name!r}; only one file in the same folder is opened, put it there")
        if not (path.parent / name).is_file():
            raise FieldError(f"its voxels lie in {name}, which is not beside it")


def _check_gzip(path: Path, most: int) -> None:
    """Raises an error unless the packed file is whole and unpacks to no more bytes; ITK fills what is missing."""
    unpacked = 0
    with gzip.open(path) as stream:
        while part := stream.read(2**20):
            unpacked += len(part)
            if unpacked > most:
                raise FieldError("damaged: it unpacks to more than its size tells; write the file again")


def _kind(path: Path) -> str:
    kinds = {".nrrd": "NRRD", ".nhdr": "NRRD", ".mha": "MetaImage", ".mhd": "MetaImage"}
    return kinds.get(path.suffix.lower(), "NIfTI")
