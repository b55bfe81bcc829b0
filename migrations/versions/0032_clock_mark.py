"""Store the clock's mark, which tells a restored copy."""

import sqlalchemy as sa
from alembic import op


revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.create_table(
        "clock_mark",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("ticks", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_clock", sa.Boolean(), nullable=False),
        sa.Column("database", sa.String(80), nullable=False),
        sa.Column("copy_sign", sa.String(24), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("clock_mark")
