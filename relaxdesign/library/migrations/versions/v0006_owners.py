"""Who started a run, and whether others see it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("runs", sa.Column("author", sa.String, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("private", sa.Boolean, nullable=False, server_default=sa.false()))
