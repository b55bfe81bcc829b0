"""Find old reports that changed nothing by an index, so that retention can delete them."""

import sqlalchemy as sa
from alembic import op


revision = "0051"
down_revision = "0050"

NAME, TABLE = "ix_returned_mail_idle", "returned_mail"
IS_IDLE = sa.text("outcome IN ('unsigned', 'gone', 'stale', 'repeated', 'late', 'nothing')")


def upgrade() -> None:
    op.create_index(NAME, TABLE, ["received_at"], sqlite_where=IS_IDLE, postgresql_where=IS_IDLE)


def downgrade() -> None:
    op.drop_index(NAME, table_name=TABLE)
