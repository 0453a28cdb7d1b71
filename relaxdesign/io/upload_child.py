"""The child process in which uploads are read: ``python -m relaxdesign.io.upload_child``, see `uploads`.

It imports no torch, so that it starts quickly and its memory is the file's.
"""

from __future__ import annotations

import json
import os
import re
import sys
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from relaxdesign.io.fields import FieldError, LabelsUnclear, UnitsUnclear
from relaxdesign.io.images import ImageReading, read_image
from relaxdesign.io.images.base import Image
from relaxdesign.io.images.stacks import SLICES
from relaxdesign.io.labels import Labels
from relaxdesign.io.previews import Slab, preview, slab_of
from relaxdesign.io.segmentation import parse_steps, segment
from relaxdesign.io.units import Units

MOST_SLICES = 4096
"""Of a zipped folder."""

_PER_VOXEL = 8  # bytes of a slice at most, unpacked


def _limit(memory_mb: int, seconds: float) -> None:
    """Limits of this process, where the system knows such."""
    with suppress(ImportError):
        import resource

        for kind, value in ((resource.RLIMIT_AS, memory_mb * 2**20), (resource.RLIMIT_CPU, int(seconds) + 1)):
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, value))


def _read(order: dict) -> dict[str, np.ndarray]:
    """The arrays of the upload in the current folder. Raises FieldError."""
    path = f"upload.{order['kind']}"
    if "steps" in order:
        with np.load(path, allow_pickle=False) as arrays:
            return preview(Slab.of(dict(arrays)), order["steps"]).arrays()
    if "image" in order:
        return _read_image(path, order)
    how = order["how"]
    if order["kind"] == "stl":
        from relaxdesign.io.voxelise import load_stl

        cell = load_stl(path, **how)
        labels = _labels_arrays(Labels("", cell.labels, cell.voxel))
        return labels | {"extent": np.asarray(cell.extent), "warnings": np.asarray(cell.warnings, dtype=str)}
    return _read_voxels(path, Units(**how["units"]), how["labels"], order["voxels"])


def _read_image(path: str, order: dict) -> dict[str, np.ndarray]:
    """The phases of an image. Raises FieldError."""
    how = order["image"]
    image = _image(path, ImageReading(**how["reading"]), order["voxels"])
    if "slice" in order:
        return slab_of(image, order["slice"]).arrays()
    found = segment(image, parse_steps(how["steps"]), mirror=how["mirror"])
    if (voxels := int(np.prod(found.shape))) > order["cell_voxels"]:
        raise FieldError(
            f"{voxels} voxels are left; at most {order['cell_voxels']} are computed: add a step 'crop' or 'downsample'"
        )
    steps = [{"step": done.step, "found": done.found} for done in found.steps]
    told = {"whole": found.whole, "edge": found.edge, "note": found.note, "steps": steps}
    return {"labels": np.array(found.labels), "shares": found.shares, "told": np.array(json.dumps(told))}


def _image(path: str, reading: ImageReading, most_voxels: int) -> Image:
    """The image of a file, or of the slices in a ``.zip``. Raises FieldError."""
    if not path.endswith(".zip"):
        return read_image(path, reading, most_voxels=most_voxels)
    _unpack(path, most_voxels)
    return read_image("slices", reading, most_voxels=most_voxels)


def _unpack(path: str, most_voxels: int) -> None:
    """Writes the slices of a zipped folder into ``slices``. Raises FieldError for more than one folder, or too much."""
    try:
        with zipfile.ZipFile(path) as packed:
            names = [entry for entry in packed.infolist() if _is_slice(entry.filename) and not entry.is_dir()]
            if len({PurePosixPath(entry.filename).parent for entry in names}) > 1:
                raise FieldError("it holds slices in several folders; zip one folder")
            if not 0 < len(names) <= MOST_SLICES:
                raise FieldError(f"it holds {len(names)} slices ({', '.join(SLICES)}); expected are 1 to {MOST_SLICES}")
            if sum(entry.file_size for entry in names) > _PER_VOXEL * most_voxels + 2**20:
                raise FieldError(f"it unpacks to more than an image of {most_voxels} voxels needs; give fewer slices")
            Path("slices").mkdir()
            for entry in names:
                name = re.sub(r"[^\w.\-]", "_", PurePosixPath(entry.filename).name, flags=re.ASCII)
                with packed.open(entry) as stream:
                    content = stream.read(entry.file_size + 1)
                if len(content) != entry.file_size:
                    raise FieldError(f"damaged: {name} is not as long as it tells; zip the folder again")
                (Path("slices") / name).write_bytes(content)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        raise FieldError(
            f"no .zip file that can be unpacked ({error}); zip the folder again without a password"
        ) from None


def _is_slice(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SLICES and not path.name.startswith(".") and "__MACOSX" not in path.parts


def _read_voxels(path: str, units: Units, labels: str | None, most_voxels: int) -> dict[str, np.ndarray]:
    """The properties of the voxels, with the labels for the eye; else the labels."""
    from relaxdesign.io.fields import DEFAULT_LABELS, MissingArray, load_field, load_labels

    if labels is not None:
        return _labels_arrays(load_labels(path, labels, most_voxels=most_voxels))
    try:
        data = load_field(path, units=units, most_voxels=most_voxels)
    except MissingArray as no_field:
        try:
            return _labels_arrays(load_labels(path, most_voxels=most_voxels))
        except LabelsUnclear as unclear:
            if {"E", "nu"} & set(unclear.arrays):
                raise no_field from None
            raise
        except MissingArray:
            raise no_field from None
    arrays = {name: value for name, value in vars(data).items() if value is not None}
    with suppress(MissingArray):
        arrays |= _labels_arrays(load_labels(path, DEFAULT_LABELS, most_voxels=most_voxels))
    return {name: np.asarray(value) for name, value in arrays.items()}


def _labels_arrays(labels: Labels) -> dict[str, np.ndarray]:
    arrays = {"labels": labels.values, "labels_name": np.asarray(labels.array)}
    return arrays if labels.edge is None else arrays | {"edge": np.asarray(labels.edge)}


def _question(error: FieldError) -> dict[str, Any]:
    """What the user can answer so that the file is read; empty for a file that cannot be used."""
    if isinstance(error, UnitsUnclear):
        return {"quantity": error.quantity, "likely": error.likely, "units": error.units}
    return {"arrays": error.arrays} if isinstance(error, LabelsUnclear) else {}


def main() -> None:
    """Reads ``upload.*`` here and writes its arrays, or what is wrong with it, to standard output."""
    order = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not end up in the answer
    _limit(order["memory_mb"], order["seconds"])
    try:
        arrays = _read(order)
    except FieldError as error:
        text, asks = re.sub(r"^(upload\.[\w.]+|slices): ", "", str(error)), _question(error)
        text = f"{text[0].upper()}{text[1:]}" if asks else f"This file cannot be used: {text}."
        arrays = {"problem": np.array(text), "asks": np.array(json.dumps(asks))}
    except MemoryError:
        text = "The file needs more memory than it may take; give a smaller one."
        arrays = {"problem": np.array(text), "asks": np.array("{}")}
    np.savez(answers, **arrays)  # type: ignore[arg-type]  # names of arrays only
    answers.flush()


if __name__ == "__main__":
    main()
