"""Record each step that follows from returned mail, and probe emails."""

import sqlalchemy as sa
from alembic import op


revision = "0038"
down_revision = "0037"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
IS_FAILURE = sa.text("kind IN ('hard', 'soft', 'policy')")
UNWEIGHED = sa.text("weighed_at IS NULL AND kind = 'soft'")
IS_OPEN = sa.text("ended_at IS NULL")
NAME = "ck_suppression_suppression_reason"
BEFORE = "reason IN ('hard_bounce', 'complaint', 'erased', 'manual')"
SINCE = "reason IN ('hard_bounce', 'soft_bounce', 'complaint', 'erased', 'manual')"


def upgrade() -> None:
    _allow(SINCE)
    op.create_table(
        "bounce_step",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("subscriber_id", ID, sa.ForeignKey("subscriber.id"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("report_id", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("asks_probe", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(320), nullable=False),
        sa.Column("weighed_at", MOMENT, nullable=True),
        sa.Column("undone_at", MOMENT, nullable=True),
    )
    op.create_index("ix_bounce_step_subscriber_id", "bounce_step", ["subscriber_id", "at"])
    op.create_index(
        "uq_bounce_step_failure",
        "bounce_step",
        ["delivery_id"],
        unique=True,
        sqlite_where=IS_FAILURE,
        postgresql_where=IS_FAILURE,
    )
    op.create_index(
        "ix_bounce_step_unweighed",
        "bounce_step",
        ["id"],
        sqlite_where=UNWEIGHED,
        postgresql_where=UNWEIGHED,
    )
    op.create_index("ix_bounce_step_at", "bounce_step", ["at", "kind", "reason", "domain"])
    op.create_table(
        "probe",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("subscriber_id", ID, sa.ForeignKey("subscriber.id"), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("result", sa.String(12), nullable=True),
    )
    op.create_index(
        "uq_probe_open",
        "probe",
        ["subscriber_id"],
        unique=True,
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )
    op.create_index("ix_probe_subscriber_id", "probe", ["subscriber_id", "begun_at"])
    op.create_index("ix_probe_delivery_id", "probe", ["delivery_id"])
    op.add_column(
        "newsletter_calendar",
        sa.Column("approve_next", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("newsletter_calendar", "approve_next")
    op.drop_table("probe")
    op.drop_table("bounce_step")
    suppressions = sa.table("suppression", sa.column("reason", sa.String))
    op.execute(
        sa.update(suppressions).where(suppressions.c.reason == "soft_bounce").values(reason="hard_bounce")
    )
    _allow(BEFORE)


def _allow(reasons: str) -> None:
    with op.batch_alter_table("suppression") as batch:
        batch.drop_constraint(op.f(NAME), type_="check")
        batch.create_check_constraint(op.f(NAME), reasons)
