"""Let each newsletter choose whether its issues show images."""

import sqlalchemy as sa
from alembic import op


revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.add_column(
        "newsletter",
        sa.Column("email_images", sa.String(24), server_default=sa.text("'off'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("newsletter", "email_images")
