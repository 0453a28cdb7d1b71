"""The library of runs and designs in a database: SQLite by default, any SQLAlchemy URL.

A run is stored when it is queued; its curves follow while it computes and every design is stored the moment it
is verified, so that a killed server loses nothing that was shown. ``RELAXDESIGN_DB`` names another database,
e.g. ``postgresql+psycopg://user@host/relaxdesign``.
"""

from __future__ import annotations

import io
import json
import math
import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import ForeignKey, create_engine, delete, event, func, select, update
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.types import JSON, LargeBinary

from relaxdesign.events import StepEvent
from relaxdesign.request import DesignRequest
from relaxdesign.result import Design, DesignResult

LIVE_STATES = ("queued", "running")
END_STATES = ("finished", "cancelled", "failed", "interrupted")


class UnknownRun(LookupError):
    """No run has this id: it was deleted, or the id belongs to another database."""


@dataclass
class Curves:
    """What every denoising step measured: one entry per step; inner lists have one entry per candidate.

    bulk: GPa. density: g/cm³. losses: per objective, dimensionless. None: not evaluated, or the candidate was dropped.
    """

    step: list[int] = field(default_factory=list)
    noise_level: list[float] = field(default_factory=list)
    bulk: list[list[float | None]] = field(default_factory=list)
    density: list[list[float | None]] = field(default_factory=list)
    losses: dict[str, list[list[float | None]]] = field(default_factory=dict)

    def append(self, step: StepEvent) -> None:
        self.step.append(step.step)
        self.noise_level.append(float(step.noise_level))
        self.bulk.append([value or None for value in _finite(step.bulk)])  # 0: not evaluated in this step
        self.density.append(_finite(step.mean_density))
        for name in {**self.losses, **step.losses}:
            rows = self.losses.setdefault(name, [[None] * len(step.bulk)] * (len(self.step) - 1))
            rows.append(_finite(step.losses[name]) if name in step.losses else [None] * len(step.bulk))

    def copy(self) -> Curves:
        """A copy that later steps do not change."""
        losses = {name: list(rows) for name, rows in self.losses.items()}
        return Curves(list(self.step), list(self.noise_level), list(self.bulk), list(self.density), losses)


@dataclass(frozen=True)
class RunRecord:
    """One line of the library. seconds: computing time. error: what to tell the user of a failed run."""

    id: str
    name: str
    created: datetime
    status: str
    request: DesignRequest
    seconds: float | None
    error_id: str
    error: str
    design_count: int  # designs that were realised and verified
    best_error: float | None  # smallest |K/K* - 1| of them


class Base(DeclarativeBase):
    """Declarative base of the tables below."""


class _Run(Base):
    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(index=True)  # UTC
    status: Mapped[str]
    owner: Mapped[str]  # host:pid of the server that computes it
    request: Mapped[dict] = mapped_column(JSON)
    curves: Mapped[dict | None] = mapped_column(JSON)
    provenance: Mapped[dict | None] = mapped_column(JSON)  # of the DesignResult: prior, version, …
    seconds: Mapped[float | None]
    error_id: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")


class _Design(Base):
    __tablename__ = "designs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    ok: Mapped[bool]
    error: Mapped[float | None]  # relative, of the realised cell
    design: Mapped[dict] = mapped_column(JSON)
    arrays: Mapped[bytes] = mapped_column(LargeBinary)  # npz, never pickled


def default_url() -> str:
    """``RELAXDESIGN_DB``, or a SQLite file in the user's data directory."""
    configured = os.environ.get("RELAXDESIGN_DB", "").strip()
    if configured:
        return configured
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return f"sqlite:///{data / 'relaxdesign' / 'relaxdesign.db'}"


