"""The first tables: runs and designs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False, index=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("curves", sa.JSON),
        sa.Column("provenance", sa.JSON),
        sa.Column("seconds", sa.Double),
        sa.Column("error_id", sa.String, nullable=False),
        sa.Column("error", sa.String, nullable=False),
    )
    op.create_table(
        "designs",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("ok", sa.Boolean, nullable=False),
        sa.Column("error", sa.Double),
        sa.Column("design", sa.JSON, nullable=False),
        sa.Column("arrays", sa.LargeBinary, nullable=False),
    )
