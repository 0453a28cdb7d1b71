"""Search, tags, notes, the bin and campaigns.

Curves, designs as JSON and arrays move out of the tables that are searched; the numbers that searches ask for get
columns of their own.
"""

import json

import sqlalchemy as sa
from alembic import op

from relaxdesign.library.migrations.passing import batches, update_designs

revision = "0002"
down_revision = "0001"

_NUMBERS = ("bulk", "density", "volume_fraction", "diameter")


def upgrade() -> None:
    _new_tables()
    _widen_runs()
    _widen_designs()


def _new_tables() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False, index=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("updated", sa.DateTime, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("directory", sa.String, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("dashboard", sa.String, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("error", sa.String, nullable=False),
    )
    op.create_table(
        "tags",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tag", sa.String, primary_key=True, index=True),
    )
    op.create_table(
        "curves",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("curves", sa.JSON, nullable=False),
    )
    op.create_table(
        "design_data",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("design", sa.JSON, nullable=False),
        sa.Column("arrays", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["run_id", "index"], ["designs.run_id", "designs.index"], ondelete="CASCADE"),
    )


def _widen_runs() -> None:
    op.execute("INSERT INTO curves (run_id, curves) SELECT id, curves FROM runs WHERE curves IS NOT NULL")
    op.drop_column("runs", "curves")
    op.add_column("runs", sa.Column("notes", sa.String, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("target_bulk", sa.Double))
    op.add_column("runs", sa.Column("design_count", sa.Integer, nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("best_error", sa.Double))
    op.add_column("runs", sa.Column("deleted", sa.DateTime))
    campaign = sa.Column("campaign_id", sa.String, sa.ForeignKey("campaigns.id"))
    op.add_column("runs", campaign, inline_references=True)
    op.add_column("runs", sa.Column("request_hash", sa.String))
    runs, connection = _table("runs", "id", "request", "target_bulk"), op.get_bind()
    found = connection.execute(sa.select(runs.c.id, runs.c.request)).all()
    targets = [{"of_run": run_id, "target": _read(request).get("target_bulk")} for run_id, request in found]
    if targets:
        asked = sa.update(runs).where(runs.c.id == sa.bindparam("of_run"))
        connection.execute(asked.values(target_bulk=sa.bindparam("target")), targets)
    op.execute(
        "UPDATE runs SET design_count = (SELECT count(*) FROM designs WHERE designs.run_id = runs.id AND designs.ok), "
        "best_error = (SELECT min(abs(error)) FROM designs WHERE designs.run_id = runs.id AND designs.ok)"
    )
    op.create_index("ix_runs_target_bulk", "runs", ["target_bulk"])
    op.create_index("ix_runs_listed", "runs", ["deleted", "campaign_id", "created"])
    op.create_index("ix_runs_recent", "runs", ["deleted", "created"])
    op.create_index("ix_runs_campaign", "runs", ["campaign_id", "request_hash"], unique=True)


def _widen_designs() -> None:
    op.execute(
        'INSERT INTO design_data (run_id, "index", design, arrays) SELECT run_id, "index", design, arrays FROM designs'
    )
    op.drop_column("designs", "design")
    op.drop_column("designs", "arrays")
    for name in _NUMBERS:
        op.add_column("designs", sa.Column(name, sa.Double))
    for name in ("matrix", "particle"):
        op.add_column("designs", sa.Column(name, sa.String))
    op.add_column("designs", sa.Column("properties", sa.JSON))
    designs = _table("designs", "run_id", "index", *_NUMBERS, "matrix", "particle")
    data, connection = _table("design_data", "run_id", "index", "design"), op.get_bind()
    for rows in batches(connection, sa.select(data.c.run_id, data.c.index, data.c.design)):
        update_designs(connection, designs, [_numbers(*row) for row in rows])
    for name in ("bulk", "density", "matrix", "particle"):
        op.create_index(f"ix_designs_{name}", "designs", [name])


def _numbers(run_id: str, index: int, text: str | dict) -> dict:
    """The columns of a design that searches ask for."""
    design = _read(text)
    values = {name: design.get(name) for name in _NUMBERS[1:]}
    values["bulk"] = design["K"]["realised"]
    values |= {name: design[name] and design[name]["name"] for name in ("matrix", "particle")}
    return values | {"of_run": run_id, "of_index": index}


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in columns))


def _read(value: str | dict) -> dict:
    """A JSON column read without its type: text from SQLite, a dict from PostgreSQL."""
    return json.loads(value) if isinstance(value, str) else value
