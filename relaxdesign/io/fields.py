"""Reading voxel fields of elastic properties, or labels of phases, from ``.npz`` and ``.vti`` files.

Nothing is unpickled. What a file claims to hold is checked before it is unpacked, so that a small file cannot fill
the memory, and so that a damaged one is never read as good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from relaxdesign.io.labels import MOST_LABELS, Labels
from relaxdesign.io.npz import NpzFile
from relaxdesign.io.units import FACTORS, Units, implausible
from relaxdesign.io.vti import VtiFile
from relaxdesign.physics.voxel_fields import VoxelFields

if TYPE_CHECKING:
    from relaxdesign.materials.catalogue import Material

# Relative difference of voxel edges up to which voxels count as cubes (spacings are written with few digits).
_CUBIC = 1e-4
_MOST_PARTS = 10  # along an edge of a voxel that is no cube, and cubes in all, into which fields are divided
_MOST_CUBES = 2**24

_REQUIRED = ("E", "nu")
_OPTIONAL = {
    "rho": "a finite density ≥ 0",
    "k": "a finite conductivity > 0 W/(m K)",
    "alpha": "a finite expansion in 1e-6/K",
}
_EXPECTED = "E (GPa), nu and optionally rho (g/cm³), k (W/(m K)) and alpha (1e-6/K)"
_MOST_DESCRIBED = 12  # arrays whose content a message tells

DEFAULT_LABELS = "phase"
"""The array of labels that is read where none is named; exported designs have it."""

T = TypeVar("T")


class FieldError(ValueError):
    """A file that holds no usable field; the text names the file, what was found and what is expected."""


class MissingArray(FieldError):
    """A file of fields that lacks one that is needed."""


class UnitsUnclear(FieldError):
    """Numbers that look as if in another unit; `relaxdesign.io.units.Units` can say which.

    quantity: "E", "rho", "k" or "alpha". likely: the unit that the numbers fit, units: those that are known.
    """

    def __init__(self, text: str, quantity: str, likely: str):
        super().__init__(text)
        self.quantity, self.likely, self.units = quantity, likely, tuple(FACTORS[quantity])

    @property
    def advice(self) -> str:
        """The text with what to do on the command line."""
        return f"{self}; give --units {self.likely}, or --units {self.units[0]} if it is meant"


class LabelsUnclear(FieldError):
    """A file with several arrays, none of them named as the labels; arrays: those that there are."""

    def __init__(self, text: str, arrays: Sequence[str]):
        super().__init__(text)
        self.arrays = tuple(arrays)


class VoxelFile(Protocol):
    """What the readers of both kinds of file have; `read` raises ValueError."""

    names: tuple[str, ...]
    points: tuple[str, ...]

    def read(self, name: str) -> np.ndarray: ...


def load_field(path: str | Path, *, units: Units | None = None, most_voxels: int | None = None) -> VoxelFields:
    """Reads a field.

    ``.npz``: arrays ``E``, ``nu`` and, if known, ``rho``, ``k`` and ``alpha``, of shape (nx, ny, nz), or (nx, ny) for
    a 2D cell.
    ``.vti``: cell arrays of these names; voxels that are no cubes are divided into cubes.
    units: the file's, see `relaxdesign.io.units.Units`.
    most_voxels: refuse larger fields, before they are read.

    Raises FieldError when the file is missing, damaged or holds something else; MissingArray when it lacks one;
    UnitsUnclear when its numbers look as if in another unit. Ranges of the elastic moduli are the evaluator's business.
    """

    def read(file: VoxelFile) -> VoxelFields:
        if missing := [name for name in _REQUIRED if name not in file.names]:
            _refuse_points(file, missing if file.names else file.points)
            raise MissingArray(f"no array {' and '.join(missing)}; expected are {_EXPECTED}, found: {_content(file)}")
        names = [name for name in (*_REQUIRED, *_OPTIONAL) if name in file.names]
        fields = _checked({name: file.read(name) for name in names})
        fields, edge = _in_cubes(file, _converted(fields, units or Units()), most_voxels)
        return VoxelFields(**fields, edge=edge)

    return _reading(path, most_voxels, read)


def load_labels(path: str | Path, name: str | None = None, *, most_voxels: int | None = None) -> Labels:
    """Reads labels: whole numbers, one per voxel, as many different ones as the cell has phases.

    name: of the array; None: ``phase``, else the only array there is. Further arguments and errors as in
    `load_field`; MissingArray for a file without that array, LabelsUnclear for several of which none was named.
    """
    return _reading(path, most_voxels, lambda file: _labels(file, _labels_name(file, name)))


def labelled_field(labels: Labels, materials: Mapping[int, Material]) -> VoxelFields:
    """The properties of voxels with a material for each label; ``k`` and ``alpha`` if known of all that occur.

    Raises ValueError for a label without a material.
    """
    from relaxdesign.microstructure.cell import Cell  # with torch, which the child that reads uploads does without

    labels.check_materials(materials)
    return replace(Cell.of(labels.values, materials).fields, edge=labels.edge)


def _labels_name(file: VoxelFile, wanted: str | None) -> str:
    """The array of labels."""
    name = wanted or DEFAULT_LABELS
    if name in file.names:
        return name
    if wanted is None and len(file.names) == 1 and file.names[0] not in (*_REQUIRED, *_OPTIONAL):
        return file.names[0]
    _refuse_points(file, [name] if name in file.points or file.names else file.points)
    if wanted is None and file.names:
        raise LabelsUnclear(
            f"no array {DEFAULT_LABELS}: which one holds the labels? Found: {_content(file)}", file.names
        )
    raise MissingArray(f"no array {name} of labels; found: {_content(file)}")


def _labels(file: VoxelFile, name: str) -> Labels:
    """The labels of an array. Raises ValueError for one that holds something else."""
    array = file.read(name)
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} has shape {array.shape} and type {array.dtype}, expected labels (nx, ny, nz), or (nx, ny) for 2D"
        )
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype.kind == "f":
        bad = ~(np.isfinite(array) & (array == np.round(array)) & (abs(array) < 2**53))
        if bad.any():
            voxel = tuple(int(n) for n in np.argwhere(bad)[0])
            raise ValueError(f"{name} is {array[voxel]} at voxel {voxel}; labels are whole numbers")
    labels = Labels(name, np.ascontiguousarray(array, dtype=np.int64), _edge(file))
    if len(labels.shares) > MOST_LABELS:
        raise ValueError(
            f"{name} holds {len(labels.shares)} different values; labels are at most {MOST_LABELS}, so give grey "
            "values a threshold first"
        )
    return labels


def _reading(path: str | Path, most_voxels: int | None, read: Callable[[VoxelFile], T]) -> T:
    """What is read of a file; errors name the file."""
    path = Path(path)
    try:
        return read(_open(path, most_voxels))
    except UnitsUnclear as error:
        raise UnitsUnclear(f"{path}: {error}", error.quantity, error.likely) from None
    except LabelsUnclear as error:
        raise LabelsUnclear(f"{path}: {error}", error.arrays) from None
    except OSError as error:
        raise FieldError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError:
        raise FieldError(f"{path}: too large for the memory of this machine; give a smaller field") from None
    except MissingArray as error:
        raise MissingArray(f"{path}: {error}") from None
    except ValueError as error:
        raise FieldError(f"{path}: {error}") from error


def _open(path: Path, most_voxels: int | None) -> NpzFile | VtiFile:
    """The reader of a file. Raises ValueError or OSError."""
    kind = path.suffix.lower()
    if kind not in (".npz", ".vti"):
        raise ValueError(f"unknown kind of file {path.suffix!r}; give an .npz or a .vti file")
    if not path.exists():
        raise ValueError("there is no such file")
    if not path.is_file():
        raise ValueError("this is not a file")
    return NpzFile(path, most_voxels) if kind == ".npz" else VtiFile(path.read_bytes(), most_voxels)


def _in_cubes(
    file: VoxelFile, fields: dict[str, np.ndarray], most_voxels: int | None
) -> tuple[dict[str, np.ndarray], float | None]:
    """The fields on cubes, and their edge: voxels that are none are divided, which changes no shape.

    Raises ValueError where too many cubes would be needed, as for edges of 1 and 1.01.
    """
    if not isinstance(file, VtiFile) or min(file.spacing) <= 0:
        return fields, _edge(file)
    long = [axis for axis, count in enumerate(file.shape) if count > 1]
    least = min((file.spacing[axis] for axis in long), default=file.spacing[0])
    ratios = {axis: Fraction(file.spacing[axis] / least).limit_denominator(_MOST_PARTS) for axis in long}
    parts = math.lcm(*(ratio.denominator for ratio in ratios.values())) if ratios else 1
    repeats = {axis: int(ratio * parts) for axis, ratio in ratios.items()}
    exact = all(abs(file.spacing[axis] / least - ratio) <= _CUBIC * ratio for axis, ratio in ratios.items())
    cubes = math.prod(repeats.values()) * math.prod(file.shape)
    if not exact or max(repeats.values(), default=1) > _MOST_PARTS or cubes > (most_voxels or _MOST_CUBES):
        return fields, _edge(file)
    for axis, times in repeats.items():
        fields = {name: np.repeat(field, times, axis) for name, field in fields.items()}
    return fields, least / parts


def _edge(file: VoxelFile) -> float | None:
    """The edge of a voxel, if the file tells. Raises ValueError for voxels that are no cubes."""
    if not isinstance(file, VtiFile):
        return None
    steps = [step for step, count in zip(file.spacing, file.shape, strict=True) if count > 1]
    if min(file.spacing) <= 0 or (steps and max(steps) - min(steps) > _CUBIC * max(steps)):
        raise ValueError(
            f"voxels must be cubes, the spacing is {file.spacing}; resample the field, or labels by the step cubic"
        )
    return max(steps, default=None)


def _refuse_points(file: VoxelFile, names: Sequence[str]) -> None:
    """Raises ValueError if one of these arrays is point data."""
    if found := [name for name in names if name in file.points]:
        raise ValueError(
            f"{' and '.join(found)} is given at points (point data, one value per grid point); one value per voxel "
            "(cell data) is needed: if every point stands for a voxel, write the same values as cell data of a grid "
            "with one point more along each axis"
        )


def _content(file: VoxelFile) -> str:
    """What a file holds, for messages: arrays with their labels or range."""
    described = [_described(file, name) for name in file.names[:_MOST_DESCRIBED]]
    described += [*file.names[_MOST_DESCRIBED:], *(f"{name} (point data)" for name in file.points)]
    return ", ".join(described) or "none"


def _described(file: VoxelFile, name: str) -> str:
    if name in (*_REQUIRED, *_OPTIONAL):
        return name
    try:
        return f"{name} with labels {_labels(file, name).describe()}"
    except ValueError:
        return name


def _checked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays (nx, ny, nz) of finite numbers of one shape. Raises ValueError that names the array and the voxel."""
    fields = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{name} has type {array.dtype}, expected real numbers")
        if array.ndim not in (2, 3) or array.size == 0:
            raise ValueError(f"{name} has shape {array.shape}, expected (nx, ny, nz), or (nx, ny) for 2D")
        if array.shape != arrays["E"].shape:
            raise ValueError(f"{name} has shape {array.shape}, E has {arrays['E'].shape}; make them the same")
        field = np.ascontiguousarray(array, dtype=np.float64)
        if field.ndim == 2:
            field = field[..., None]
        bad, void = ~np.isfinite(field), arrays["E"].reshape(field.shape) == 0
        if name in ("nu", "alpha"):
            bad &= ~void  # whatever is written there
        elif name == "rho":
            bad |= field < 0
        elif name == "k":
            bad |= (field < 0) | ((field == 0) & ~void)
        if bad.any():
            voxel = tuple(int(n) for n in np.argwhere(bad)[0])
            wanted = _OPTIONAL.get(name, "a finite number")
            raise ValueError(f"{name} is {field[voxel]} at voxel {voxel}; every voxel needs {wanted}")
        fields[name] = field
    return fields


def _converted(fields: dict[str, np.ndarray], units: Units) -> dict[str, np.ndarray]:
    """The fields in GPa, g/cm³, W/(m K) and 1e-6/K. Raises UnitsUnclear for numbers that look as if in another unit."""
    for name in units.missing():
        if name in fields and (found := implausible(name, fields[name], fields["nu"])):
            why, likely = found
            expected = next(iter(FACTORS[name]))
            raise UnitsUnclear(f"{why}, so {name} is probably in {likely} where {expected} is expected", name, likely)
    return {name: units.factor(name) * field for name, field in fields.items()}


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
