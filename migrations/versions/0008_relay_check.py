"""Create the table of relay checks, whose last result the overview shows."""

import sqlalchemy as sa
from alembic import op


revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "relay_check",
        sa.Column("key", sa.String(length=320), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settings", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_relay_check")),
    )


def downgrade() -> None:
    op.drop_table("relay_check")
