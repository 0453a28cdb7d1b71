"""Campaigns in the library: how far each is, and its results as runs that all pages can open."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from relaxdesign.library import rows
from relaxdesign.library.schema import CampaignRow, DesignDataRow, DesignRow, PhaseRow, RunRow, TagRow
from relaxdesign.library.store import Store
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import DesignResult

SILENCE = timedelta(seconds=90)
"""A running campaign without a sign of life for this long was killed."""


class UnknownCampaign(LookupError):
    """No campaign has this id."""


@dataclass(frozen=True)
class CampaignRecord:
    """One campaign. total, done, failed: requests. seconds: computing time of all sittings."""

    id: str
    name: str
    created: datetime
    status: str  # running, finished, cancelled, failed or interrupted
    spec: dict
    directory: str
    total: int
    done: int
    failed: int
    designs: int  # verified ones
    seconds: float
    dashboard: str
    error: str
    author: str = ""  # who started it; empty: unknown
    private: bool = False  # seen, as its runs, by its author and administrators only


class Campaigns:
    """Access to the campaigns of a store; each call is one transaction.

    A campaign belongs to the viewer of the store that starts it, and its runs with it. Those that are hidden from the
    viewer are unknown; NotYours is raised where one is changed that is another's.
    """

    def __init__(self, store: Store):
        self._store = store
        self._session = store.session

    def create(
        self, name: str, spec: Mapping[str, Any], directory: str, total: int, *, id: str = "", private: bool = False
    ) -> str:
        """Stores a running campaign of the viewer's own and returns its id. private: counts where there is a login."""
        viewer = self._store.viewer
        row = CampaignRow(
            id=id or secrets.token_hex(6),
            name=name,
            created=rows.now(),
            updated=rows.now(),
            status="running",
            spec=dict(spec),
            directory=directory,
            total=total,
            author=viewer.name,
            private=private and viewer.known,
        )
        with self._session.begin() as session:
            session.add(row)
        return row.id

    def update(self, campaign_id: str, **values: Any) -> None:
        """Changes columns; every change is a sign of life. Raises UnknownCampaign and NotYours."""
        with self._session.begin() as session:
            row = self._changeable(session, campaign_id)
            for name, value in {**values, "updated": rows.now()}.items():
                setattr(row, name, value)

    def show(self, campaign_id: str, *, private: bool) -> None:
        """Changes who sees a campaign and all of its runs. Raises UnknownCampaign and NotYours."""
        with self._session.begin() as session:
            self._changeable(session, campaign_id).private = private
            session.execute(update(RunRow).where(RunRow.campaign_id == campaign_id).values(private=private))

    def check(self, campaign_id: str) -> CampaignRecord:
        """A campaign that the viewer may change. Raises UnknownCampaign and NotYours."""
        record = self.get(campaign_id)
        self._store.viewer.check(record, "campaign")
        return record

    def add_result(self, campaign_id: str, request_hash: str, name: str, result: DesignResult) -> bool:
        """Stores the result of one request, in place of an earlier failure; False if it is there already."""
        with self._session.begin() as session:
            if not _make_room(session, campaign_id, request_hash):
                return False
            run = _new_run(session, campaign_id, request_hash, name, result.request)
            rows.write_designs(session, run, result.designs)
            rows.write_outcome(run, result)
        return True

    def add_failure(self, campaign_id: str, request_hash: str, name: str, request: DesignRequest, error: str) -> bool:
        """Stores that a request failed; False if its result is there already."""
        with self._session.begin() as session:
            if not _make_room(session, campaign_id, request_hash):
                return False
            run = _new_run(session, campaign_id, request_hash, name, request)
            run.status, run.error = "failed", error
        return True

    def known(self, campaign_id: str) -> dict[str, str]:
        """Status (finished or failed) of every request that came to an end, by its hash."""
        with self._session() as session:
            found = session.execute(select(RunRow.request_hash, RunRow.status).where(RunRow.campaign_id == campaign_id))
            return {cast(str, request_hash): status for request_hash, status in found}

    def get(self, campaign_id: str) -> CampaignRecord:
        """Raises UnknownCampaign."""
        with self._session() as session:
            return _record(self._visible(session, campaign_id), _counts(session, [campaign_id]))

    def list(self, limit: int = 50) -> list[CampaignRecord]:
        """Newest first."""
        with self._session() as session:
            found = session.scalars(
                select(CampaignRow)
                .where(*self._store.viewer.seen(CampaignRow))
                .order_by(CampaignRow.created.desc(), CampaignRow.id)
                .limit(limit)
            ).all()
            counts = _counts(session, [row.id for row in found])
            return [_record(row, counts) for row in found]

    def delete(self, campaign_id: str) -> None:
        """Removes a campaign with its runs; its folder of files stays. Raises UnknownCampaign and NotYours."""
        with self._session.begin() as session:
            row = self._changeable(session, campaign_id)
            runs = select(RunRow.id).where(RunRow.campaign_id == campaign_id)
            for table in (DesignDataRow, PhaseRow, DesignRow, TagRow):
                session.execute(delete(table).where(table.run_id.in_(runs)))
            session.execute(delete(RunRow).where(RunRow.campaign_id == campaign_id))
            session.delete(row)

    def _visible(self, session: Session, campaign_id: str) -> CampaignRow:
        row = _require(session, campaign_id)
        if not self._store.viewer.sees(row):
            raise UnknownCampaign(_unknown(campaign_id))
        return row

    def _changeable(self, session: Session, campaign_id: str) -> CampaignRow:
        row = self._visible(session, campaign_id)
        self._store.viewer.check(row, "campaign")
        return row


