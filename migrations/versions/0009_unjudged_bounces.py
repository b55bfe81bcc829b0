"""Add the columns for judging a refused address by the relay's and the domain's replies to others."""

import sqlalchemy as sa
from alembic import op


revision = "0009"
down_revision = "0008"

COLUMNS = ("relay_key", "domain_key", "answered_microseconds")
INDEXES = {
    "ix_delivery_relay_key": ("relay_key", "answered_microseconds"),
    "ix_delivery_domain_key": ("domain_key", "answered_microseconds"),
    "ix_delivery_verdict": ("verdict", "relay_key", "answered_microseconds"),
}


def upgrade() -> None:
    with op.batch_alter_table("delivery") as batch:
        for column in COLUMNS:
            batch.add_column(sa.Column(column, sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("verdict", sa.String(length=12), nullable=True))
    # Before this version, a refused address was suppressed at once.
    op.execute("UPDATE delivery SET verdict = 'gone' WHERE bounced_at IS NOT NULL AND lane = 'bulk'")
    for name, columns in INDEXES.items():
        there = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "delivery", list(columns), sqlite_where=there, postgresql_where=there)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="delivery")
    with op.batch_alter_table("delivery") as batch:
        for column in ("verdict", *COLUMNS):
            batch.drop_column(column)
