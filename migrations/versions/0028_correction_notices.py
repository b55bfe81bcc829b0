"""Store correction notices, and which deliveries are one."""

import sqlalchemy as sa
from alembic import op


revision = "0028"
down_revision = "0027"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("finished_at IS NULL")
A_NOTICE = sa.text("correction_notice_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "correction_notice",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("release_id", ID, sa.ForeignKey("release.id", ondelete="CASCADE"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.String(320), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("enqueued_to", ID, nullable=False),
        sa.Column("is_last_pass", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.UniqueConstraint("release_id", "revision"),
    )
    op.create_index(
        "ix_correction_notice_open", "correction_notice", ["id"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    # Without a foreign key: on SQLite it would copy the largest table.
    op.add_column("delivery", sa.Column("correction_notice_id", ID, nullable=True))
    op.create_index(
        "ix_delivery_correction_notice_id",
        "delivery",
        ["correction_notice_id", "state"],
        sqlite_where=A_NOTICE,
        postgresql_where=A_NOTICE,
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_correction_notice_id", table_name="delivery")
    op.drop_column("delivery", "correction_notice_id")
    op.drop_table("correction_notice")
