"""Reading voxel fields of elastic properties, or labels of two phases, from ``.npz`` and ``.vti`` files.

Nothing is unpickled. What a file claims to hold is checked before it is unpacked, so that a small file cannot fill
the memory.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Relative difference of voxel edges up to which voxels count as cubes (spacings are written with few digits).
_CUBIC = 1e-4

_REQUIRED = ("E", "nu")
_BYTES_PER_NUMBER = 16  # the widest numbers there are, complex ones, and more than any header
_OPTIONAL = {"rho": "a finite density ≥ 0", "k": "a finite conductivity > 0 W/(m K)"}
_EXPECTED = "E (GPa), nu and optionally rho (g/cm³) and k (W/(m K))"


class FieldError(ValueError):
    """A file that holds no usable field; the text names the file, what was found and what is expected."""


class MissingArray(FieldError):
    """A file of fields that lacks one that is needed."""


@dataclass(frozen=True, eq=False)
class FieldData:
    """Properties of the voxels of one cell, float64 arrays (nx, ny, nz); voxels are cubes."""

    E: np.ndarray  # Young's modulus, GPa
    nu: np.ndarray  # Poisson's ratio
    rho: np.ndarray | None = None  # density, g/cm³
    k: np.ndarray | None = None  # thermal conductivity, W/(m K)
    edge: float | None = None  # of a voxel, in the file's unit of length; only a .vti tells


def load_field(path: str | Path, *, most_voxels: int | None = None) -> FieldData:
    """Reads a field.

    ``.npz``: arrays ``E``, ``nu`` and, if known, ``rho`` and ``k``, of shape (nx, ny, nz), or (nx, ny) for a 2D cell.
    ``.vti``: cell arrays of these names on cubic voxels. most_voxels: refuse larger fields, before they are read.

    Raises FieldError when the file is missing, damaged or holds something else; ranges of the elastic moduli are
    the evaluator's business.
    """
    arrays, edge = _load(path, _REQUIRED, tuple(_OPTIONAL), most_voxels)
    return FieldData(**_checked(Path(path), arrays), edge=edge)


def load_phase(path: str | Path, *, most_voxels: int | None = None) -> np.ndarray | None:
    """The labels ``phase`` of a file, uint8 (nx, ny, nz) with 1 in the particles; None if it holds none.

    Arguments and errors as in `load_field`; a FieldError too for labels other than 0 and 1.
    """
    arrays, _ = _load(path, (), ("phase",), most_voxels)
    if "phase" not in arrays:
        return None
    labels = arrays["phase"]
    if labels.ndim not in (2, 3) or labels.size == 0 or labels.dtype.kind not in "biuf":
        raise FieldError(f"{path}: phase has shape {labels.shape}, expected labels (nx, ny, nz), or (nx, ny) for 2D")
    if not np.isin(labels, (0, 1)).all():
        raise FieldError(f"{path}: phase must be 0 (matrix) or 1 (particles) in every voxel")
    labels = labels.astype(np.uint8)
    return labels[..., None] if labels.ndim == 2 else labels


def _load(
    path: str | Path, required: tuple[str, ...], optional: tuple[str, ...], most_voxels: int | None
) -> tuple[dict[str, np.ndarray], float | None]:
    """Arrays by name and, if the file tells, the edge of a voxel."""
    path = Path(path)
    if path.suffix.lower() not in (".npz", ".vti"):
        raise FieldError(f"{path}: unknown kind of file {path.suffix!r}; give an .npz or a .vti file")
    if not path.exists():
        raise FieldError(f"{path}: there is no such file")
    if not path.is_file():
        raise FieldError(f"{path}: this is not a file")
    try:
        if path.suffix.lower() == ".npz":
            return _read_npz(path, required, optional, most_voxels), None
        return _read_vti(path, required, optional, most_voxels)
    except OSError as error:
        raise FieldError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError:
        raise FieldError(f"{path}: too large for the memory of this machine; give a smaller field") from None


def _read_npz(
    path: Path, required: tuple[str, ...], optional: tuple[str, ...], most_voxels: int | None
) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise FieldError(f"{path}: not an .npz file (a zip of arrays); write it with numpy.savez(path, E=E, nu=nu)")
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            _require(path, required, archive.files)
            for name in (*required, *optional):
                if name in archive.files:
                    _check_unpacked(path, name, archive.zip, most_voxels)
                    arrays[name] = archive[name]
                    _check_voxels(path, arrays[name].size, most_voxels)
    except FieldError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError) as error:
        if "pickle" in str(error):
            raise FieldError(
                f"{path}: holds pickled objects, which are not read as they can run code; save plain float arrays"
            ) from None
        raise FieldError(f"{path}: damaged ({error}); write the file again") from error
    return arrays


def _check_unpacked(path: Path, name: str, archive: zipfile.ZipFile, most_voxels: int | None) -> None:
    """Refuses an array that unpacks to more than fits, by the size that its entry states (no more is ever read)."""
    size = max(entry.file_size for entry in archive.infolist() if entry.filename in (name, f"{name}.npy"))
    if most_voxels is not None and size > _BYTES_PER_NUMBER * most_voxels + 4096:
        raise FieldError(f"{path}: {name} unpacks to {size / 2**20:.0f} MB; at most {most_voxels} voxels are read")


def _check_voxels(path: Path, voxels: int, most_voxels: int | None) -> None:
    if most_voxels is not None and voxels > most_voxels:
        raise FieldError(f"{path}: {voxels} voxels; at most {most_voxels} are read, make the field coarser")


def _read_vti(
    path: Path, required: tuple[str, ...], optional: tuple[str, ...], most_voxels: int | None
) -> tuple[dict[str, np.ndarray], float | None]:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    reader = vtkXMLImageDataReader()
    problems: list[str] = []
    reader.AddObserver("ErrorEvent", lambda *_: problems.append("error"))  # type: ignore[arg-type]  # names work too
    with quiet_vtk():
        readable = bool(reader.CanReadFile(str(path)))
        if readable:
            reader.SetFileName(str(path))
            reader.UpdateInformation()
            extent = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.WHOLE_EXTENT()) or (0,) * 6
            _check_voxels(path, math.prod(max(1, extent[i + 1] - extent[i]) for i in (0, 2, 4)), most_voxels)
            reader.Update()
    if not readable:
        raise FieldError(f"{path}: not a VTI file (VTK XML image data)")
    image = reader.GetOutput()
    data = image.GetCellData()
    if problems or reader.GetErrorCode():
        raise FieldError(f"{path}: damaged; write the file again")
    names = [data.GetArrayName(index) for index in range(data.GetNumberOfArrays())]
    at_points = image.GetPointData()
    if "E" in required and "E" not in names and at_points.HasArray("E"):
        raise FieldError(f"{path}: E is given at points; give cell arrays, one value per voxel")
    _require(path, required, names)
    # An image one point thick is a 2D cell.
    shape = tuple(max(1, points - 1) for points in image.GetDimensions())
    spacing = [step for step, count in zip(image.GetSpacing(), shape, strict=True) if count > 1]
    if spacing and max(spacing) - min(spacing) > _CUBIC * max(spacing):
        raise FieldError(f"{path}: voxels must be cubes, the spacing is {image.GetSpacing()}; resample the field")
    arrays = {}
    for name in (*required, *optional):
        if name in names:
            array = data.GetArray(name)
            if array is None or array.GetNumberOfComponents() != 1 or array.GetNumberOfTuples() != np.prod(shape):
                raise FieldError(f"{path}: {name} must have one number per voxel")
            arrays[name] = vtk_to_numpy(array).reshape(shape, order="F")
    return arrays, max(spacing, default=None)


def _require(path: Path, required: tuple[str, ...], names: list[str]) -> None:
    missing = [name for name in required if name not in names]
    if missing:
        raise MissingArray(
            f"{path}: no array {' and '.join(missing)}; expected are {_EXPECTED}, found: {', '.join(names) or 'none'}"
        )


def _checked(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    fields = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise FieldError(f"{path}: {name} has type {array.dtype}, expected real numbers")
        if array.ndim not in (2, 3) or array.size == 0:
            raise FieldError(f"{path}: {name} has shape {array.shape}, expected (nx, ny, nz), or (nx, ny) for 2D")
        if array.shape != arrays["E"].shape:
            raise FieldError(f"{path}: {name} has shape {array.shape}, E has {arrays['E'].shape}; make them the same")
        field = np.ascontiguousarray(array, dtype=np.float64)
        if field.ndim == 2:
            field = field[..., None]
        bad = ~np.isfinite(field)
        if name == "rho":
            bad |= field < 0
        elif name == "k":
            bad |= field <= 0
        if bad.any():
            voxel = tuple(int(n) for n in np.argwhere(bad)[0])
            wanted = _OPTIONAL.get(name, "a finite number")
            raise FieldError(f"{path}: {name} is {field[voxel]} at voxel {voxel}; every voxel needs {wanted}")
        fields[name] = field
    return fields


@contextmanager
def quiet_vtk() -> Iterator[None]:
    """VTK reports errors on stderr by itself; ours name the file and the remedy."""
    from vtkmodules.vtkCommonCore import vtkLogger

    before = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtkLogger.SetStderrVerbosity(before)