class Store:
    """Access to the database; one object serves all threads, each call is one transaction."""

    def __init__(self, url: str | None = None):
        self.engine = _engine(url or default_url())
        Base.metadata.create_all(self.engine)
        self._session = sessionmaker(self.engine, expire_on_commit=False)

    # -- writing, by the worker ------------------------------------------------------------------

    def create_run(self, request: DesignRequest, name: str = "") -> str:
        """Stores a queued run and returns its id."""
        run_id = secrets.token_hex(6)
        with self._session.begin() as session:
            session.add(
                _Run(
                    id=run_id,
                    name=name or f"K = {request.target_bulk:.4g} GPa, {request.dim}D",
                    created=datetime.now(UTC).replace(tzinfo=None),
                    status="queued",
                    owner=_this_server(),
                    request=request.model_dump(mode="json"),
                )
            )
        return run_id

    def mark_running(self, run_id: str) -> None:
        self._update(run_id, status="running")

    def save_curves(self, run_id: str, curves: Curves, seconds: float) -> None:
        """Replaces the run's curves."""
        self._update(run_id, curves=asdict(curves), seconds=seconds)

    def save_design(self, run_id: str, design: Design) -> None:
        """Stores a design with its arrays; one with the same index is replaced."""
        with self._session.begin() as session:
            _require(session, run_id)
            session.merge(
                _Design(
                    run_id=run_id,
                    index=design.index,
                    ok=design.ok,
                    error=design.error,
                    design=_json_safe(design.to_dict()),
                    arrays=_pack(design),
                )
            )

    def finish(self, run_id: str, result: DesignResult, curves: Curves) -> None:
        """Ends a run with its result (status finished or cancelled)."""
        provenance = {
            "prior": result.prior,
            "solver_iterations": result.solver_iterations,
            "started": result.started.isoformat(),
            "version": result.version,
        }
        self._update(run_id, status=result.status, seconds=result.seconds, provenance=provenance, curves=asdict(curves))

    def stop(self, run_id: str, status: str, *, error: str = "", error_id: str = "", seconds: float | None = None):
        """Ends a run that has no result: cancelled in the queue, failed, or interrupted."""
        values = {} if seconds is None else {"seconds": seconds}
        self._update(run_id, status=status, error=error, error_id=error_id, **values)

    def delete(self, run_id: str) -> None:
        """Removes a run and its designs. Raises UnknownRun."""
        with self._session.begin() as session:
            _require(session, run_id)
            session.execute(delete(_Design).where(_Design.run_id == run_id))
            session.execute(delete(_Run).where(_Run.id == run_id))

    def interrupt_orphans(self) -> int:
        """Marks runs that a dead server left queued or running as interrupted; returns how many."""
        with self._session.begin() as session:
            live = session.execute(select(_Run.id, _Run.owner).where(_Run.status.in_(LIVE_STATES))).all()
            dead = [run_id for run_id, owner in live if not self._is_alive(owner)]
            if dead:
                session.execute(update(_Run).where(_Run.id.in_(dead)).values(status="interrupted"))
        return len(dead)

    # -- reading, by the pages -------------------------------------------------------------------

    def list_runs(self, limit: int = 100, offset: int = 0) -> list[RunRecord]:
        """Runs, newest first."""
        with self._session() as session:
            rows = session.execute(_records().limit(limit).offset(offset))
            return [_record(*row) for row in rows]

    def count_runs(self) -> int:
        with self._session() as session:
            return session.scalar(select(func.count()).select_from(_Run)) or 0

    def run(self, run_id: str) -> RunRecord:
        """One run. Raises UnknownRun."""
        with self._session() as session:
            row = session.execute(_records().where(_Run.id == run_id)).first()
        if row is None:
            raise UnknownRun(_unknown(run_id))
        return _record(*row)

    def curves(self, run_id: str) -> Curves:
        """What its steps measured; empty before the first. Raises UnknownRun."""
        with self._session() as session:
            return Curves(**(_require(session, run_id).curves or {}))

    def designs(self, run_id: str) -> list[Design]:
        """The designs stored so far with their arrays, by index. Raises UnknownRun."""
        with self._session() as session:
            _require(session, run_id)
            rows = session.scalars(select(_Design).where(_Design.run_id == run_id).order_by(_Design.index))
            return [Design.from_dict(row.design, **_unpack(row.arrays)) for row in rows]

    def result(self, run_id: str) -> DesignResult | None:
        """The whole result; None for a run that did not come to its end. Raises UnknownRun."""
        with self._session() as session:
            row = _require(session, run_id)
        if row.provenance is None:
            return None
        return DesignResult(
            request=DesignRequest.model_validate(row.request),
            designs=tuple(self.designs(run_id)),
            status=row.status,
            seconds=row.seconds or 0.0,
            prior=row.provenance["prior"],
            solver_iterations=row.provenance["solver_iterations"],
            started=datetime.fromisoformat(row.provenance["started"]),
            version=row.provenance["version"],
        )

    # -- inside ----------------------------------------------------------------------------------

    def _update(self, run_id: str, **values) -> None:
        with self._session.begin() as session:
            row = _require(session, run_id)
            for name, value in values.items():
                setattr(row, name, value)

    def _is_alive(self, owner: str) -> bool:
        host, _, pid = owner.rpartition(":")
        if host != socket.gethostname():
            # A SQLite file has one host (a container may have been given a new name); a database server has many.
            return self.engine.dialect.name != "sqlite"
        # Our own number on a run that we did not start: the dead server had it before.
        return int(pid) != os.getpid() and _process_exists(int(pid))


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database and parsed.database != ":memory:":
        Path(parsed.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, **({"connect_args": {"timeout": 30}} if sqlite else {"pool_pre_ping": True}))
    if sqlite:

        @event.listens_for(engine, "connect")
        def _pragmas(connection, _record) -> None:
            # WAL: pages read while the worker writes.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def _records():
    """Runs with the number and the best error of their verified designs."""
    summary = (
        select(_Design.run_id, func.count().label("count"), func.min(func.abs(_Design.error)).label("best"))
        .where(_Design.ok)
        .group_by(_Design.run_id)
        .subquery()
    )
    columns = (_Run.id, _Run.name, _Run.created, _Run.status, _Run.request, _Run.seconds, _Run.error_id, _Run.error)
    return (
        select(*columns, func.coalesce(summary.c.count, 0), summary.c.best)
        .outerjoin(summary, summary.c.run_id == _Run.id)
        .order_by(_Run.created.desc(), _Run.id)
    )


def _record(run_id, name, created, status, request, seconds, error_id, error, count, best) -> RunRecord:
    request = DesignRequest.model_validate(request)
    return RunRecord(run_id, name, created.replace(tzinfo=UTC), status, request, seconds, error_id, error, count, best)


def _require(session: Session, run_id: str) -> _Run:
    row = session.get(_Run, run_id)
    if row is None:
        raise UnknownRun(_unknown(run_id))
    return row


def _unknown(run_id: str) -> str:
    return f"there is no run {run_id[:40]!r} in this library: it may have been deleted"


def _finite(values: Iterable[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _json_safe(values: dict) -> dict:
    """Plain JSON types: NumPy scalars become numbers, NaN and infinities null."""
    text = json.dumps(values, default=lambda value: value.item())
    return json.loads(text, parse_constant=lambda _: None)


def _pack(design: Design) -> bytes:
    arrays = {"phase": design.phase, "relaxed": design.relaxed}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{k: array for k, array in arrays.items() if array is not None})
    return buffer.getvalue()


def _unpack(blob: bytes) -> dict[str, np.ndarray | None]:
    with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
        return {name: arrays.get(name) for name in ("phase", "relaxed")}


def _this_server() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
