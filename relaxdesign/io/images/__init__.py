"""Reading images: TIFF and other stacks, arrays of NumPy, MATLAB and HDF5, volumes of ITK and VTK, text.

Every reader gives the values along x, y, z, with the edges of a voxel where the file tells them and a note of what was
read. Which axis of a file is which is told for each format in docs/images.md. Sizes are checked before memory is
taken, and files that are damaged or cut short are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from relaxdesign.io.fields import FieldError, LabelsUnclear
from relaxdesign.io.images.base import Image, ImageReading, as_labels, finished, is_cubic
from relaxdesign.io.images.containers import HDF5, read_hdf5, read_mat, read_npy, read_npz
from relaxdesign.io.images.stacks import PICTURES, TIFFS, read_folder, read_picture, read_tiff, slices_of
from relaxdesign.io.images.text import TEXTS, read_text
from relaxdesign.io.images.volumes import DETACHED, ITK, read_itk, read_nf, read_raw, read_vti, read_vtk

__all__ = ["DETACHED", "KINDS", "Image", "ImageReading", "as_labels", "is_cubic", "is_image", "read_image"]

Reader = Callable[[Path, ImageReading, int | None], Image]

_READERS: dict[str, Reader] = {
    **dict.fromkeys(TIFFS, read_tiff),
    **dict.fromkeys(PICTURES, read_picture),
    **dict.fromkeys(HDF5, read_hdf5),
    **dict.fromkeys(ITK, read_itk),
    ".npy": read_npy,
    ".npz": read_npz,
    ".mat": read_mat,
    ".raw": read_raw,
    ".nf": read_nf,
    ".vtk": read_vtk,
    ".vti": read_vti,
    **dict.fromkeys(TEXTS, read_text),
}

KINDS = tuple(_READERS)
"""Endings of files of images that are read."""

_FIELDS = (".npz", ".vti")
"""Those that can hold a field of properties, too."""


def is_image(path: Path) -> bool:
    """Whether a file can hold nothing but an image, by its ending; or whether a folder holds slices and no fields."""
    if path.is_dir():
        return bool(slices_of(path)) and not any(each.suffix.lower() in _FIELDS for each in path.iterdir())
    return _ending(path) in KINDS and _ending(path) not in _FIELDS


def read_image(path: str | Path, how: ImageReading | None = None, *, most_voxels: int | None = None) -> Image:
    """Reads an image from a file of one of `KINDS`, or the slices in a folder.

    Args:
        how: what the file does not tell by itself.
        most_voxels: refuse larger images before they are read; None: a thousand million.

    Raises:
        FieldError: no such file, one that is damaged, too large or holds no image; the text says what helps.
        LabelsUnclear: a file with several arrays, none of them named.
    """
    path, how = Path(path), how or ImageReading()
    try:
        return finished(_reader(path)(path, how, most_voxels), how)
    except LabelsUnclear as error:
        raise LabelsUnclear(f"{path}: {error}", error.arrays) from None
    except FieldError as error:
        raise FieldError(f"{path}: {error}") from None
    except OSError as error:
        raise FieldError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError:
        raise FieldError(f"{path}: too large for the memory of this machine; give a smaller image") from None


def _reader(path: Path) -> Reader:
    """The reader of a file or folder. Raises FieldError for one that is missing or of another kind."""
    if not path.exists():
        raise FieldError("there is no such file")
    if path.is_dir():
        return read_folder
    if (reader := _READERS.get(_ending(path))) is None:
        raise FieldError(f"unknown kind of file {path.suffix!r}; images are read from {', '.join(KINDS)}")
    return reader


def _ending(path: Path) -> str:
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()
