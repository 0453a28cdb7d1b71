"""Rows of one transaction: how runs, designs and results are written, and read as records."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, tuple_
from sqlalchemy.orm import Session

from relaxdesign.library.records import (
    DesignRecord,
    RunRecord,
    UnknownRun,
    default_name,
    design_numbers,
    json_safe,
    pack_arrays,
)
from relaxdesign.library.schema import DesignDataRow, DesignRow, PhaseRow, RunRow, TagRow
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult

_ELSEWHERE = {"request", "designs", "status", "seconds"}
"""Fields of a DesignResult that have columns of their own; the others are its provenance."""

_TOKEN = secrets.token_hex(4)


def new_run(
    request: DesignRequest,
    name: str = "",
    owner: str = "",
    heartbeat: Any = None,
    *,
    author: str = "",
    private: bool = False,
) -> RunRow:
    """A queued run, not stored yet. heartbeat: the first sign of life of its owner. author: who asks for it."""
    return RunRow(
        id=secrets.token_hex(6),
        name=name or default_name(request),
        created=now(),
        status="queued",
        owner=owner,
        heartbeat=heartbeat,
        author=author,
        private=private,
        request=request.model_dump(mode="json"),
        target_bulk=request.target_bulk,
    )


def this_process() -> str:
    """The owner of what this process computes, ``host:pid:token``; two containers may share both host and pid."""
    return f"{socket.gethostname()}:{os.getpid()}:{_TOKEN}"


def require_run(session: Session, run_id: str, *, lock: bool = False) -> RunRow:
    """lock: nobody else changes it before the end of the transaction. Raises UnknownRun."""
    row = session.get(RunRow, run_id, with_for_update=lock or None)
    if row is None:
        raise UnknownRun(unknown(run_id))
    return row


def unknown(run_id: str) -> str:
    return f"there is no run {run_id[:40]!r} in this library: it may have been deleted"


def lost(run_id: str) -> str:
    return f"run {run_id} is no longer computed here: it was stopped, or another process took it over"


def write_designs(session: Session, run: RunRow, designs: Iterable[Design]) -> None:
    """Stores designs, replacing those with the same index, and brings the run's summary up to date."""
    for design in designs:
        session.merge(DesignRow(run_id=run.id, index=design.index, **design_numbers(design)))
        session.flush()  # the row before what belongs to it
        session.execute(delete(PhaseRow).where(PhaseRow.run_id == run.id, PhaseRow.index == design.index))
        if phases := phase_values(run.id, design):
            session.execute(insert(PhaseRow), phases)
        data = {"design": json_safe(design.to_dict()), "arrays": pack_arrays(design)}
        session.merge(DesignDataRow(run_id=run.id, index=design.index, **data))
    summary = select(func.count(), func.min(func.abs(DesignRow.error)))
    row = session.execute(summary.where(DesignRow.run_id == run.id, DesignRow.ok)).one()
    run.design_count, run.best_error = row


def phase_values(run_id: str, design: Design) -> list[dict[str, Any]]:
    """The rows of a design's phases."""
    key = {"run_id": run_id, "index": design.index}
    return [key | {"phase": phase, "material": made.name} for phase, made in enumerate(design.materials)]


def write_outcome(run: RunRow, result: DesignResult) -> None:
    """How the run ended and what made it."""
    run.status, run.seconds = result.status, result.seconds
    own = {field.name: getattr(result, field.name) for field in fields(result) if field.name not in _ELSEWHERE}
    run.provenance = own | {"started": result.started.isoformat()}


def read_result(run: RunRow, designs: Sequence[Design]) -> DesignResult | None:
    """The result that ``write_outcome`` stored; None for a run that did not come to its end."""
    if run.provenance is None:
        return None
    own: dict[str, Any] = run.provenance | {"started": datetime.fromisoformat(run.provenance["started"])}
    return DesignResult(
        request=DesignRequest.model_validate(run.request),
        designs=tuple(designs),
        status=run.status,
        seconds=run.seconds or 0.0,
        **own,
    )


def tags_of(session: Session, run_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Tags by run, in alphabetical order."""
    tags: dict[str, tuple[str, ...]] = {}
    statement = select(TagRow.run_id, TagRow.tag).where(TagRow.run_id.in_(run_ids)).order_by(TagRow.tag)
    for run_id, tag in session.execute(statement):
        tags[run_id] = (*tags.get(run_id, ()), tag)
    return tags


def run_record(row: Any, tags: tuple[str, ...]) -> RunRecord:
    """From a row with the columns of a RunRecord."""
    values = {field.name: getattr(row, field.name) for field in fields(RunRecord) if field.name != "tags"}
    values["request"] = DesignRequest.model_validate(values["request"])
    values |= {name: utc(values[name]) for name in ("created", "deleted")}
    return RunRecord(**values, tags=tags)


def design_records(session: Session, found: Sequence[Any]) -> list[DesignRecord]:
    """From rows with DESIGN_COLUMNS."""
    materials: dict[tuple[str, int], tuple[str, ...]] = {}
    of_found = tuple_(PhaseRow.run_id, PhaseRow.index).in_([(row.run_id, row.index) for row in found])
    for phase in session.scalars(select(PhaseRow).where(of_found).order_by(PhaseRow.phase)):
        key = (phase.run_id, phase.index)
        materials[key] = (*materials.get(key, ()), phase.material)
    names = [field.name for field in fields(DesignRecord) if field.name != "materials"]
    return [
        DesignRecord(
            **{name: getattr(row, name) for name in names}
            | {"created": utc(row.created), "properties": row.properties or {}},
            materials=materials.get((row.run_id, row.index), ()),
        )
        for row in found
    ]


def now() -> datetime:
    """UTC without a zone, as the tables keep times."""
    return datetime.now(UTC).replace(tzinfo=None)


def utc(time: datetime | None) -> datetime | None:
    """A time from a table, with its zone."""
    return None if time is None else time.replace(tzinfo=UTC)
