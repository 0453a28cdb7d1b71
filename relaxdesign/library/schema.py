"""The tables. What is searched is kept in narrow ones, what is opened (curves, arrays) in tables beside them.

A change here needs a migration in ``migrations/versions``; a test compares both.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import JSON, LargeBinary, Text


class Base(DeclarativeBase):
    """Declarative base of the tables below. Times are UTC without a zone."""


class CampaignRow(Base):
    __tablename__ = "campaigns"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[str]
    updated: Mapped[datetime]  # last sign of life of the process that leads it
    spec: Mapped[dict] = mapped_column(JSON)
    directory: Mapped[str]
    total: Mapped[int]  # requests
    dashboard: Mapped[str] = mapped_column(default="")  # address of Dask's dashboard while it runs
    seconds: Mapped[float] = mapped_column(default=0.0)  # computing time, all sittings together
    error: Mapped[str] = mapped_column(default="")
    author: Mapped[str] = mapped_column(default="")  # who started it, as of its runs
    private: Mapped[bool] = mapped_column(default=False)


class RunRow(Base):
    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[str]
    owner: Mapped[str]  # the process that computes it, see `rows.this_process`; empty: none
    request: Mapped[dict] = mapped_column(JSON)
    provenance: Mapped[dict | None] = mapped_column(JSON)  # of the DesignResult: prior, version, …
    seconds: Mapped[float | None]
    error_id: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")
    notes: Mapped[str] = mapped_column(default="")
    target_bulk: Mapped[float | None] = mapped_column(index=True)  # of the request, GPa
    design_count: Mapped[int] = mapped_column(default=0)  # designs that were realised and verified
    best_error: Mapped[float | None]  # smallest |error| of them
    deleted: Mapped[datetime | None]  # in the bin since
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("campaigns.id"))
    request_hash: Mapped[str | None]  # of a campaign's run
    heartbeat: Mapped[datetime | None]  # last sign of life of its owner
    author: Mapped[str] = mapped_column(default="")  # who asked for it, see `ownership.Viewer`; empty: unknown
    private: Mapped[bool] = mapped_column(default=False)  # only its author and administrators see it

    __table_args__ = (
        # A request is in the result of a campaign once, whoever writes at the same time.
        Index("ix_runs_campaign", "campaign_id", "request_hash", unique=True),
        # The lists of runs and of designs come in their order from these.
        Index("ix_runs_listed", "deleted", "campaign_id", "created"),
        Index("ix_runs_recent", "deleted", "created"),
    )


class TagRow(Base):
    __tablename__ = "tags"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True, index=True)


class CurvesRow(Base):
    __tablename__ = "curves"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    curves: Mapped[dict] = mapped_column(JSON)


class DesignRow(Base):
    """The numbers of a design that searches and charts ask for, of the realised cell."""

    __tablename__ = "designs"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    ok: Mapped[bool]
    error: Mapped[float | None]  # relative
    bulk: Mapped[float | None] = mapped_column(index=True)  # GPa
    density: Mapped[float | None] = mapped_column(index=True)  # g/cm³
    family: Mapped[str]  # of microstructures
    parameters: Mapped[dict] = mapped_column(JSON)  # of the family, and volume_fraction: of all phases but the first
    properties: Mapped[dict | None] = mapped_column(JSON)  # other effective properties that are plain numbers


class PhaseRow(Base):
    """What a phase of a design is made of."""

    __tablename__ = "phases"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    phase: Mapped[int] = mapped_column(primary_key=True)  # its label
    material: Mapped[str]  # name

    __table_args__ = (
        ForeignKeyConstraint(["run_id", "index"], ["designs.run_id", "designs.index"], ondelete="CASCADE"),
        # The designs of a material come from this alone.
        Index("ix_phases_material", "material", "run_id", "index"),
    )


class DesignDataRow(Base):
    __tablename__ = "design_data"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    design: Mapped[dict] = mapped_column(JSON)
    arrays: Mapped[bytes] = mapped_column(LargeBinary)  # npz, never pickled

    __table_args__ = (
        ForeignKeyConstraint(["run_id", "index"], ["designs.run_id", "designs.index"], ondelete="CASCADE"),
    )


class CatalogueRow(Base):
    """Own materials. What runs were asked with stands in their requests."""

    __tablename__ = "catalogues"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    csv: Mapped[str] = mapped_column(Text)
    changed: Mapped[datetime]
    author: Mapped[str] = mapped_column(default="")  # who made it
    private: Mapped[bool] = mapped_column(default=False)

    # A private one does not take its name from others.
    __table_args__ = (UniqueConstraint("author", "name", name="uq_catalogues_author_name"),)
