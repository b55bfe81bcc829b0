"""Find the subscriptions that were confirmed or ended lately, for the counts of the overview."""

import sqlalchemy as sa
from alembic import op


revision = "0017"
down_revision = "0016"

CONFIRMED, ENDED = sa.text("confirmed_at IS NOT NULL"), sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_subscription_confirmed_at",
        "subscription",
        ["confirmed_at", "state", "subscriber_id"],
        sqlite_where=CONFIRMED,
        postgresql_where=CONFIRMED,
    )
    op.create_index(
        "ix_subscription_ended_at",
        "subscription",
        ["ended_at", "subscriber_id"],
        sqlite_where=ENDED,
        postgresql_where=ENDED,
    )


def downgrade() -> None:
    op.drop_index("ix_subscription_ended_at", table_name="subscription")
    op.drop_index("ix_subscription_confirmed_at", table_name="subscription")
