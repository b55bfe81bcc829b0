"""Let subscribers agree that links in issues are counted, and count them."""

import sqlalchemy as sa
from alembic import op


revision = "0048"
down_revision = "0047"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "newsletter",
        sa.Column("click_counting", sa.String(24), server_default=sa.text("'off'"), nullable=False),
    )
    op.add_column("subscriber", sa.Column("clicks_agreed_at", sa.DateTime(timezone=True), nullable=True))
    there = sa.text("clicks_agreed_at IS NOT NULL")
    op.create_index(
        "ix_subscriber_clicks_agreed", "subscriber", ["id"], sqlite_where=there, postgresql_where=there
    )
    op.create_table(
        "click_count",
        sa.Column(
            "issue_id",
            ID,
            sa.ForeignKey("issue.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "release_id",
            ID,
            sa.ForeignKey("release.id"),
            primary_key=True,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("place", sa.String(16), primary_key=True, nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
    )
    op.create_index("ix_click_count_release_id", "click_count", ["release_id"])


def downgrade() -> None:
    op.drop_table("click_count")
    op.drop_index("ix_subscriber_clicks_agreed", table_name="subscriber")
    op.drop_column("subscriber", "clicks_agreed_at")
    op.drop_column("newsletter", "click_counting")
