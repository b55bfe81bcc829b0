"""Add the subscriber to a suppression, so that selection leaves them out."""

import sqlalchemy as sa
from alembic import op


revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # Existing rows get their subscriber when a worker next claims a delivery to that address.
    with op.batch_alter_table("suppression", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_suppression_subscriber_id_subscriber"), "subscriber", ["subscriber_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_suppression_subscriber_id"), ["subscriber_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("suppression", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_suppression_subscriber_id"))
        batch_op.drop_constraint(batch_op.f("fk_suppression_subscriber_id_subscriber"), type_="foreignkey")
        batch_op.drop_column("subscriber_id")
