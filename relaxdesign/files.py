"""Files that appear under their names when they are whole, and disks that are full told with file and remedy."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

TO_GO_ON = 0.25
"""Of the space that a run needs to begin, the share below which one that is computed ends while it can be stored."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


class NoSpace(OSError):
    """A disk is full, or nearly; the text names the file or folder and says what to do."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def write_whole(path: str | Path, content: bytes) -> None:
    """Writes a file aside, then renames it: at any moment there is the earlier file or the new one, never half of one.

    Raises NoSpace for a full disk, OSError with the file's name for all else; nothing is left behind then.
    """
    place = Path(os.path.realpath(path))  # a link stays one
    partial = place.with_name(f".{place.name}.{secrets.token_hex(4)}.partial")
    try:
        if place.exists() and not place.is_file():
            place.write_bytes(content)  # a pipe or a device: it has to stay what it is
            return
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, place)
    except OSError as error:
        raise named(error, path) from error
    finally:
        partial.unlink(missing_ok=True)


def append_whole(file: FileIO, content: bytes) -> None:
    """Appends to a file that was opened without a buffer; one that cannot take it stays as it was.

    Raises NoSpace for a full disk, OSError with the file's name for all else.
    """
    end, rest = file.tell(), memoryview(content)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        file.seek(end)
        file.truncate()
        raise named(error, str(file.name)) from error


def named(error: OSError, path: str | Path) -> OSError:
    """The error with the name of the file that was meant; NoSpace for a full disk."""
    if error.errno in _FULL:
        free = _free_mb(Path(path))
        left = "" if free is None else f" ({free:.1f} MB free)"
        text = f"No space left on this disk{left}: make room there, or write to another one"
        return NoSpace(errno.ENOSPC, text, str(path))
    return OSError(error.errno, error.strerror, str(path))


def check_space(folders: Iterable[Path], remedy: str, share: float = 1.0) -> None:
    """Raises NoSpace if the disk of one of the folders has less free than ``RELAXDESIGN_FREE_MB`` times a share.

    remedy: what else can be done than making room. share: 1 before a run, `TO_GO_ON` while it is computed.
    """
    needed = least_free_mb() * share
    for folder in folders:
        free = _free_mb(folder)
        if free is not None and free < needed:
            what = "a run needs" if share == 1.0 else "a run that is computed needs"
            text = f"{free:.1f} MB are free on this disk, {what} {needed:g} (RELAXDESIGN_FREE_MB): make room there"
            raise NoSpace(errno.ENOSPC, f"{text}, or {remedy}", str(folder))


def least_free_mb() -> float:
    """Free space with which a run begins: ``RELAXDESIGN_FREE_MB``, 100. Raises ValueError for what is no number."""
    text = os.environ.get("RELAXDESIGN_FREE_MB", "").strip() or "100"
    if not text.isdecimal():
        raise ValueError(f"RELAXDESIGN_FREE_MB is {text!r}; it must be a whole number")
    return float(text)


def _free_mb(path: Path) -> float | None:
    """Free space where a path lies or would lie; None where the system does not say."""
    path = path.absolute()
    for folder in (path, *path.parents):
        try:
            usage = shutil.disk_usage(folder)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return usage.free / 2**20 if usage.total else None
    return None
