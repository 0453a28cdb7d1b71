"""Bulk evaluation: effective properties of all fields in a folder, as one table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relaxdesign.campaign.engine import run_tasks, workers
from relaxdesign.files import append_whole, write_whole
from relaxdesign.io.units import Units

if TYPE_CHECKING:
    from relaxdesign.materials.catalogue import Material
    from relaxdesign.physics.voxel_fields import VoxelFields

SUFFIXES = (".npz", ".vti")
TABLES = (".parquet", ".csv")


@dataclass(frozen=True)
class FieldTask:
    """A field to be evaluated. stamp: time and size of the file, to notice a change. Rest: see `evaluate_folder`."""

    file: str
    stamp: str
    folder: str
    boundary: str
    tol: float
    units: Units
    labels: str | None
    phases: tuple[tuple[int, Material], ...]

    @property
    def reading(self) -> str:
        """A short digest of how the file is read."""
        return hashlib.sha256(repr((self.units, self.labels, self.phases)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class FolderProgress:
    """How far the evaluation of a folder is; failed: files without a result. last: the row that came."""

    total: int
    done: int = 0
    failed: int = 0
    last: dict[str, Any] | None = None


def evaluate_folder(
    folder: str | Path,
    out: str | Path,
    *,
    boundary: str = "periodic",
    tol: float = 1e-8,
    units: Units | None = None,
    labels: str | None = None,
    phases: Mapping[int, Material] | None = None,
    scheduler: str | None = None,
    count: int | None = None,
    cancel: Callable[[], bool] = lambda: False,
) -> Iterator[FolderProgress]:
    """Evaluates every .npz and .vti file below a folder; yields at least once a second and writes the table at the end.

    out: ``.parquet`` or ``.csv``, one row per file: K, G, E, nu, …, C11 … C66 (GPa), bounds, conductivity and
    expansion where known, iterations, residual, seconds, warnings, or the error. Rows are kept in ``OUT.partial`` as
    they come, so that an evaluation that was stopped goes on. scheduler, count: see `relaxdesign.campaign.workers`.

    units: of the files, see `relaxdesign.io.units.Units`. phases: a material for each label of the files, which then
    hold labels in the array ``labels`` (None: see `relaxdesign.io.fields.load_labels`); rows have their volume
    fractions.

    Raises ValueError for a folder without fields and for another kind of table.
    """
    folder, out = Path(folder).absolute(), Path(out).absolute()
    if out.suffix not in TABLES:
        raise ValueError(f"{out.name}: write the table to a .parquet or a .csv file")
    if not out.parent.is_dir():
        raise ValueError(f"{out}: there is no folder {out.parent}")
    if not folder.is_dir():
        raise ValueError(f"{folder}: this is not a folder")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise ValueError(f"{folder}: holds no .npz or .vti file")
    read = (units or Units(), labels, tuple((phases or {}).items()))
    tasks = [FieldTask(str(f.relative_to(folder)), _stamp(f), str(folder), boundary, tol, *read) for f in files]
    partial = out.with_name(f"{out.name}.partial")
    rows = _earlier(partial, tasks)
    missing = [task for task in tasks if task.file not in rows]
    progress = FolderProgress(len(tasks), len(rows), sum(bool(row["error"]) for row in rows.values()))
    yield progress
    if missing:
        with workers(scheduler, count) as client, partial.open("ab", buffering=0) as journal:
            for ended in run_tasks(client, evaluate_file, missing, cancel=cancel):
                if ended is not None:
                    row = _row(*ended)
                    rows[row["file"]] = row
                    append_whole(journal, json.dumps(row).encode() + b"\n")
                    failed = progress.failed + bool(row["error"])
                    progress = replace(progress, done=progress.done + 1, failed=failed, last=row)
                yield replace(progress, last=None) if ended is None else progress
    if len(rows) == len(tasks):
        _write(out, [rows[task.file] for task in tasks])
        partial.unlink(missing_ok=True)


def evaluate_file(task: FieldTask) -> dict[str, Any]:
    """One row of the table; what is wrong with a file becomes its error. Runs on a worker."""
    from relaxdesign.io.fields import UnitsUnclear
    from relaxdesign.physics.effective_properties import evaluate
    from relaxdesign.physics.fem import ConvergenceError

    try:
        data, shares = _read(task)
        found = evaluate(data, boundary=task.boundary, tol=task.tol).to_dict()
    except (ValueError, ConvergenceError) as error:
        text = error.advice if isinstance(error, UnitsUnclear) else str(error)
        return _about(task) | {"error": text.removeprefix(f"{task.folder}/")}
    warnings = "; ".join(found.pop("warnings"))
    return _about(task) | {"error": "", "warnings": warnings} | shares | _flat(found)


def _read(task: FieldTask) -> tuple[VoxelFields, dict[str, float]]:
    """The field of a file and the volume fractions of its labels. Raises ValueError."""
    from relaxdesign.io.fields import labelled_field, load_field, load_labels

    path, materials = Path(task.folder) / task.file, dict(task.phases)
    if not materials:
        return load_field(path, units=task.units), {}
    labels = load_labels(path, task.labels)
    try:
        data = labelled_field(labels, materials)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return data, {f"volume_fraction_{label}": labels.shares.get(label, 0.0) for label in materials}


def _about(task: FieldTask) -> dict[str, Any]:
    about = {"file": task.file, "stamp": task.stamp, "boundary": task.boundary, "tol": task.tol}
    return about | {"reading": task.reading}


def _row(task: FieldTask, result: dict[str, Any] | BaseException) -> dict[str, Any]:
    if isinstance(result, BaseException):
        return _about(task) | {"error": f"{type(result).__name__}: {result}"}
    return result


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, float | str]:
    """Nested names joined by an underscore; of tensors the upper triangle: C11 … C66."""
    row: dict[str, float | str] = {}
    for name, value in values.items():
        if value is None or name == "boundary":
            continue
        if isinstance(value, dict):
            row |= _flat(value, f"{prefix}{name}_")
        elif isinstance(value, list) and isinstance(value[0], list):
            size = range(len(value))
            row |= {f"{prefix}{name}{i + 1}{j + 1}": value[i][j] for i in size for j in size if i <= j}
        elif isinstance(value, list):
            row |= {f"{prefix}{name}_{axis}": number for axis, number in zip("xyz", value, strict=True)}
        else:
            row[f"{prefix}{name}"] = value
    return row


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_mtime_ns}-{status.st_size}"


def _earlier(partial: Path, tasks: list[FieldTask]) -> dict[str, dict[str, Any]]:
    """Rows of an evaluation that was stopped, of files and settings that are still the same."""
    rows: dict[str, dict[str, Any]] = {}
    wanted = {task.file: _about(task) for task in tasks}
    if partial.exists():
        for line in partial.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:  # the last line of a killed process
                continue
            about = wanted.get(row["file"])
            if about is not None and about.items() <= row.items():
                rows[row["file"]] = row
    return rows


def _write(out: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    table = pd.DataFrame(rows).drop(columns=["stamp", "tol", "reading"])
    if out.suffix == ".parquet":
        write_whole(out, table.to_parquet(index=False))
    else:
        from relaxdesign.export.tables import records_csv

        write_whole(out, records_csv(table.to_dict("records")).encode())
