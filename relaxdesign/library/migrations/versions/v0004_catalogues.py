"""Own materials, kept as named catalogues."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "catalogues",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("csv", sa.Text, nullable=False),
        sa.Column("changed", sa.DateTime, nullable=False),
    )
