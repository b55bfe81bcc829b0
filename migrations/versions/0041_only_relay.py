"""Keep with a delivery the only relay that may get it again."""

import sqlalchemy as sa
from alembic import op


revision = "0041"
down_revision = "0040"

TIED = sa.text("only_relay IS NOT NULL")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("only_relay", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_delivery_only_relay",
        "delivery",
        ["only_relay", "state"],
        sqlite_where=TIED,
        postgresql_where=TIED,
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_only_relay", "delivery")
    op.drop_column("delivery", "only_relay")
