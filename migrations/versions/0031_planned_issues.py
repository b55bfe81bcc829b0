"""Let issues that a person sends wait for a time and for a second person."""

import sqlalchemy as sa
from alembic import op


revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("issue", sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "newsletter_calendar",
        sa.Column("second_person", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("newsletter_calendar", "second_person")
    op.drop_column("issue", "starts_at")
