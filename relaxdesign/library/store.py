"""The store of runs and designs: what workers write, what pages read, and how users keep it tidy."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from relaxdesign.library import rows
from relaxdesign.library.database import connect, default_url
from relaxdesign.library.records import (
    LIVE_STATES,
    Curves,
    DesignRecord,
    RunRecord,
    UnknownRun,
    default_name,
    unpack_arrays,
)
from relaxdesign.library.rows import now, require_run
from relaxdesign.library.schema import CurvesRow, DesignDataRow, DesignRow, PhaseRow, RunRow, TagRow
from relaxdesign.library.searching import DesignSearch, RunSearch
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult


class Store:
    """Access to the database; one object serves all threads, each call is one transaction.

    Raises StoreError for a database that a newer version wrote.
    """

    def __init__(self, url: str | None = None):
        self.engine = connect(url or default_url())
        self.session = sessionmaker(self.engine, expire_on_commit=False)

    # -- writing, by the worker ------------------------------------------------------------------

    def create_run(self, request: DesignRequest, name: str = "") -> str:
        """Stores a queued run and returns its id."""
        run = rows.new_run(request, name)
        with self.session.begin() as session:
            session.add(run)
        return run.id

    def mark_running(self, run_id: str) -> None:
        self._update(run_id, status="running")

    def requeue(self, run_id: str) -> None:
        """Queues an ended run again, now for this process; what it has is kept until it is replaced."""
        self._update(run_id, status="queued", owner=rows.this_process(), error="", error_id="")

    def save_curves(self, run_id: str, curves: Curves, seconds: float) -> None:
        """Replaces the run's curves."""
        with self.session.begin() as session:
            require_run(session, run_id).seconds = seconds
            session.merge(CurvesRow(run_id=run_id, curves=asdict(curves)))

    def save_design(self, run_id: str, design: Design) -> None:
        """Stores a design with its arrays; one with the same index is replaced."""
        self.save_designs(run_id, [design])

    def save_designs(self, run_id: str, designs: Iterable[Design]) -> None:
        """Stores several designs at once."""
        with self.session.begin() as session:
            rows.write_designs(session, require_run(session, run_id), designs)

    def finish(self, run_id: str, result: DesignResult, curves: Curves) -> None:
        """Ends a run with its result (status finished or cancelled)."""
        with self.session.begin() as session:
            run = require_run(session, run_id)
            rows.write_outcome(run, result)
            session.merge(CurvesRow(run_id=run_id, curves=asdict(curves)))

    def stop(self, run_id: str, status: str, *, error: str = "", error_id: str = "", seconds: float | None = None):
        """Ends a run that has no result: cancelled in the queue, failed, or interrupted."""
        values = {} if seconds is None else {"seconds": seconds}
        self._update(run_id, status=status, error=error, error_id=error_id, **values)

    def interrupt_orphans(self) -> int:
        """Marks runs that a dead server left queued or running as interrupted; returns how many."""
        with self.session.begin() as session:
            live = session.execute(select(RunRow.id, RunRow.owner).where(RunRow.status.in_(LIVE_STATES))).all()
            dead = [run_id for run_id, owner in live if not self.is_alive(owner)]
            if dead:
                session.execute(update(RunRow).where(RunRow.id.in_(dead)).values(status="interrupted"))
        return len(dead)

    # -- tidying up, by users --------------------------------------------------------------------

    def describe(
        self, run_id: str, *, name: str | None = None, notes: str | None = None, tags: Iterable[str] | None = None
    ) -> None:
        """Changes what users wrote about a run; None leaves a part as it is. Raises UnknownRun."""
        with self.session.begin() as session:
            run = require_run(session, run_id)
            if name is not None:
                run.name = name.strip() or default_name(DesignRequest.model_validate(run.request))
            if notes is not None:
                run.notes = notes.strip()
            if tags is not None:
                session.execute(delete(TagRow).where(TagRow.run_id == run_id))
                session.add_all(TagRow(run_id=run_id, tag=tag) for tag in _clean(tags))

    def discard(self, run_id: str) -> None:
        """Puts a run into the bin, from where ``restore`` brings it back. Raises UnknownRun."""
        self._update(run_id, deleted=now())

    def restore(self, run_id: str) -> None:
        """Takes a run out of the bin. Raises UnknownRun."""
        self._update(run_id, deleted=None)

    def delete(self, run_id: str) -> None:
        """Removes a run and its designs for good. Raises UnknownRun."""
        with self.session.begin() as session:
            require_run(session, run_id)
            self._remove(session, [run_id])

    def empty_bin(self) -> int:
        """Removes the runs in the bin for good; returns how many."""
        with self.session.begin() as session:
            old = session.scalars(select(RunRow.id).where(RunRow.deleted.is_not(None))).all()
            self._remove(session, old)
        return len(old)

    # -- reading, by the pages -------------------------------------------------------------------

    def list_runs(self, limit: int = 100, offset: int = 0, search: RunSearch | None = None) -> list[RunRecord]:
        """Runs that a search finds, all but those of campaigns and in the bin if none is given; newest first."""
        with self.session() as session:
            found = session.execute((search or RunSearch()).page(limit, offset)).all()
            tags = rows.tags_of(session, [row.id for row in found])
        return [rows.run_record(row, tags.get(row.id, ())) for row in found]

    def count_runs(self, search: RunSearch | None = None) -> int:
        with self.session() as session:
            return session.scalar((search or RunSearch()).count()) or 0

    def find_designs(self, search: DesignSearch, limit: int | None = 100, offset: int = 0) -> list[DesignRecord]:
        """Verified designs of all runs that a search finds."""
        with self.session() as session:
            return rows.design_records(session, session.execute(search.page(limit, offset)).all())

    def count_designs(self, search: DesignSearch) -> int:
        with self.session() as session:
            return session.scalar(search.count()) or 0

    def tags(self) -> dict[str, int]:
        """All tags with the number of runs that have them, most used first."""
        with self.session() as session:
            count = func.count()
            used = session.execute(select(TagRow.tag, count).group_by(TagRow.tag).order_by(count.desc(), TagRow.tag))
            return {tag: number for tag, number in used}

    def run(self, run_id: str) -> RunRecord:
        """One run, in the bin or not. Raises UnknownRun."""
        with self.session() as session:
            row = require_run(session, run_id)
            return rows.run_record(row, rows.tags_of(session, [run_id]).get(run_id, ()))

    def curves(self, run_id: str) -> Curves:
        """What its steps measured; empty before the first. Raises UnknownRun."""
        with self.session() as session:
            require_run(session, run_id)
            row = session.get(CurvesRow, run_id)
            return Curves(**(row.curves or {} if row else {}))

    def designs(self, run_id: str) -> list[Design]:
        """The designs stored so far with their arrays, by index. Raises UnknownRun."""
        with self.session() as session:
            require_run(session, run_id)
            stored = select(DesignDataRow).where(DesignDataRow.run_id == run_id).order_by(DesignDataRow.index)
            return [Design.from_dict(row.design, **unpack_arrays(row.arrays)) for row in session.scalars(stored)]

    def design(self, run_id: str, index: int) -> Design:
        """One design with its arrays. Raises UnknownRun."""
        with self.session() as session:
            row = session.get(DesignDataRow, (run_id, index))
            if row is None:
                raise UnknownRun(rows.unknown(run_id))
            return Design.from_dict(row.design, **unpack_arrays(row.arrays))

    def result(self, run_id: str) -> DesignResult | None:
        """The whole result; None for a run that did not come to its end. Raises UnknownRun."""
        with self.session() as session:
            run = require_run(session, run_id)
        return rows.read_result(run, self.designs(run_id))

    def is_alive(self, owner: str) -> bool:
        """Whether the process ``host:pid`` that owns a run or a campaign can still be working on it."""
        host, _, pid = owner.rpartition(":")
        if host != socket.gethostname():
            # A SQLite file has one host (a container may have been given a new name); a database server has many.
            return self.engine.dialect.name != "sqlite"
        # Our own number on a run that we did not start: the dead server had it before.
        return int(pid) != os.getpid() and _process_exists(int(pid))

    # -- inside ----------------------------------------------------------------------------------

    def _update(self, run_id: str, **values) -> None:
        with self.session.begin() as session:
            row = require_run(session, run_id)
            for name, value in values.items():
                setattr(row, name, value)

    def _remove(self, session: Session, run_ids: Iterable[str]) -> None:
        for table in (DesignDataRow, PhaseRow, DesignRow, CurvesRow, TagRow):
            session.execute(delete(table).where(table.run_id.in_(run_ids)))
        session.execute(delete(RunRow).where(RunRow.id.in_(run_ids)))


def _clean(tags: Iterable[str]) -> list[str]:
    """Without blanks around them, empty ones and repetitions."""
    return sorted({" ".join(tag.split())[:60] for tag in tags} - {""})


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
