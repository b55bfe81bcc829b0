"""Add `moved_from_id`: the subscription that this one continues after a change to a subscribed address."""

import sqlalchemy as sa
from alembic import op


revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "moved_from_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            )
        )
        batch_op.create_index(
            "ix_subscription_moved_from_id",
            ["moved_from_id"],
            unique=False,
            sqlite_where=sa.text("moved_from_id IS NOT NULL"),
            postgresql_where=sa.text("moved_from_id IS NOT NULL"),
        )


def downgrade() -> None:
    op.drop_index("ix_subscription_moved_from_id", table_name="subscription")
    # Without batch mode, which loses triggers and other things that it does not know about. SQLite can drop
    # columns since 3.35.
    op.execute("ALTER TABLE subscription DROP COLUMN moved_from_id")
