"""Files of strangers, read in a child process: whatever they hold, the server goes on.

The child has a limit on memory and time, sees the content under a name of ours in an empty folder, and answers with
plain arrays. It may crash; the user is then told so.

Limits come from the environment: ``RELAXDESIGN_UPLOAD_MB`` (20), ``RELAXDESIGN_UPLOAD_VOXELS`` (64³),
``RELAXDESIGN_UPLOAD_IMAGE_VOXELS`` (256³, of an image before it is cropped or made coarser),
``RELAXDESIGN_UPLOAD_SECONDS`` (60) and ``RELAXDESIGN_UPLOAD_MEMORY_MB`` (2048). ``python -m relaxdesign.io.uploads`` is
the child.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any, NoReturn

import numpy as np

from relaxdesign.data import child_environment
from relaxdesign.io import images
from relaxdesign.io.fields import FieldError, LabelsUnclear, UnitsUnclear
from relaxdesign.io.images import ImageReading, read_image
from relaxdesign.io.labels import Labels
from relaxdesign.io.segmentation import Segmentation, StepDone, parse_steps, segment
from relaxdesign.io.units import Units
from relaxdesign.physics.voxel_fields import VoxelFields

KINDS = ("npz", "vti", "stl")
IMAGE_KINDS = tuple(kind.removeprefix(".") for kind in images.KINDS if kind not in images.DETACHED)
"""Files of images that hold their voxels themselves."""


class UploadError(ValueError):
    """An upload that cannot be used; the text is for the user and names no path of the server."""


class UnitAsked(UploadError):
    """A file whose numbers look as if in another unit: read again with the unit of ``quantity`` in its `FieldReading`.

    likely: the unit that the numbers fit; units: those that are known.
    """

    def __init__(self, text: str, quantity: str, likely: str, units: list[str]):
        super().__init__(text)
        self.quantity, self.likely, self.units = quantity, likely, units


class LabelsAsked(UploadError):
    """A file with several ``arrays``: read again with the one that holds the labels in its `FieldReading`."""

    def __init__(self, text: str, arrays: list[str]):
        super().__init__(text)
        self.arrays = arrays


@dataclass(frozen=True)
class UploadLimits:
    """What is read at most. seconds and memory_mb are those of the child that reads."""

    megabytes: float = 20.0
    voxels: int = 64**3
    seconds: float = 60.0
    memory_mb: int = 2048
    image_voxels: int = 256**3

    @staticmethod
    def from_environment() -> UploadLimits:
        """The limits of this server. Raises ValueError for a variable that is no positive number."""
        names = {"megabytes": "MB", "voxels": "VOXELS", "seconds": "SECONDS", "memory_mb": "MEMORY_MB"}
        names |= {"image_voxels": "IMAGE_VOXELS"}
        chosen = {}
        for name, suffix in names.items():
            if text := os.environ.get(f"RELAXDESIGN_UPLOAD_{suffix}", "").strip():
                kind = type(getattr(UploadLimits, name))
                try:
                    chosen[name] = kind(text)
                except ValueError:
                    chosen[name] = 0
                if not chosen[name] > 0:
                    raise ValueError(f"RELAXDESIGN_UPLOAD_{suffix} is {text!r}; it must be a positive number")
        return UploadLimits(**chosen)


@dataclass(frozen=True)
class StlGrid:
    """How a surface becomes voxels, see `relaxdesign.io.voxelise.load_stl`."""

    grid: int = 32
    dim: int = 3
    edges: tuple[float, ...] | None = None
    periodic: bool = False


@dataclass(frozen=True)
class FieldReading:
    """What a file of voxels does not tell by itself: its units, and which array holds labels (None: see there).

    See `relaxdesign.io.fields.load_field` and `relaxdesign.io.fields.load_labels`.
    """

    units: Units = field(default_factory=Units)
    labels: str | None = None


@dataclass(frozen=True)
class ImageUpload:
    """How an image becomes phases: what its file does not tell, and steps in the text that `parse_steps` reads."""

    reading: ImageReading = field(default_factory=ImageReading)
    steps: tuple[str, ...] = ()
    mirror: bool = False


@dataclass(frozen=True, eq=False)
class Upload:
    """What a file held: the properties of its voxels, labels, or both.

    extent: the cell that was taken around a surface, in words. warnings: what could have been meant otherwise.
    """

    data: VoxelFields | None
    labels: Labels | None
    extent: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def phase(self) -> np.ndarray | None:
        """Labels 0 and 1 as uint8 (nx, ny, nz), 1 in the second phase; None where there are others, or none."""
        if self.labels is None or not set(self.labels.shares) <= {0, 1}:
            return None
        return self.labels.values.astype(np.uint8)


def read_upload(
    name: str, content: bytes, how: StlGrid | FieldReading | None = None, limits: UploadLimits | None = None
) -> Upload:
    """Reads a ``.npz`` or ``.vti`` with ``E`` and ``nu`` or with labels, or a closed ``.stl``.

    name: of the user's file; only its ending is used. how: a surface becomes voxels, or arrays are read.
    Raises UploadError that says what is wrong with the file, UnitAsked or LabelsAsked for one that does not say enough.
    """
    limits = limits or UploadLimits.from_environment()
    kind = _kind(name, content, KINDS, limits)
    if how is None:
        how = StlGrid() if kind == "stl" else FieldReading()
    if isinstance(how, StlGrid) != (kind == "stl"):
        raise TypeError(f"a .{kind} file is not read with {type(how).__name__}")
    if isinstance(how, StlGrid) and how.grid**how.dim > limits.voxels:
        raise UploadError(f"{how.grid}^{how.dim} voxels were asked for; at most {limits.voxels} are computed.")
    arrays = _answer(kind, content, {"voxels": limits.voxels, "how": asdict(how)}, limits)
    edge = float(arrays.pop("edge")) if "edge" in arrays else None
    extent, warnings = str(arrays.pop("extent", "")), tuple(map(str, arrays.pop("warnings", ())))
    labels = None
    if "labels" in arrays:
        labels = Labels(str(arrays.pop("labels_name")), arrays.pop("labels"), edge)
    return Upload(VoxelFields(**arrays, edge=edge) if arrays else None, labels, extent, warnings)


def read_image_upload(
    name: str, content: bytes, how: ImageUpload | None = None, limits: UploadLimits | None = None
) -> Segmentation:
    """Reads an image of one of `IMAGE_KINDS` and finds the phases of its voxels.

    Arguments and errors as in `read_upload`. LabelsAsked for a file with several arrays.
    """
    limits, how = limits or UploadLimits.from_environment(), how or ImageUpload()
    kind = _kind(name, content, IMAGE_KINDS, limits)
    order = {"voxels": limits.image_voxels, "cell_voxels": limits.voxels, "image": asdict(how)}
    arrays = _answer(kind, content, order, limits)
    told = json.loads(str(arrays["told"]))
    steps = tuple(StepDone(done["step"], done["found"]) for done in told["steps"])
    labels = tuple(arrays["labels"].tolist())
    return Segmentation(labels, arrays["shares"], told["whole"], told["edge"], steps, told["note"])


def _kind(name: str, content: bytes, known: tuple[str, ...], limits: UploadLimits) -> str:
    """The ending of a file's name. Raises UploadError for other kinds, and for one that is empty or too large."""
    path = PurePath(name.lower())
    kind = "nii.gz" if path.name.endswith(".nii.gz") else path.suffix.removeprefix(".")
    if kind not in known:
        raise UploadError(f"Files of this kind are not read; give {', '.join('.' + each for each in known)}.")
    if len(content) > limits.megabytes * 2**20:
        raise UploadError(f"The file has {len(content) / 2**20:.1f} MB; at most {limits.megabytes:g} MB are read.")
    if not content:
        raise UploadError("The file is empty.")
    return kind


