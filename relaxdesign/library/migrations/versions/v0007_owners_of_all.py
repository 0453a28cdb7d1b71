"""Who started a campaign or made a catalogue, and whether others see it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for column in _owner():
        op.add_column("campaigns", column)
    # Names of catalogues were unique, by a constraint without a name, which SQLite cannot drop: the table is made anew.
    op.create_table(
        "owned_catalogues",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("csv", sa.Text, nullable=False),
        sa.Column("changed", sa.DateTime, nullable=False),
        *_owner(),
        sa.UniqueConstraint("author", "name", name="uq_catalogues_author_name"),
    )
    op.execute("INSERT INTO owned_catalogues (id, name, csv, changed) SELECT id, name, csv, changed FROM catalogues")
    op.drop_table("catalogues")
    op.rename_table("owned_catalogues", "catalogues")


def _owner() -> list[sa.Column]:
    return [
        sa.Column("author", sa.String, nullable=False, server_default=""),
        sa.Column("private", sa.Boolean, nullable=False, server_default=sa.false()),
    ]
