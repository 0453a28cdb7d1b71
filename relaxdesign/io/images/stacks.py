"""Stacks of slices: TIFF, single pictures (PNG, JPEG, BMP) and folders of either.

A row of a slice runs along x, its rows follow each other along y, its slices along z: the arrays of the libraries,
(z, y, x), are turned into (x, y, z).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relaxdesign.io.fields import FieldError
from relaxdesign.io.images.base import Image, ImageReading, along_axes, check_size, reading

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
TIFFS = (".tif", ".tiff")
SLICES = PICTURES + TIFFS

_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def read_tiff(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """All pages of a TIFF file, of 8 to 64 bits per value, packed or not.

    Spacing is read of files by ImageJ and of OME-TIFF; the dots per inch of others say nothing of voxels.
    """
    from tifffile import TiffFile

    with reading("TIFF file"), _complaints() as complaints, TiffFile(path, _multifile=False) as file:
        if not file.series:
            raise FieldError("the TIFF file has no pages")
        series = file.series[0]
        axes, shape = _without_ones(series)
        colours = axes[-1:] == "S" and shape[-1] in (3, 4)
        check_size(shape[:-1] if colours else shape, most_voxels)
        _check_pages(series, path.stat().st_size)
        stored = series.asarray().reshape(shape)
        spacing = _spacing(file)
        if any(re.search(r"truncat|corrupt|invalid page offset|missing", text) for text in complaints):
            raise FieldError(f"damaged or cut short ({complaints[0][:200]}); write the file again")
    note = f"TIFF of {len(series.pages)} page(s)"
    if len(file.series) > 1:
        note += f", the first of {len(file.series)} images in it"
    if colours:
        stored, told = _grey(stored[..., :3])
        note += told
    if stored.ndim > 3:
        raise FieldError(f"the image has the axes {axes} of lengths {shape}; write one channel and one time of it")
    return Image(along_axes(stored, how.axes or "zyx"), spacing, note)


def read_picture(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """One slice of a PNG, JPEG or BMP file; palettes give their indices, colours their luminance."""
    slice_, note = _picture(path, most_voxels)
    return Image(along_axes(slice_, how.axes or "zyx"), None, note)


def read_folder(folder: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """The slices in a folder along z, in the order of the numbers in their names. Raises FieldError for odd ones."""
    files = slices_of(folder)
    if not files:
        raise FieldError(f"the folder has no slices; expected are files {', '.join(SLICES)}")
    stack = np.empty(0)
    for z, path in enumerate(files):
        try:
            slice_ = _slice(path, most_voxels)
        except FieldError as error:
            raise FieldError(f"{path.name}: {error}") from None
        if z == 0:
            check_size((len(files), *slice_.shape), most_voxels, "the stack of slices")
            stack = np.empty((len(files), *slice_.shape), slice_.dtype)
        if slice_.shape != stack.shape[1:] or slice_.dtype != stack.dtype:
            raise FieldError(
                f"{path.name} is a slice of {slice_.shape} {slice_.dtype}, {files[0].name} of {stack.shape[1:]} "
                f"{stack.dtype}; leave nothing but the slices of one image in the folder"
            )
        stack[z] = slice_
    note = f"{len(files)} slices, {files[0].name} to {files[-1].name}"
    return Image(along_axes(stack, how.axes or "zyx"), None, note)


def slices_of(folder: Path) -> list[Path]:
    """Files of slices in a folder, in the order of the numbers in their names: 9 before 10."""

    def key(path: Path) -> list[tuple[int, int | str]]:
        parts = re.split(r"(\d+)", path.name)
        return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]

    return sorted((p for p in folder.iterdir() if p.suffix.lower() in SLICES and not p.name.startswith(".")), key=key)


def _slice(path: Path, most_voxels: int | None) -> np.ndarray:
    """(ny, nx)."""
    if path.suffix.lower() in PICTURES:
        return _picture(path, most_voxels)[0]
    values = read_tiff(path, ImageReading(), most_voxels).values
    if values.shape[2] != 1:
        raise FieldError(f"it has {values.shape[2]} pages; give a stack as a file of its own")
    return values[:, :, 0].T


def _picture(path: Path, most_voxels: int | None) -> tuple[np.ndarray, str]:
    """(ny, nx), and what was read."""
    from PIL import Image as Pillow

    with reading("picture"), Pillow.open(path) as picture:
        check_size(picture.size, most_voxels)
        note = f"{picture.format} of {picture.size[0]} x {picture.size[1]}"
        if picture.mode == "P":
            return np.asarray(picture), f"{note}, indices of its palette"
        if picture.mode in ("1", "L", "I", "F") or picture.mode.startswith("I;16"):
            return np.asarray(picture), note
        stored, told = _grey(np.asarray(picture.convert("RGB")))
        return stored, note + told


def _grey(colours: np.ndarray) -> tuple[np.ndarray, str]:
    """Grey values (...) of colours (..., 3), and what was done in words."""
    if (colours == colours[..., :1]).all():
        return colours[..., 0], ", three equal channels"
    grey = np.rint(colours @ _LUMINANCE).astype(colours.dtype)
    return grey, ", luminance of its colours"


def _without_ones(series: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Axes and shape without channels and times of which there is one."""
    kept = [(a, n) for a, n in zip(series.axes, series.shape, strict=True) if n > 1 or a in "YX"]
    return "".join(axis for axis, _ in kept), tuple(int(count) for _, count in kept)


def _check_pages(series: TiffPageSeries, size: int) -> None:
    """Raises FieldError unless the file holds every part of every page, which libraries fill with zeros."""
    for page in series.pages:
        if page is None:
            raise FieldError("damaged: a page is missing; write the file again")
        parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        if not parts or any(count <= 0 or offset + count > size for offset, count in parts):
            raise FieldError("damaged: the file is cut short; write it again")


def _spacing(file: TiffFile) -> tuple[float, float, float] | None:
    """Edges of a voxel as ImageJ and OME tell them."""
    page: Any = file.pages[0]
    if file.is_ome and file.ome_metadata:
        found = [re.search(rf'PhysicalSize{axis}="([^"]+)"', file.ome_metadata) for axis in "XYZ"]
        return _numbers([match and match[1] for match in found])
    if file.imagej_metadata:
        steps: list[Any] = []
        for name in ("XResolution", "YResolution"):
            tag = page.tags.get(name)
            ratio = tag.value if tag is not None else (0, 0)
            steps.append(ratio[1] / ratio[0] if isinstance(ratio, tuple) and ratio[0] else None)
        return _numbers([*steps, file.imagej_metadata.get("spacing")])
    return None


def _numbers(texts: list[Any]) -> tuple[float, float, float] | None:
    """Three numbers; the one along z may be missing where there is one slice. None where others are."""
    try:
        x, y = float(texts[0]), float(texts[1])
        return x, y, x if texts[2] is None else float(texts[2])
    except (TypeError, ValueError):
        return None


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs about a file, instead of on standard error."""
    found: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, handler = logging.getLogger("tifffile"), Collect(logging.WARNING)
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