def _answer(kind: str, content: bytes, order: dict[str, Any], limits: UploadLimits) -> dict[str, np.ndarray]:
    """The arrays of the child, which runs in a folder with nothing but the file."""
    order |= {"kind": kind, "memory_mb": limits.memory_mb, "seconds": limits.seconds}
    with tempfile.TemporaryDirectory(prefix="relaxdesign-upload-") as folder:
        (Path(folder) / f"upload.{kind}").write_bytes(content)
        return _asked(folder, order, limits)


def _asked(folder: str, order: dict[str, Any], limits: UploadLimits) -> dict[str, np.ndarray]:
    """Runs the child in the folder and takes its arrays."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
    environment = child_environment() | dict.fromkeys(threads, "1")
    command = [sys.executable, "-m", "relaxdesign.io.uploads", json.dumps(order)]
    try:
        child = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=limits.seconds + 10)
    except subprocess.TimeoutExpired:
        raise UploadError(f"The file could not be read within {limits.seconds:g} s; give a simpler one.") from None
    try:
        with np.load(io.BytesIO(child.stdout), allow_pickle=False) as answer:
            arrays = {name: answer[name] for name in answer.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):
        raise UploadError(
            "The file could not be read: it is damaged, or it needs more memory than it may take."
        ) from None
    if "problem" in arrays:
        _raise(str(arrays["problem"]), json.loads(str(arrays["asks"])))
    return arrays


def _raise(text: str, asks: dict[str, Any]) -> NoReturn:
    """Raises what the child found: an error, or a question."""
    if "quantity" in asks:
        raise UnitAsked(text, **asks)
    if "arrays" in asks:
        raise LabelsAsked(text, **asks)
    raise UploadError(text)


# ---- In the child ----------------------------------------------------------------------------------


def _limit(memory_mb: int, seconds: float) -> None:
    """Limits of this process, where the system knows such."""
    with suppress(ImportError):
        import resource

        for kind, value in ((resource.RLIMIT_AS, memory_mb * 2**20), (resource.RLIMIT_CPU, int(seconds) + 1)):
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, value))


def _read(order: dict) -> dict[str, np.ndarray]:
    """The arrays of the upload in the current folder. Raises FieldError."""
    from relaxdesign.io.voxelise import load_stl

    path = f"upload.{order['kind']}"
    if "image" in order:
        return _read_image(path, order)
    how = order["how"]
    if order["kind"] == "stl":
        cell = load_stl(path, **how)
        labels = _labels_arrays(Labels("", cell.labels, cell.voxel))
        return labels | {"extent": np.asarray(cell.extent), "warnings": np.asarray(cell.warnings, dtype=str)}
    return _read_voxels(path, FieldReading(Units(**how["units"]), how["labels"]), order["voxels"])


def _read_image(path: str, order: dict) -> dict[str, np.ndarray]:
    """The phases of an image. Raises FieldError."""
    how = order["image"]
    image = read_image(path, ImageReading(**how["reading"]), most_voxels=order["voxels"])
    found = segment(image, parse_steps(how["steps"]), mirror=how["mirror"])
    if (voxels := int(np.prod(found.shape))) > order["cell_voxels"]:
        raise FieldError(
            f"{voxels} voxels are left; at most {order['cell_voxels']} are computed: add a step 'crop' or 'downsample'"
        )
    steps = [{"step": done.step, "found": done.found} for done in found.steps]
    told = {"whole": found.whole, "edge": found.edge, "note": found.note, "steps": steps}
    return {"labels": np.array(found.labels), "shares": found.shares, "told": np.array(json.dumps(told))}


def _read_voxels(path: str, reading: FieldReading, most_voxels: int) -> dict[str, np.ndarray]:
    """The properties of the voxels, with the labels for the eye; else the labels."""
    from relaxdesign.io.fields import DEFAULT_LABELS, MissingArray, load_field, load_labels

    if reading.labels is not None:
        return _labels_arrays(load_labels(path, reading.labels, most_voxels=most_voxels))
    try:
        data = load_field(path, units=reading.units, most_voxels=most_voxels)
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
    """Read ``upload.*`` here and write its arrays, or what is wrong with it, to standard output."""
    order = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not end up in the answer
    _limit(order["memory_mb"], order["seconds"])
    try:
        arrays = _read(order)
    except FieldError as error:
        text, asks = str(error).removeprefix(f"upload.{order['kind']}: "), _question(error)
        text = f"{text[0].upper()}{text[1:]}" if asks else f"This file cannot be used: {text}."
        arrays = {"problem": np.array(text), "asks": np.array(json.dumps(asks))}
    except MemoryError:
        text = "The file needs more memory than it may take; give a smaller one."
        arrays = {"problem": np.array(text), "asks": np.array("{}")}
    np.savez(answers, **arrays)  # type: ignore[arg-type]  # names of arrays only
    answers.flush()


if __name__ == "__main__":
    main()
