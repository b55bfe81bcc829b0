"""Keep an editor's note with each issue."""

import sqlalchemy as sa
from alembic import op


revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("issue", sa.Column("editors_note", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("issue", sa.Column("note_language", sa.String(length=16), server_default=sa.text("''"), nullable=False))


def downgrade() -> None:
    op.drop_column("issue", "note_language")
    op.drop_column("issue", "editors_note")
