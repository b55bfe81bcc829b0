"""Keep the templates that owners write for digests, and which of them an issue began with."""

import sqlalchemy as sa
from alembic import op


revision = "0045"
down_revision = "0044"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "newsletter_template",
        sa.Column(
            "newsletter_id",
            ID,
            sa.ForeignKey("newsletter.id"),
            primary_key=True,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(320), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("issue", sa.Column("template_version", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("issue", "template_version")
    op.drop_table("newsletter_template")
