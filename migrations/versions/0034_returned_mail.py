"""Record each report that comes back, once."""

import sqlalchemy as sa
from alembic import op


revision = "0034"
down_revision = "0033"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WITH_RAW = sa.text("raw IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "returned_mail",
        sa.Column("id", ID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("subscriber_id", ID, nullable=True),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name=op.f("fk_returned_mail_subscriber_id_subscriber")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returned_mail")),
        sa.UniqueConstraint("digest", name=op.f("uq_returned_mail_digest")),
    )
    op.create_index("ix_returned_mail_delivery_id", "returned_mail", ["delivery_id"])
    op.create_index("ix_returned_mail_subscriber_id", "returned_mail", ["subscriber_id", "received_at"])
    op.create_index(
        "ix_returned_mail_raw",
        "returned_mail",
        ["received_at"],
        sqlite_where=WITH_RAW,
        postgresql_where=WITH_RAW,
    )


def downgrade() -> None:
    op.drop_table("returned_mail")
