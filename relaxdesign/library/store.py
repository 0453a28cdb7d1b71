"""The store of runs and designs: what workers write, what pages read, and how users keep it tidy."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, delete, func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from relaxdesign.library import rows
from relaxdesign.library.database import connect, default_url
from relaxdesign.library.ownership import EVERYBODY, Viewer
from relaxdesign.library.records import (
    END_STATES,
    LIVE_STATES,
    Curves,
    DesignRecord,
    LostRun,
    RunRecord,
    UnknownRun,
    default_name,
    unpack_arrays,
)
from relaxdesign.library.rows import now, require_run
from relaxdesign.library.schema import CurvesRow, DesignDataRow, DesignRow, PhaseRow, RunRow, TagRow
from relaxdesign.library.searching import DesignSearch, RunSearch, run_columns, silent
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult

SILENCE = timedelta(seconds=45)
"""A process without a sign of life for this long does not compute its runs any more."""

logger = logging.getLogger(__name__)


class Store:
    """Access to the database; one object serves all threads, each call is one transaction.

    owner: in whose name runs are computed; None: this process. clock: the time of signs of life, UTC without a zone;
    None: the database server's, as the clocks of machines differ, or that of the machine of an SQLite file.
    Raises StoreError for a database that a newer version wrote.
    """

    def __init__(
        self, url: str | None = None, *, owner: str | None = None, clock: Callable[[], datetime] | None = None
    ):
        self.engine = connect(url or default_url())
        self.session = sessionmaker(self.engine, expire_on_commit=False)
        self.owner = owner or rows.this_process()
        self._clock = clock
        self.viewer = EVERYBODY

    def seen_by(self, viewer: Viewer) -> Store:
        """The same library as somebody sees it.

        Runs that are hidden from the viewer are unknown; NotYours is raised where one is changed that is another's.
        """
        view = copy.copy(self)
        view.viewer = viewer
        return view

    def now(self) -> Any:
        """The time of a sign of life, as a value for a column."""
        if self._clock is None and self.engine.dialect.name == "postgresql":
            return func.timezone("utc", func.now(), type_=DateTime())
        return (self._clock or now)()

    @property
    def folder(self) -> Path | None:
        """Where the file of the database lies; None for one on a server or in memory."""
        url = self.engine.url
        if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
            return None
        return Path(url.database).expanduser().parent

    # -- writing, by the worker ------------------------------------------------------------------

    def create_run(self, request: DesignRequest, name: str = "", *, author: str = "", private: bool = False) -> str:
        """Stores a queued run and returns its id."""
        run = rows.new_run(request, name, self.owner, self.now(), author=author, private=private)
        with self.session.begin() as session:
            session.add(run)
        return run.id

    def mark_running(self, run_id: str) -> None:
        """Says that this process computes its run now. Raises LostRun if it was stopped or taken over meanwhile."""
        startable = RunRow.owner == self.owner, RunRow.status.in_((*LIVE_STATES, "interrupted"))
        self._claim(run_id, startable, {"status": "running"})

    def requeue(self, run_id: str) -> None:
        """Queues an ended run again, now for this process; what it has is kept until it is replaced.

        Raises LostRun if another process computes it.
        """
        free = or_(RunRow.status.in_(END_STATES), RunRow.owner.in_((self.owner, "")), silent(self._since()))
        self._claim(run_id, (free,), {"status": "queued", "owner": self.owner, "error": "", "error_id": ""})

    def save_curves(self, run_id: str, curves: Curves, seconds: float) -> None:
        """Replaces the run's curves. Raises LostRun for a run of another process, as all that writes results."""
        with self.session.begin() as session:
            self._own(session, run_id).seconds = seconds
            session.merge(CurvesRow(run_id=run_id, curves=asdict(curves)))

    def save_design(self, run_id: str, design: Design) -> None:
        """Stores a design with its arrays; one with the same index is replaced."""
        self.save_designs(run_id, [design])

    def save_designs(self, run_id: str, designs: Iterable[Design]) -> None:
        """Stores several designs at once."""
        with self.session.begin() as session:
            rows.write_designs(session, self._own(session, run_id), designs)

    def finish(self, run_id: str, result: DesignResult, curves: Curves) -> None:
        """Ends a run with its result (status finished or cancelled)."""
        with self.session.begin() as session:
            run = self._own(session, run_id)
            rows.write_outcome(run, result)
            session.merge(CurvesRow(run_id=run_id, curves=asdict(curves)))

    def end(
        self, run_id: str, status: str, *, error: str, error_id: str, seconds: float, curves: Curves | None = None
    ) -> None:
        """Ends a run of this process that has no result: failed or interrupted. curves: None leaves those stored."""
        with self.session.begin() as session:
            run = self._own(session, run_id)
            run.status, run.error, run.error_id, run.seconds = status, error, error_id, seconds
            run.owner = ""  # no sign of life brings it back
            if curves is not None:
                session.merge(CurvesRow(run_id=run_id, curves=asdict(curves)))

    def stop(self, run_id: str, status: str, *, error: str = "", error_id: str = "", seconds: float | None = None):
        """Ends a run, whoever computes it, if anybody does: its process leaves it when it sees that."""
        values: dict[str, Any] = {} if seconds is None else {"seconds": seconds}
        if status == "interrupted":
            values["owner"] = ""  # no sign of life brings it back
        self._update(run_id, status=status, error=error, error_id=error_id, **values)

    def cancel(self, run_id: str) -> None:
        """Stops a run that is queued or computed, by whomever: its process leaves it. No-op for all others."""
        live = RunRow.id == run_id, RunRow.status.in_(LIVE_STATES)
        with self.session.begin() as session:
            session.execute(update(RunRow).where(*live).values(status="cancelled", error="", error_id=""))

    def wanted(self, run_id: str) -> bool:
        """Whether nobody has stopped this process's run, or taken it over. Raises UnknownRun."""
        with self.session() as session:
            run = require_run(session, run_id)
        return run.owner == self.owner and run.status in ("running", "interrupted")

    def is_free(self, run_id: str) -> bool:
        """Whether a run waits in the queue for whoever takes it: its server gave it back. Raises UnknownRun."""
        with self.session() as session:
            run = require_run(session, run_id)
        return run.status == "queued" and run.owner == ""

    def interrupt_orphans(self) -> int:
        """Marks runs that a dead process left queued or running as interrupted; returns how many.

        A library that cannot be written is left as it is: readers see them as interrupted anyway.
        """
        dead = silent(self._since())
        try:
            with self.session.begin() as session:
                found = session.scalars(select(RunRow.id).where(dead)).all()
                if found:
                    still = RunRow.id.in_(found), dead
                    session.execute(update(RunRow).where(*still).values(status="interrupted"))
        except OperationalError as error:
            logger.warning("runs of dead processes could not be marked: %s", error)
            return 0
        return len(found)

    # -- tidying up, by users --------------------------------------------------------------------

    def describe(
        self,
        run_id: str,
        *,
        name: str | None = None,
        notes: str | None = None,
        tags: Iterable[str] | None = None,
        private: bool | None = None,
    ) -> None:
        """Changes what users said about a run; None leaves a part as it is. Raises UnknownRun and NotYours."""
        with self.session.begin() as session:
            run = self._changeable(session, run_id)
            if private is not None:
                run.private = private
            if name is not None:
                run.name = name.strip() or default_name(DesignRequest.model_validate(run.request))
            if notes is not None:
                run.notes = notes.strip()
            if tags is not None:
                session.execute(delete(TagRow).where(TagRow.run_id == run_id))
                session.add_all(TagRow(run_id=run_id, tag=tag) for tag in _clean(tags))

    def discard(self, run_id: str) -> None:
        """Puts a run into the bin, from where ``restore`` brings it back. Raises UnknownRun and NotYours."""
        self._update(run_id, deleted=now())

    def restore(self, run_id: str) -> None:
        """Takes a run out of the bin. Raises UnknownRun and NotYours."""
        self._update(run_id, deleted=None)

    def delete(self, run_id: str) -> None:
        """Removes a run and its designs for good. Raises UnknownRun and NotYours."""
        with self.session.begin() as session:
            self._changeable(session, run_id)
            self._remove(session, [run_id])

    def empty_bin(self) -> int:
        """Removes the runs in the bin that the viewer may change for good; returns how many."""
        mine = [RunRow.author == self.viewer.name] if self.viewer.limited else []
        with self.session.begin() as session:
            old = session.scalars(select(RunRow.id).where(RunRow.deleted.is_not(None), *mine)).all()
            self._remove(session, old)
        return len(old)

    # -- reading, by the pages -------------------------------------------------------------------

    def list_runs(self, limit: int = 100, offset: int = 0, search: RunSearch | None = None) -> list[RunRecord]:
        """Runs that a search finds, all but those of campaigns and in the bin if none is given; newest first."""
        with self.session() as session:
            found = session.execute((search or RunSearch()).page(limit, offset, self._since(), *self._seen())).all()
            tags = rows.tags_of(session, [row.id for row in found])
        return [rows.run_record(row, tags.get(row.id, ())) for row in found]

    def count_runs(self, search: RunSearch | None = None) -> int:
        with self.session() as session:
            return session.scalar((search or RunSearch()).count(self._since(), *self._seen())) or 0

    def find_designs(self, search: DesignSearch, limit: int | None = 100, offset: int = 0) -> list[DesignRecord]:
        """Verified designs of all runs that a search finds."""
        with self.session() as session:
            return rows.design_records(session, session.execute(search.page(limit, offset, *self._seen())).all())

    def count_designs(self, search: DesignSearch) -> int:
        with self.session() as session:
            return session.scalar(search.count(*self._seen())) or 0

    def tags(self) -> dict[str, int]:
        """All tags with the number of runs that have them, most used first."""
        with self.session() as session:
            count = func.count()
            tagged = select(TagRow.tag, count).group_by(TagRow.tag).order_by(count.desc(), TagRow.tag)
            if seen := self._seen():
                tagged = tagged.join(RunRow, RunRow.id == TagRow.run_id).where(*seen)
            return {tag: number for tag, number in session.execute(tagged)}

    def run(self, run_id: str) -> RunRecord:
        """One run, in the bin or not. Raises UnknownRun."""
        with self.session() as session:
            wanted = select(*run_columns(self._since())).where(RunRow.id == run_id, *self._seen())
            row = session.execute(wanted).one_or_none()
            if row is None:
                raise UnknownRun(rows.unknown(run_id))
            return rows.run_record(row, rows.tags_of(session, [run_id]).get(run_id, ()))

    def curves(self, run_id: str) -> Curves:
        """What its steps measured; empty before the first. Raises UnknownRun."""
        with self.session() as session:
            self._visible(session, run_id)
            row = session.get(CurvesRow, run_id)
            return Curves(**(row.curves or {} if row else {}))

    def designs(self, run_id: str) -> list[Design]:
        """The designs stored so far with their arrays, by index. Raises UnknownRun."""
        with self.session() as session:
            self._visible(session, run_id)
            stored = select(DesignDataRow).where(DesignDataRow.run_id == run_id).order_by(DesignDataRow.index)
            return [Design.from_dict(row.design, **unpack_arrays(row.arrays)) for row in session.scalars(stored)]

    def design(self, run_id: str, index: int) -> Design:
        """One design with its arrays. Raises UnknownRun."""
        with self.session() as session:
            self._visible(session, run_id)
            row = session.get(DesignDataRow, (run_id, index))
            if row is None:
                raise UnknownRun(rows.unknown(run_id))
            return Design.from_dict(row.design, **unpack_arrays(row.arrays))

    def result(self, run_id: str) -> DesignResult | None:
        """The whole result; None for a run that did not come to its end. Raises UnknownRun."""
        with self.session() as session:
            run = self._visible(session, run_id)
        return rows.read_result(run, self.designs(run_id))

    # -- inside ----------------------------------------------------------------------------------

    def _since(self) -> Any:
        """Signs of life before this are too old."""
        return self.now() - SILENCE

    def _seen(self) -> list[Any]:
        return self.viewer.seen()

    def _visible(self, session: Session, run_id: str) -> RunRow:
        """A run that the viewer may see. Raises UnknownRun."""
        run = require_run(session, run_id)
        if not self.viewer.sees(run):
            raise UnknownRun(rows.unknown(run_id))
        return run

    def _changeable(self, session: Session, run_id: str) -> RunRow:
        """A run that the viewer may change. Raises UnknownRun and NotYours."""
        run = self._visible(session, run_id)
        self.viewer.check(run)
        return run

    def _claim(self, run_id: str, conditions: Iterable[Any], values: dict[str, Any]) -> None:
        """Changes a run with a sign of life. Raises UnknownRun, and LostRun if the conditions do not hold."""
        with self.session.begin() as session:
            claim = update(RunRow).where(RunRow.id == run_id, *conditions)
            claimed = session.execute(claim.values(**values, heartbeat=self.now()))
            if not claimed.rowcount:  # type: ignore[attr-defined]  # of an UPDATE
                require_run(session, run_id)
                raise LostRun(rows.lost(run_id))

    def _own(self, session: Session, run_id: str) -> RunRow:
        """A run of this process, to be written. Raises UnknownRun and LostRun."""
        run = require_run(session, run_id, lock=True)
        if run.owner != self.owner:
            raise LostRun(rows.lost(run_id))
        return run

    def _update(self, run_id: str, **values) -> None:
        with self.session.begin() as session:
            row = self._changeable(session, run_id)
            for name, value in values.items():
                setattr(row, name, value)

    def _remove(self, session: Session, run_ids: Iterable[str]) -> None:
        for table in (DesignDataRow, PhaseRow, DesignRow, CurvesRow, TagRow):
            session.execute(delete(table).where(table.run_id.in_(run_ids)))
        session.execute(delete(RunRow).where(RunRow.id.in_(run_ids)))


def _clean(tags: Iterable[str]) -> list[str]:
    """Without blanks around them, empty ones and repetitions."""
    return sorted({" ".join(tag.split())[:60] for tag in tags} - {""})
