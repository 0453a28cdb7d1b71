"""The denoising of a run, kept compactly: what the live page shows, and what its replay shows again.

A clean estimate is kept as one byte per voxel: the logarithm of Young's modulus between the field's own extremes,
so that the faint structures of early steps are not lost in a wide scale. Frames are appended to a file beside the
database, each readable by itself; a killed server loses none that was written.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy.engine import URL

from relaxdesign.files import append_whole, named
from relaxdesign.study.events import StepEvent

LARGEST_CODE = 255
# Moduli below are drawn as this, GPa: the logarithm needs an end.
SMALLEST_YOUNG = 1e-4
# Voxel bytes that a replay may hold before compression; beyond it, every second, third, … step is kept.
SIZE_LIMIT = 64 * 2**20

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, eq=False)
class Frame:
    """The clean estimates of all candidates after one of ``steps`` steps.

    codes: uint8 (count, nx, ny, nz); 0 and 255 stand for ``low`` and ``high`` (count,), GPa, those between are
    logarithmic. bulk: (count,) effective bulk modulus, GPa. NaN: the candidate was dropped, or not evaluated.
    """

    step: int
    steps: int
    noise_level: float
    codes: np.ndarray = field(repr=False)
    low: np.ndarray
    high: np.ndarray
    bulk: np.ndarray

    @staticmethod
    def of(event: StepEvent) -> Frame:
        """The fields of a step, encoded."""
        axes = (1, 2, 3)
        young = np.maximum(event.young, SMALLEST_YOUNG)  # keeps NaN
        low, high = young.min(axes), young.max(axes)
        span = np.log(np.maximum(high / low, 1 + 1e-6))
        scaled = np.log(young / low[:, None, None, None]) / span[:, None, None, None]
        codes = np.round(LARGEST_CODE * np.nan_to_num(scaled)).astype(np.uint8)
        bulk = np.where(event.bulk > 0, event.bulk, np.nan)
        numbers = (v.astype(np.float32) for v in (low, high, bulk))
        return Frame(event.step, event.steps, float(event.noise_level), codes, *numbers)

    @property
    def young(self) -> np.ndarray:
        """Young's moduli (count, nx, ny, nz), GPa, to within half a code."""
        return np.stack([self.young_of(index) for index in range(len(self.codes))])

    def young_of(self, index: int) -> np.ndarray:
        """Young's moduli (nx, ny, nz) of one candidate, GPa, to within half a code."""
        low, high = float(self.low[index]), float(self.high[index])
        return low * (high / low) ** (self.codes[index] / LARGEST_CODE)


class Recorder:
    """Writes the frames of one run. limit: see SIZE_LIMIT."""

    def __init__(self, path: Path, limit: int = SIZE_LIMIT):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)  # nothing is left to be written when it is closed
        except OSError as error:
            raise named(error, path) from error
        self._limit = limit

    def add(self, frame: Frame) -> None:
        """Appends a frame unless it has to make way: the first and the last always stay.

        Raises NoSpace for a full disk, OSError otherwise; the file ends with a whole frame then, too.
        """
        stride = math.ceil(frame.codes.nbytes * frame.steps / self._limit)
        if frame.step % stride and frame.step not in (1, frame.steps):
            return
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            position=np.array([frame.step, frame.steps, frame.noise_level]),
            codes=frame.codes,
            low=frame.low,
            high=frame.high,
            bulk=frame.bulk,
        )
        append_whole(self._file, _LENGTH.pack(buffer.tell()) + buffer.getvalue())

    def close(self) -> None:
        self._file.close()


class Replay:
    """The frames of a file, read one at a time. A last frame that was not written to its end is left out.

    written: when the file was last changed, ns.
    """

    def __init__(self, path: Path):
        self._path = path
        self._places: list[tuple[int, int]] = []
        end, self.written = path.stat().st_size, path.stat().st_mtime_ns
        with path.open("rb") as file:
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                start, length = file.tell(), _LENGTH.unpack(head)[0]
                if start + length > end:
                    break
                self._places.append((start, length))
                file.seek(length, os.SEEK_CUR)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Frame:
        start, length = self._places[index]
        with self._path.open("rb") as file:
            file.seek(start)
            content = file.read(length)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            step, steps, noise_level = arrays["position"]
            return Frame(
                int(step), int(steps), float(noise_level), *(arrays[name] for name in ("codes", "low", "high", "bulk"))
            )

    def latest(self, count: int) -> tuple[Frame, ...]:
        """The last frames, at most ``count``."""
        return tuple(self[index] for index in range(max(0, len(self) - count), len(self)))


class Replays:
    """The folder of all replays of a library, one file per run."""

    def __init__(self, folder: Path):
        self.folder = folder

    @staticmethod
    def beside(database: URL) -> Replays:
        """Next to an SQLite file, else in the user's data directory; ``RELAXDESIGN_REPLAYS`` names another place."""
        if configured := os.environ.get("RELAXDESIGN_REPLAYS", "").strip():
            return Replays(Path(configured).expanduser())
        if database.get_backend_name() == "sqlite" and database.database not in (None, "", ":memory:"):
            file = Path(database.database).expanduser()
            return Replays(file.with_name(f"{file.name}-replays"))
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        return Replays(data / "relaxdesign" / "replays")

    def record(self, run_id: str) -> Recorder:
        """Starts the replay of a run; an earlier one is replaced."""
        return Recorder(self._path(run_id))

    def open(self, run_id: str) -> Replay | None:
        """The replay of a run; None when it has none."""
        path = self._path(run_id)
        replay = Replay(path) if path.is_file() else None
        return replay if replay else None

    def prune(self, known: Callable[[str], bool]) -> int:
        """Removes the replays of runs that are gone; returns how many."""
        gone = [path for path in self.folder.glob("*.frames") if not known(path.stem)]
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone)

    def _path(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.frames"
