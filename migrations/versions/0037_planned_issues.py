"""Let issues that a person sends wait for a time and for a second person, and count returned mail."""

import sqlalchemy as sa
from alembic import op


revision = "0037"
down_revision = "0036"

RETURNED = ("bounced", "complained")


def upgrade() -> None:
    op.add_column("issue", sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "newsletter_calendar",
        sa.Column("second_person", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    for name in RETURNED:
        there = sa.text(f"{name}_at IS NOT NULL")
        op.create_index(
            f"ix_delivery_{name}", "delivery", ["issue_id"], sqlite_where=there, postgresql_where=there
        )


def downgrade() -> None:
    for name in RETURNED:
        op.drop_index(f"ix_delivery_{name}", table_name="delivery")
    op.drop_column("newsletter_calendar", "second_person")
    op.drop_column("issue", "starts_at")
