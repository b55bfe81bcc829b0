"""Remember how far each mailbox was read, and checks of the way back."""

import sqlalchemy as sa
from alembic import op


revision = "0047"
down_revision = "0046"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mailbox_place",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("validity", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailbox_place")),
        sa.UniqueConstraint("key", name=op.f("uq_mailbox_place_key")),
    )
    op.create_table(
        "mailbox_message",
        sa.Column("place_id", ID, nullable=False),
        sa.Column("uid", sa.String(70), nullable=False),
        sa.Column("later", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["place_id"], ["mailbox_place.id"], name=op.f("fk_mailbox_message_place_id_mailbox_place")
        ),
        sa.PrimaryKeyConstraint("place_id", "uid", name=op.f("pk_mailbox_message")),
    )
    op.create_table(
        "path_check",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_path_check")),
    )


def downgrade() -> None:
    op.drop_table("path_check")
    op.drop_table("mailbox_message")
    op.drop_table("mailbox_place")
