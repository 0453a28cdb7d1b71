"""Files of strangers, read in a child process: whatever they hold, the server goes on.

The child has a limit on memory and time, sees the content under a name of ours in an empty folder, and answers with
plain arrays. It may crash; the user is then told so.

Limits come from the environment: ``RELAXDESIGN_UPLOAD_MB`` (20), ``RELAXDESIGN_UPLOAD_VOXELS`` (64³),
``RELAXDESIGN_UPLOAD_SECONDS`` (60) and ``RELAXDESIGN_UPLOAD_MEMORY_MB`` (2048). Images are larger before they are
cropped or made coarser: ``RELAXDESIGN_UPLOAD_IMAGE_MB`` (100), ``RELAXDESIGN_UPLOAD_IMAGE_VOXELS`` (320³) and
``RELAXDESIGN_UPLOAD_IMAGE_SECONDS`` (300). The child is `relaxdesign.io.upload_child`.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, NoReturn

import numpy as np

from relaxdesign.data import child_environment
from relaxdesign.io import images
from relaxdesign.io.images import ImageReading
from relaxdesign.io.labels import Labels
from relaxdesign.io.previews import Preview, Slab
from relaxdesign.io.segmentation import Segmentation, StepDone
from relaxdesign.io.units import Units
from relaxdesign.physics.voxel_fields import VoxelFields

_SHARE = 4
"""Times as long as the processor time that a child may take, which it limits itself: others use the machine, too."""

KINDS = ("npz", "vti", "stl")
IMAGE_KINDS = (*(kind.removeprefix(".") for kind in images.KINDS if kind not in images.DETACHED), "zip")
"""Files of images that hold their voxels themselves; a .zip is one of a folder of slices."""


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
    """What is read at most. seconds (of a processor) and memory_mb are those of the child that reads."""

    megabytes: float = 20.0
    voxels: int = 64**3
    seconds: float = 60.0
    memory_mb: int = 2048
    image_voxels: int = 320**3
    image_megabytes: float = 100.0
    image_seconds: float = 300.0

    @staticmethod
    def from_environment() -> UploadLimits:
        """The limits of this server. Raises ValueError for a variable that is no positive number."""
        names = {"megabytes": "MB", "voxels": "VOXELS", "seconds": "SECONDS", "memory_mb": "MEMORY_MB"}
        names |= {f"image_{name}": f"IMAGE_{names[name]}" for name in ("voxels", "megabytes", "seconds")}
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

    @property
    def of_image(self) -> UploadLimits:
        """Those of the child that reads an image."""
        return replace(self, megabytes=self.image_megabytes, seconds=self.image_seconds)


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
    limits, how = (limits or UploadLimits.from_environment()).of_image, how or ImageUpload()
    kind = _kind(name, content, IMAGE_KINDS, limits)
    order = {"voxels": limits.image_voxels, "cell_voxels": limits.voxels, "image": asdict(how)}
    arrays = _answer(kind, content, order, limits)
    told = json.loads(str(arrays["told"]))
    steps = tuple(StepDone(done["step"], done["found"]) for done in told["steps"])
    labels = tuple(arrays["labels"].tolist())
    return Segmentation(labels, arrays["shares"], told["whole"], told["edge"], steps, told["note"])


def read_slab(
    name: str, content: bytes, reading: ImageReading, index: int | None = None, limits: UploadLimits | None = None
) -> Slab:
    """The slices of an image around one of them, for previews; index: of the slice, None: the middle one.

    Errors as in `read_image_upload`.
    """
    limits = (limits or UploadLimits.from_environment()).of_image
    order = {"voxels": limits.image_voxels, "image": {"reading": asdict(reading)}, "slice": index}
    return Slab.of(_answer(_kind(name, content, IMAGE_KINDS, limits), content, order, limits))


def preview_steps(slab: Slab, steps: Sequence[str], limits: UploadLimits | None = None) -> Preview:
    """What steps make of a slab; what a step cannot do is told in the preview. Raises UploadError for too much work."""
    buffer = io.BytesIO()
    np.savez(buffer, **slab.arrays())  # type: ignore[arg-type]  # names of arrays only
    limits = limits or UploadLimits.from_environment()
    return Preview.of(_answer("npz", buffer.getvalue(), {"steps": list(steps)}, limits))


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
    command = [sys.executable, "-m", "relaxdesign.io.upload_child", json.dumps(order)]
    try:
        child = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=_SHARE * limits.seconds
        )
    except subprocess.TimeoutExpired:
        raise UploadError(
            f"The file could not be read within {_SHARE * limits.seconds:g} s; give a simpler one, or try again when "
            "the machine is less busy."
        ) from None
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
