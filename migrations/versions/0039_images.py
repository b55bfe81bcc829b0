"""Give releases and their revisions a lead image."""

import sqlalchemy as sa
from alembic import op


revision = "0039"
down_revision = "0038"

SHOWN = sa.text("image_hash IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "image",
        sa.Column("hash", sa.String(64), primary_key=True, nullable=False),
        sa.Column("media_type", sa.String(32), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("email_media_type", sa.String(32), nullable=False),
        sa.Column("email_width", sa.Integer(), nullable=False),
        sa.Column("email_height", sa.Integer(), nullable=False),
        sa.Column("email_content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    for table in ("release", "release_revision"):
        op.add_column(table, sa.Column("image_hash", sa.String(64), nullable=True))
        op.add_column(table, sa.Column("image_alt", sa.Text(), server_default=sa.text("''"), nullable=False))
        op.create_index(
            f"ix_{table}_image_hash", table, ["image_hash"], sqlite_where=SHOWN, postgresql_where=SHOWN
        )


def downgrade() -> None:
    for table in ("release", "release_revision"):
        op.drop_index(f"ix_{table}_image_hash", table_name=table)
        op.drop_column(table, "image_alt")
        op.drop_column(table, "image_hash")
    op.drop_table("image")
