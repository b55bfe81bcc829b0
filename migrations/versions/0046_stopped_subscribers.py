"""Name the subscribers whom a rule for their domain stops."""

import sqlalchemy as sa
from alembic import op


revision = "0046"
down_revision = "0045"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "stopped_subscriber",
        sa.Column("rule_id", ID, sa.ForeignKey("address_rule.id"), primary_key=True, autoincrement=False),
        sa.Column("subscriber_id", ID, sa.ForeignKey("subscriber.id"), primary_key=True, autoincrement=False),
    )
    op.create_index("ix_stopped_subscriber_subscriber_id", "stopped_subscriber", ["subscriber_id"])


def downgrade() -> None:
    op.drop_table("stopped_subscriber")
