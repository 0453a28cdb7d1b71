"""Signs of life of the processes that compute runs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("runs", sa.Column("heartbeat", sa.DateTime, nullable=True))
