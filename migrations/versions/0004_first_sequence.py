"""Add a pair's first sequence and a delivery's build failure; drop an issue's lower end."""

import sqlalchemy as sa
from alembic import op


revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITS = "build_failed_at IS NOT NULL"


def upgrade() -> None:
    op.add_column("release_topic", sa.Column("first_sequence", BIG, nullable=True))
    # Earlier first sequences are unknown. With the latest one, existing subscriptions get the same releases
    # as before this migration.
    op.execute("UPDATE release_topic SET first_sequence = sequence")
    with op.batch_alter_table("issue", schema=None) as batch_op:
        batch_op.drop_column("from_sequence")
    op.add_column("delivery", sa.Column("build_failed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_delivery_build_failed_at",
        "delivery",
        ["build_failed_at"],
        sqlite_where=sa.text(WAITS),
        postgresql_where=sa.text(WAITS),
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_build_failed_at", table_name="delivery")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_column("build_failed_at")
    with op.batch_alter_table("issue", schema=None) as batch_op:
        batch_op.add_column(sa.Column("from_sequence", BIG, nullable=False, server_default="0"))
    with op.batch_alter_table("release_topic", schema=None) as batch_op:
        batch_op.drop_column("first_sequence")
