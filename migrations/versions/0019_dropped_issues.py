"""Say of a cancelled issue whether its unsent releases were dropped."""

import sqlalchemy as sa
from alembic import op


revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("issue", sa.Column("drops_unsent", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("issue", "drops_unsent")
