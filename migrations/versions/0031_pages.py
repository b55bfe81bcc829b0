"""Store the pages of a source's items, and how an editor wants them to be found and read."""

import sqlalchemy as sa
from alembic import op


revision = "0031"
down_revision = "0030"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # The feeds that are there already keep the texts that they have.
    op.add_column("source", sa.Column("full_text", sa.String(24), server_default="never", nullable=False))
    op.add_column("source", sa.Column("link_selector", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("source", sa.Column("link_pattern", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_table(
        "source_page",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("source_id", ID, sa.ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("listed_hash", sa.String(64), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("last_modified", sa.String(80), nullable=False),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("item", sa.JSON(), nullable=True),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.UniqueConstraint("source_id", "key"),
    )


def downgrade() -> None:
    op.drop_table("source_page")
    for name in ("link_pattern", "link_selector", "full_text"):
        op.drop_column("source", name)