def _new_run(session: Session, campaign_id: str, request_hash: str, name: str, request: DesignRequest) -> RunRow:
    campaign = _require(session, campaign_id)
    run = rows.new_run(request, name, author=campaign.author, private=campaign.private)
    run.campaign_id, run.request_hash = campaign_id, request_hash
    session.add(run)
    session.flush()
    return run


def _make_room(session: Session, campaign_id: str, request_hash: str) -> bool:
    """Removes an earlier failure of this request; False where a result stands."""
    of_request = (RunRow.campaign_id == campaign_id) & (RunRow.request_hash == request_hash)
    if session.scalar(select(RunRow.id).where(of_request, RunRow.status != "failed")):
        return False
    session.execute(delete(RunRow).where(of_request))
    return True


def _require(session: Session, campaign_id: str) -> CampaignRow:
    row = session.get(CampaignRow, campaign_id)
    if row is None:
        raise UnknownCampaign(_unknown(campaign_id))
    return row


def _unknown(campaign_id: str) -> str:
    return f"there is no campaign {campaign_id[:40]!r} in this library"


def _counts(session: Session, ids: list[str]) -> dict[tuple[str, bool], tuple[int, int]]:
    """(runs, designs) by campaign and whether they failed."""
    failed = RunRow.status == "failed"
    statement = select(RunRow.campaign_id, failed, func.count(), func.sum(RunRow.design_count))
    found = session.execute(statement.where(RunRow.campaign_id.in_(ids)).group_by(RunRow.campaign_id, failed))
    return {(cast(str, campaign), bool(status)): (runs, int(designs)) for campaign, status, runs, designs in found}


def _record(row: CampaignRow, counts: dict[tuple[str, bool], tuple[int, int]]) -> CampaignRecord:
    done, designs = counts.get((row.id, False), (0, 0))
    failed, _ = counts.get((row.id, True), (0, 0))
    silent = row.status == "running" and rows.now() - row.updated > SILENCE
    return CampaignRecord(
        id=row.id,
        name=row.name,
        created=cast(datetime, rows.utc(row.created)),
        status="interrupted" if silent else row.status,
        spec=row.spec,
        directory=row.directory,
        total=row.total,
        done=done,
        failed=failed,
        designs=designs,
        seconds=row.seconds,
        dashboard=row.dashboard,
        error=row.error,
        author=row.author,
        private=row.private,
    )
