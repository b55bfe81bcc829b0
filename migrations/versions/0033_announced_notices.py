"""Store when a notice was announced by the owner's command or URL."""

import sqlalchemy as sa
from alembic import op


revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.add_column("notice", sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("notice", "announced_at")
