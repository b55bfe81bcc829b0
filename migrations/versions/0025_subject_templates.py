"""Let owners write the subject of issues, by language."""

import sqlalchemy as sa
from alembic import op


revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    column = sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False)
    op.add_column("newsletter_text", column)


def downgrade() -> None:
    op.drop_column("newsletter_text", "subject")
