"""Let the issues of a schedule wait for an approval."""

import sqlalchemy as sa
from alembic import op


revision = "0036"
down_revision = "0035"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.add_column("newsletter_calendar", sa.Column("approval_hours", sa.Integer(), nullable=True))
    op.add_column(
        "newsletter_calendar",
        sa.Column("approver", sa.String(320), server_default=sa.text("''"), nullable=False),
    )
    op.create_table(
        "slot_approval",
        sa.Column(
            "newsletter_id",
            ID,
            sa.ForeignKey("newsletter.id"),
            primary_key=True,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("slot", sa.Date(), primary_key=True, nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=True),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("approved_by", sa.String(320), nullable=False),
        sa.Column("to_sequence", ID, nullable=True),
        sa.Column("shown_at", MOMENT, nullable=True),
        sa.Column("editors_note", sa.Text(), nullable=False),
        sa.Column("note_language", sa.String(16), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
    )
    op.create_index(
        "ix_slot_approval_open",
        "slot_approval",
        ["newsletter_id", "slot"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def downgrade() -> None:
    op.drop_table("slot_approval")
    op.drop_column("newsletter_calendar", "approver")
    op.drop_column("newsletter_calendar", "approval_hours")
