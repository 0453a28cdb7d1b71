"""What an image is, how it is asked for, and what all readers of images share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from relaxdesign.io.fields import FieldError, LabelsUnclear
from relaxdesign.io.labels import MOST_LABELS, Labels

MOST_VOXELS = 2**30
"""Voxels that are read at most where nothing else is said: a gigabyte of 8-bit grey values."""

_CUBIC = 1e-4  # relative difference of edges up to which voxels count as cubes, see `relaxdesign.io.fields`
_SOME = 10_000  # values that tell most grey images from labels


@dataclass(frozen=True)
class ImageReading:
    """What a file does not tell by itself; None: as the file says, or the only one there is.

    array: name of the array, or its path inside an HDF5 file. size, dtype: of a ``.raw``, (nx, ny, nz) and a type of
    NumPy such as ``uint16`` or ``>u2``. spacing: edges of a voxel along x, y, z. axes: which axes of space those of the
    stored array are, slowest first in a C-ordered one: ``zyx`` or ``xyz``.
    """

    array: str | None = None
    size: tuple[int, ...] | None = None
    dtype: str | None = None
    spacing: tuple[float, ...] | None = None
    axes: str | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """Grey values or labels of voxels.

    Args:
        values: (nx, ny, nz) real numbers along x, y, z; an image of one slice has nz = 1.
        spacing: edges of a voxel along x, y, z in the file's unit of length; None: not told.
        note: what was read, and how its axes were taken, in words.
    """

    values: np.ndarray
    spacing: tuple[float, float, float] | None = None
    note: str = ""

    @property
    def cubic(self) -> bool:
        """Whether the voxels are cubes, or not told to be anything else."""
        return is_cubic(self.spacing, self.values.shape)


def is_cubic(spacing: Sequence[float] | None, shape: Sequence[int]) -> bool:
    """Whether voxels are cubes (squares where there is one slice) up to the few digits that files write."""
    if spacing is None:
        return True
    steps = [step for step, count in zip(spacing, shape, strict=True) if count > 1] or list(spacing)
    return max(steps) - min(steps) <= _CUBIC * max(steps)


@contextmanager
def reading(kind: str) -> Iterator[None]:
    """Turns whatever a library raises on a damaged file into a FieldError that names the kind of file."""
    try:
        yield
    except (FieldError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise FieldError(f"there is no file {error.filename}") from None
    except Exception as error:
        told = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise FieldError(f"damaged, cut short or no {kind} ({told}); write the file again") from error


def check_size(shape: Sequence[int], most_voxels: int | None, what: str = "the image") -> None:
    """Raises FieldError for an image of no or too many voxels."""
    voxels, most = math.prod(int(n) for n in shape), MOST_VOXELS if most_voxels is None else most_voxels
    if voxels < 1 or min(shape) < 1:
        raise FieldError(f"{what} has the size {tuple(shape)}: there are no voxels")
    if voxels > most:
        raise FieldError(
            f"{what} has {' x '.join(map(str, shape))} = {voxels} voxels; at most {most} are read: cut out a part of "
            "it or make it coarser with the program that wrote it"
        )


def along_axes(stored: np.ndarray, axes: str) -> np.ndarray:
    """An array with the axes x, y, z in this order.

    axes: those of the stored array in their order, ``zyx`` or any other; two for a single slice.
    Raises FieldError for an array that has not one number per voxel, or axes that do not fit it.
    """
    if stored.ndim > 3 and (flat := stored.squeeze()).ndim in (2, 3):
        stored = flat
    if stored.ndim not in (2, 3) or stored.size == 0:
        raise FieldError(
            f"the array has the shape {stored.shape}; expected are one number per voxel, two or three axes"
        )
    names = axes if stored.ndim == 3 else axes.replace("z", "")
    if sorted(names) != sorted("xyz"[: stored.ndim]):
        raise FieldError(f"the axes {axes!r} do not fit an array of shape {stored.shape}; give zyx or xyz")
    turned = stored.transpose([names.index(axis) for axis in "xyz"[: stored.ndim]])
    return turned[..., None] if turned.ndim == 2 else turned


def finished(image: Image, how: ImageReading) -> Image:
    """The image with the spacing that was asked for. Raises FieldError for values that are no real numbers."""
    values = image.values
    if values.dtype == bool:
        values = values.astype(np.uint8)
    if values.dtype.kind not in "iuf":
        raise FieldError(f"its values have the type {values.dtype}; expected are grey values or labels, real numbers")
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        voxel = tuple(int(n) for n in np.argwhere(~finite)[0])
        raise FieldError(f"the value at voxel {voxel} is {values[voxel]}; write a finite number there")
    spacing = image.spacing if how.spacing is None else _three(how.spacing)
    if spacing is not None and not all(math.isfinite(step) and step > 0 for step in spacing):
        raise FieldError(f"the spacing of the voxels is {spacing}; it must be positive")
    return replace(image, values=values, spacing=spacing)


def _three(spacing: Sequence[float]) -> tuple[float, float, float]:
    if len(spacing) not in (1, 3):
        raise FieldError(f"the spacing {tuple(spacing)} has {len(spacing)} numbers; give one, or one per axis x, y, z")
    x, y, z = (spacing[0],) * 3 if len(spacing) == 1 else spacing
    return float(x), float(y), float(z)


def one_array(arrays: Sequence[str], wanted: str | None, default: str, others: Sequence[str] = ()) -> str:
    """The array to read: the one that was named, ``default``, or the only one.

    others: arrays that hold no image, for the message. Raises FieldError for none, LabelsUnclear for several.
    """
    names = {name.strip("/"): name for name in arrays}
    if wanted is not None:
        if (found := names.get(wanted.strip("/"))) is None:
            raise FieldError(f"no array {wanted} of an image; there are {', '.join(arrays) or 'none'}")
        return found
    if default in names:
        return names[default]
    if len(arrays) == 1:
        return arrays[0]
    if not arrays:
        told = f"; it holds {', '.join(others)}" if others else ""
        raise FieldError(f"there is no array of an image, two or three axes of real numbers, in it{told}")
    raise LabelsUnclear(f"which array is the image? There are {', '.join(arrays)}", arrays)


def as_labels(image: Image) -> Labels | None:
    """The image as labels, if it holds few different whole numbers; else None."""
    values = image.values
    some = values.ravel()[:: max(1, values.size // _SOME)]  # spares most grey images the sorting of all values
    if len(np.unique(some)) > MOST_LABELS or len(np.unique(values)) > MOST_LABELS:
        return None
    if values.dtype.kind == "f":
        if not (values == np.round(values)).all():
            return None
        values = values.astype(np.int64)
    edge = None if image.spacing is None else max(image.spacing[: 3 if values.shape[2] > 1 else 2])
    return Labels("the image", np.ascontiguousarray(values), edge)
