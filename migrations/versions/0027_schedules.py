"""Store calendars and waves, and let an issue's slot be a date."""

import sqlalchemy as sa
from alembic import op


revision = "0027"
down_revision = "0026"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
PREPARING = sa.text("state = 'preparing'")
WITH_HOUR = sa.text("preferred_hour IS NOT NULL")
FREQUENCIES = ("immediate", "daily", "weekly", "monthly")


def choice(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def newsletter(*, primary_key: bool = False) -> sa.Column:
    key = sa.ForeignKey("newsletter.id")
    if primary_key:
        return sa.Column("newsletter_id", ID, key, primary_key=True, autoincrement=False, nullable=False)
    return sa.Column("newsletter_id", ID, key, nullable=False)


def upgrade() -> None:
    # No version before has set a slot.
    with op.batch_alter_table("issue") as batch:
        batch.alter_column(
            "slot", existing_type=MOMENT, type_=sa.Date(), nullable=True, postgresql_using="slot::date"
        )
    op.create_index(
        "ix_subscriber_time_zone_preferred_hour",
        "subscriber",
        ["time_zone", "preferred_hour"],
        sqlite_where=WITH_HOUR,
        postgresql_where=WITH_HOUR,
    )
    op.create_table(
        "newsletter_calendar",
        newsletter(primary_key=True),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("daily", sa.JSON(), nullable=False),
        sa.Column("weekly", sa.JSON(), nullable=False),
        sa.Column("weekly_every", sa.Integer(), nullable=False),
        sa.Column("weekly_from", sa.Date(), nullable=False),
        sa.Column("monthly_day", sa.Integer(), nullable=False),
        sa.Column("holidays", sa.String(16), nullable=False),
        sa.Column("late", sa.JSON(), nullable=False),
        sa.Column("gather_minutes", sa.Integer(), nullable=False),
        sa.Column("gather_releases", sa.Integer(), nullable=True),
        sa.Column("gathered_to", ID, nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("opened_to", MOMENT, nullable=True),
        sa.Column("next_at", MOMENT, nullable=True),
    )
    op.create_table(
        "wave",
        sa.Column("id", ID, primary_key=True, nullable=False),
        newsletter(),
        sa.Column("slot", sa.Date(), nullable=False),
        sa.Column("instant", MOMENT, nullable=False),
        sa.Column("issue_id", ID, sa.ForeignKey("issue.id"), nullable=True),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=True),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("to_sequence", ID, nullable=True),
        sa.Column("prepared_to", ID, nullable=False),
        sa.Column("state", choice("preparing", "done", name="wave_state"), nullable=False),
        sa.UniqueConstraint("newsletter_id", "slot", "instant"),
        sa.UniqueConstraint("issue_id", "instant"),
    )
    op.create_index(
        "ix_wave_preparing",
        "wave",
        ["newsletter_id", "instant", "slot"],
        sqlite_where=PREPARING,
        postgresql_where=PREPARING,
    )
    op.create_table(
        "kept_instant",
        newsletter(primary_key=True),
        sa.Column("slot", sa.Date(), primary_key=True, nullable=False),
        sa.Column("instant", MOMENT, nullable=False),
    )
    op.create_table(
        "personal_instant",
        sa.Column(
            "subscriber_id",
            ID,
            sa.ForeignKey("subscriber.id"),
            primary_key=True,
            autoincrement=False,
            nullable=False,
        ),
        newsletter(primary_key=True),
        sa.Column("slot", sa.Date(), primary_key=True, nullable=False),
        sa.Column("frequency", choice(*FREQUENCIES, name="frequency"), primary_key=True, nullable=False),
        sa.Column("instant", MOMENT, nullable=False),
    )
    op.create_index("ix_personal_instant_instant", "personal_instant", ["newsletter_id", "instant"])
    op.create_table(
        "due_again",
        newsletter(primary_key=True),
        sa.Column("slot", sa.Date(), primary_key=True, nullable=False),
        sa.Column("frequency", choice(*FREQUENCIES, name="frequency"), primary_key=True, nullable=False),
        sa.Column("time_zone", sa.String(64), primary_key=True, nullable=False),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
    )
    op.create_table(
        "gathering",
        newsletter(primary_key=True),
        sa.Column("from_sequence", ID, nullable=False),
        sa.Column("opens_at", MOMENT, nullable=False),
    )
    op.create_table("waits_again", sa.Column("id", ID, primary_key=True, nullable=False), newsletter())


def downgrade() -> None:
    for table in (
        "waits_again", "gathering", "due_again", "personal_instant", "kept_instant", "wave",
        "newsletter_calendar",
    ):  # fmt: skip
        op.drop_table(table)
    op.drop_index("ix_subscriber_time_zone_preferred_hour", table_name="subscriber")
    with op.batch_alter_table("issue") as batch:
        batch.alter_column(
            "slot", existing_type=sa.Date(), type_=MOMENT, nullable=True, postgresql_using="slot::timestamptz"
        )
