"""Files of strangers, read in a child process: whatever they hold, the server goes on.

The child has a limit on memory and time, sees the content under a name of ours in an empty folder, and answers with
plain arrays. It may crash; the user is then told so.

Limits come from the environment: ``RELAXDESIGN_UPLOAD_MB`` (20), ``RELAXDESIGN_UPLOAD_VOXELS`` (64³),
``RELAXDESIGN_UPLOAD_SECONDS`` (60) and ``RELAXDESIGN_UPLOAD_MEMORY_MB`` (2048). ``python -m relaxdesign.uploads`` is
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
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

import numpy as np

from relaxdesign.fields_io import FieldData, FieldError

KINDS = ("npz", "vti", "stl")


class UploadError(ValueError):
    """An upload that cannot be used; the text is for the user and names no path of the server."""


@dataclass(frozen=True)
class UploadLimits:
    """What is read at most. seconds and memory_mb are those of the child that reads."""

    megabytes: float = 20.0
    voxels: int = 64**3
    seconds: float = 60.0
    memory_mb: int = 2048

    @staticmethod
    def from_environment() -> UploadLimits:
        """The limits of this server. Raises ValueError for a variable that is no positive number."""
        names = {"megabytes": "MB", "voxels": "VOXELS", "seconds": "SECONDS", "memory_mb": "MEMORY_MB"}
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
    """How a surface becomes voxels, see `relaxdesign.voxelise.load_stl`."""

    grid: int = 32
    dim: int = 3
    edges: tuple[float, ...] | None = None
    periodic: bool = False


@dataclass(frozen=True, eq=False)
class Upload:
    """What a file held: the properties of its voxels, the labels of its two phases, or both."""

    data: FieldData | None
    phase: np.ndarray | None
    edge: float | None = None  # of a voxel of a surface, in the file's unit of length
    extent: str = ""  # the cell that was taken around a surface, in words
    warnings: tuple[str, ...] = ()  # what in the file could have been meant otherwise


def read_upload(name: str, content: bytes, stl: StlGrid | None = None, limits: UploadLimits | None = None) -> Upload:
    """Reads a ``.npz`` or ``.vti`` with ``E`` and ``nu`` or with ``phase``, or a closed ``.stl``.

    name: of the user's file; only its ending is used. stl: how a surface becomes voxels.
    Raises UploadError that says what is wrong with the file.
    """
    limits = limits or UploadLimits.from_environment()
    kind = PurePath(name).suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise UploadError(f"Files of this kind are not read; give {', '.join('.' + known for known in KINDS)}.")
    if len(content) > limits.megabytes * 2**20:
        raise UploadError(f"The file has {len(content) / 2**20:.1f} MB; at most {limits.megabytes:g} MB are read.")
    if not content:
        raise UploadError("The file is empty.")
    stl = stl or StlGrid()
    if kind == "stl" and stl.grid**stl.dim > limits.voxels:
        raise UploadError(f"{stl.grid}^{stl.dim} voxels were asked for; at most {limits.voxels} are computed.")
    with tempfile.TemporaryDirectory(prefix="relaxdesign-upload-") as folder:
        (Path(folder) / f"upload.{kind}").write_bytes(content)
        order = {"kind": kind, "voxels": limits.voxels, "memory_mb": limits.memory_mb, "seconds": limits.seconds}
        order |= {"stl": asdict(stl)}
        return _answer(folder, order, limits)


def _answer(folder: str, order: dict, limits: UploadLimits) -> Upload:
    """Runs the child in the folder and takes its arrays."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "relaxdesign.uploads", json.dumps(order)]
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
        raise UploadError(str(arrays["problem"]))
    edge = float(arrays.pop("edge")) if "edge" in arrays else None
    phase = arrays.pop("phase", None)
    extent, warnings = str(arrays.pop("extent", "")), tuple(map(str, arrays.pop("warnings", ())))
    if not arrays:
        return Upload(None, phase, edge, extent, warnings)
    return Upload(FieldData(**arrays, edge=edge), phase, warnings=warnings)


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
    from relaxdesign.fields_io import MissingArray, load_field, load_phase
    from relaxdesign.voxelise import load_stl

    path, most = f"upload.{order['kind']}", order["voxels"]
    if order["kind"] == "stl":
        cell = load_stl(path, **order["stl"])
        arrays = {"phase": cell.labels, "edge": np.array(cell.voxel), "extent": np.array(cell.extent)}
        return arrays | {"warnings": np.array(cell.warnings, dtype=str)}
    phase = load_phase(path, most_voxels=most)
    try:
        data = load_field(path, most_voxels=most)
    except MissingArray:
        if phase is None:
            raise
        return {"phase": phase}
    arrays = {"E": data.E, "nu": data.nu, "rho": data.rho, "k": data.k, "phase": phase}
    arrays["edge"] = None if data.edge is None else np.array(data.edge)
    return {name: array for name, array in arrays.items() if array is not None}


def main() -> None:
    """Read ``upload.*`` here and write its arrays, or what is wrong with it, to standard output."""
    order = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not end up in the answer
    _limit(order["memory_mb"], order["seconds"])
    try:
        arrays = _read(order)
    except FieldError as error:
        text = str(error).removeprefix(f"upload.{order['kind']}: ")
        arrays = {"problem": np.array(f"This file cannot be used: {text}.")}
    except MemoryError:
        arrays = {"problem": np.array("The file needs more memory than it may take; give a smaller one.")}
    np.savez(answers, **arrays)  # type: ignore[arg-type]  # names of arrays only
    answers.flush()


if __name__ == "__main__":
    main()
