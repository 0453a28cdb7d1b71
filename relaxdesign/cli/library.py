"""The library of runs as commands open it and find a run in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relaxdesign.library import RunRecord, Store
    from relaxdesign.study.result import DesignResult


class LibraryError(ValueError):
    """The library cannot be used, or not for what was asked; the text says why."""


@contextmanager
def library_errors() -> Iterator[None]:
    """Turns what goes wrong in the database into a LibraryError."""
    from sqlalchemy.exc import SQLAlchemyError

    from relaxdesign.library import LostRun, StoreError, UnknownRun

    try:
        yield
    except (StoreError, UnknownRun, LostRun) as error:
        raise LibraryError(str(error)) from error
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        remedy = "check the address in RELAXDESIGN_DB"
        if "disk is full" in reason:
            remedy = "make room on its disk, or name another database in RELAXDESIGN_DB"
        raise LibraryError(f"the library cannot be used: {reason}; {remedy}") from error


@contextmanager
def open_library() -> Iterator[Store]:
    """The store that ``RELAXDESIGN_DB`` names, runs of killed programs marked. Raises LibraryError."""
    with library_errors():
        from relaxdesign.library import Store

        store = Store()
        store.interrupt_orphans()
        yield store


def find_run(store: Store, wanted: str, *, deleted: bool = False) -> RunRecord:
    """The run with this id, or the only one whose id begins so. deleted: look in the bin.

    Raises LibraryError if there is none, or there are several.
    """
    from relaxdesign.library import RunSearch, UnknownRun

    try:
        record = store.run(wanted)
        matches = [record] if (record.deleted is not None) == deleted else []
    except UnknownRun:
        records = store.list_runs(limit=100_000, search=RunSearch(deleted=deleted))
        matches = [record for record in records if wanted and record.id.startswith(wanted)]
    if len(matches) != 1:
        found = f"{len(matches)} runs: " + ", ".join(r.id for r in matches[:5]) if matches else "no run"
        place, option = (" in the bin", " --bin") if deleted else ("", "")
        raise LibraryError(f"{wanted!r} names {found}{place}; list them with: relaxdesign runs{option}")
    return matches[0]


def find_result(store: Store, wanted: str) -> tuple[str, DesignResult]:
    """The id of the run that `find_run` finds, and what it has come to. Raises LibraryError if it has no design yet."""
    from relaxdesign.library import LIVE_STATES
    from relaxdesign.library.stored import stored_result

    record = find_run(store, wanted)
    if record.status in LIVE_STATES:
        raise LibraryError(f"run {record.id} is {record.status}: export it when it has ended")
    result = stored_result(store, record.id)
    if not result.designs:
        raise LibraryError(f"run {record.id} {record.status} before its first design: there is nothing to export")
    return record.id, result
