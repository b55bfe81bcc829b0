"""Keep the address of the image of each item of a source."""

import sqlalchemy as sa
from alembic import op


revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    op.add_column("source_item", sa.Column("image_url", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("source_item", "image_url")
