"""Reading voxel fields of elastic properties, and conductivity if it is there, from ``.npz`` and ``.vti`` files."""

from __future__ import annotations

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
_OPTIONAL = {"rho": "a finite density ≥ 0", "k": "a finite conductivity > 0 W/(m K)"}
_EXPECTED = "E (GPa), nu and optionally rho (g/cm³) and k (W/(m K))"


class FieldError(ValueError):
    """A file that holds no usable field; the text names the file, what was found and what is expected."""


@dataclass(frozen=True, eq=False)
class FieldData:
    """Properties of the voxels of one cell, float64 arrays (nx, ny, nz); voxels are cubes."""

    E: np.ndarray  # Young's modulus, GPa
    nu: np.ndarray  # Poisson's ratio
    rho: np.ndarray | None = None  # density, g/cm³
    k: np.ndarray | None = None  # thermal conductivity, W/(m K)
    edge: float | None = None  # of a voxel, in the file's unit of length; only a .vti tells


def load_field(path: str | Path) -> FieldData:
    """Reads a field.

    ``.npz``: arrays ``E``, ``nu`` and, if known, ``rho`` and ``k``, of shape (nx, ny, nz), or (nx, ny) for a 2D cell.
    ``.vti``: cell arrays of these names on cubic voxels. Nothing is unpickled.

    Raises FieldError when the file is missing, damaged or holds something else; ranges of the elastic moduli are
    the evaluator's business.
    """
    path = Path(path)
    if path.suffix.lower() not in (".npz", ".vti"):
        raise FieldError(f"{path}: unknown kind of file {path.suffix!r}; give an .npz or a .vti file")
    if not path.exists():
        raise FieldError(f"{path}: there is no such file")
    if not path.is_file():
        raise FieldError(f"{path}: this is not a file")
    try:
        arrays, edge = (_read_npz(path), None) if path.suffix.lower() == ".npz" else _read_vti(path)
    except OSError as error:
        raise FieldError(f"{path}: cannot be read ({error.strerror or error})") from error
    return FieldData(**_checked(path, arrays), edge=edge)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise FieldError(f"{path}: not an .npz file (a zip of arrays); write it with numpy.savez(path, E=E, nu=nu)")
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            _require(path, archive.files)
            for name in (*_REQUIRED, *_OPTIONAL):
                if name in archive.files:
                    arrays[name] = archive[name]
    except FieldError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError) as error:
        if "pickle" in str(error):
            raise FieldError(
                f"{path}: holds pickled objects, which are not read as they can run code; save plain float arrays"
            ) from None
        raise FieldError(f"{path}: damaged ({error}); write the file again") from error
    return arrays


def _read_vti(path: Path) -> tuple[dict[str, np.ndarray], float | None]:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    reader = vtkXMLImageDataReader()
    problems: list[str] = []
    reader.AddObserver("ErrorEvent", lambda *_: problems.append("error"))  # type: ignore[arg-type]  # names work too
    with quiet_vtk():
        readable = bool(reader.CanReadFile(str(path)))
        if readable:
            reader.SetFileName(str(path))
            reader.Update()
    if not readable:
        raise FieldError(f"{path}: not a VTI file (VTK XML image data)")
    image = reader.GetOutput()
    data = image.GetCellData()
    if problems or reader.GetErrorCode():
        raise FieldError(f"{path}: damaged; write the file again")
    names = [data.GetArrayName(index) for index in range(data.GetNumberOfArrays())]
    at_points = image.GetPointData()
    if "E" not in names and at_points.HasArray("E"):
        raise FieldError(f"{path}: E is given at points; give cell arrays, one value per voxel")
    _require(path, names)
    # An image one point thick is a 2D cell.
    shape = tuple(max(1, points - 1) for points in image.GetDimensions())
    spacing = [step for step, count in zip(image.GetSpacing(), shape, strict=True) if count > 1]
    if spacing and max(spacing) - min(spacing) > _CUBIC * max(spacing):
        raise FieldError(f"{path}: voxels must be cubes, the spacing is {image.GetSpacing()}; resample the field")
    arrays = {}
    for name in (*_REQUIRED, *_OPTIONAL):
        if name in names:
            array = data.GetArray(name)
            if array is None or array.GetNumberOfComponents() != 1 or array.GetNumberOfTuples() != np.prod(shape):
                raise FieldError(f"{path}: {name} must have one number per voxel")
            arrays[name] = vtk_to_numpy(array).reshape(shape, order="F")
    return arrays, max(spacing, default=None)


def _require(path: Path, names: list[str]) -> None:
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise FieldError(
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
