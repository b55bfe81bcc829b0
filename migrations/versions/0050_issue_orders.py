"""Keep the manual order of an issue, and who approved an issue that waited for a second person."""

import sqlalchemy as sa
from alembic import op


revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    op.create_table(
        "issue_order",
        sa.Column(
            "newsletter_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("newsletter.id"),
            primary_key=True,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("target", sa.String(16), primary_key=True, nullable=False),
        sa.Column("sections", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(320), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column(
        "issue", sa.Column("approved_by", sa.String(320), server_default=sa.text("''"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("issue", "approved_by")
    op.drop_table("issue_order")
