"""The library of runs as commands open it and find a run in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relaxdesign.result import DesignResult
    from relaxdesign.store import Store


@contextmanager
def open_library() -> Iterator[Store]:
    """The store that ``RELAXDESIGN_DB`` names. Raises ValueError where the database cannot be used."""
    from sqlalchemy.exc import SQLAlchemyError

    from relaxdesign.store import Store, StoreError

    try:
        yield Store()
    except StoreError as error:
        raise ValueError(str(error)) from error
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ValueError(f"the library cannot be used: {reason}; check the address in RELAXDESIGN_DB") from error


def find_run(store: Store, wanted: str) -> tuple[str, DesignResult]:
    """The id of the run with this id, or of the only one whose id begins so, and what it has come to.

    Raises ValueError if there is none, there are several, or it has no design yet.
    """
    from relaxdesign.export.stored import stored_result
    from relaxdesign.store import LIVE_STATES, UnknownRun

    try:
        record = store.run(wanted)
    except UnknownRun:
        matches = [record for record in store.list_runs(limit=100_000) if wanted and record.id.startswith(wanted)]
        if len(matches) != 1:
            found = f"{len(matches)} runs: " + ", ".join(r.id for r in matches[:5]) if matches else "no run"
            raise ValueError(f"{wanted!r} names {found}; list them with: relaxdesign runs") from None
        record = matches[0]
    if record.status in LIVE_STATES:
        raise ValueError(f"run {record.id} is {record.status}: export it when it has ended")
    result = stored_result(store, record.id)
    if not result.designs:
        raise ValueError(f"run {record.id} {record.status} before its first design: there is nothing to export")
    return record.id, result
