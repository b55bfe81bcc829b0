"""Remember the events of webhooks, so that each counts once."""

import sqlalchemy as sa
from alembic import op


revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.create_table(
        "webhook_event",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_webhook_event")),
    )
    op.create_index(op.f("ix_webhook_event_expires_at"), "webhook_event", ["expires_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_webhook_event_expires_at"), table_name="webhook_event")
    op.drop_table("webhook_event")
