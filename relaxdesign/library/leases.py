"""Leases of runs: a process says every few seconds that it still computes its runs, and keeps them by that.

Who is silent for too long is dead, on whatever machine and with whatever number it ran; its runs are interrupted. A
process that was only held up (a suspended laptop) takes back what nobody has resumed meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from relaxdesign.library.records import LIVE_STATES, RunRecord
from relaxdesign.library.schema import RunRow
from relaxdesign.library.store import Store

BEAT_S = 5.0
"""Seconds between two signs of life."""

logger = logging.getLogger(__name__)


class Leases:
    """The leases that one process holds on the runs of a store."""

    def __init__(self, store: Store):
        self._store = store

    def beat(self, states: Mapping[str, str]) -> set[str]:
        """Gives a sign of life for runs of this process; returns those that it shall leave.

        states: by run, queued or running. Left are runs that somebody stopped, deleted or took over.
        """
        if not states:
            return set()
        ours = RunRow.id.in_(states), RunRow.owner == self._store.owner
        now = self._store.now()
        with self._store.session.begin() as session:
            session.execute(update(RunRow).where(*ours, RunRow.status.in_(LIVE_STATES)).values(heartbeat=now))
            taken_for_dead = select(RunRow.id).where(*ours, RunRow.status == "interrupted")
            for run_id in session.scalars(taken_for_dead).all():
                again = update(RunRow).where(*ours, RunRow.id == run_id, RunRow.status == "interrupted")
                session.execute(again.values(status=states[run_id], heartbeat=now))
            kept = session.scalars(select(RunRow.id).where(*ours, RunRow.status.in_(LIVE_STATES))).all()
        return states.keys() - set(kept)

    def release(self, run_ids: Iterable[str]) -> None:
        """Gives back queued runs, which wait for the next server."""
        ours = RunRow.id.in_(list(run_ids)), RunRow.owner == self._store.owner, RunRow.status == "queued"
        with self._store.session.begin() as session:
            session.execute(update(RunRow).where(*ours).values(owner="", heartbeat=None))

    def adopt(self, limit: int) -> list[RunRecord]:
        """Takes over queued runs that servers gave back, the oldest first; each goes to one server only."""
        free = RunRow.status == "queued", RunRow.owner == "", RunRow.deleted.is_(None)
        with self._store.session() as session:
            waiting = session.scalars(select(RunRow.id).where(*free).order_by(RunRow.created).limit(max(0, limit)))
            found = list(waiting)
        adopted = []
        for run_id in found:
            with self._store.session.begin() as session:
                take = update(RunRow).where(RunRow.id == run_id, *free)
                taken = session.execute(take.values(owner=self._store.owner, heartbeat=self._store.now()))
                if taken.rowcount:  # type: ignore[attr-defined]  # of an UPDATE
                    adopted.append(run_id)
        return [self._store.run(run_id) for run_id in adopted]


class Heartbeat:
    """Signs of life of one run that is computed, from a thread of its own, until it is closed."""

    def __init__(self, store: Store, run_id: str):
        self._leases = Leases(store)
        self._run_id = run_id
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"relaxdesign-beat-{run_id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the signs of life; none comes after this."""
        self._closed.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_S):
            try:
                self._leases.beat({self._run_id: "running"})
            except SQLAlchemyError as error:  # a full disk, a server that restarts: the next one may get through
                logger.info("run %s: no sign of life could be stored: %s", self._run_id, error)
