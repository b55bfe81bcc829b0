"""Count returned mail by time, reason and domain from the index alone."""

from alembic import op


revision = "0049"
down_revision = "0048"

NAME, TABLE = "ix_bounce_step_at", "bounce_step"
BEFORE = ["at", "kind", "reason", "domain"]


def upgrade() -> None:
    op.drop_index(NAME, table_name=TABLE)
    op.create_index(NAME, TABLE, [*BEFORE, "undone_at"])


def downgrade() -> None:
    op.drop_index(NAME, table_name=TABLE)
    op.create_index(NAME, TABLE, BEFORE)
