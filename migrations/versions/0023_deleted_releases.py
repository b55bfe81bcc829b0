"""Say when a release was deleted, and what it was before."""

import sqlalchemy as sa
from alembic import op


revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("release", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("release", sa.Column("deleted_from", sa.String(length=24), nullable=True))


def downgrade() -> None:
    op.drop_column("release", "deleted_from")
    op.drop_column("release", "deleted_at")
