"""Create the tables of topic groups and logos, and let topics have texts in several languages."""

import sqlalchemy as sa
from alembic import op


revision = "0015"
down_revision = "0014"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "logo",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_logo")),
    )
    op.create_table(
        "topic_group",
        sa.Column("id", ID, nullable=False),
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("translations", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletter.id"], name=op.f("fk_topic_group_newsletter_id_newsletter")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic_group")),
        sa.UniqueConstraint("newsletter_id", "slug", name=op.f("uq_topic_group_newsletter_id_slug")),
    )
    with op.batch_alter_table("newsletter") as batch:
        batch.add_column(sa.Column("logo_hash", sa.String(length=64), nullable=True))
        batch.create_foreign_key(batch.f("fk_newsletter_logo_hash_logo"), "logo", ["logo_hash"], ["hash"])
    with op.batch_alter_table("topic") as batch:
        batch.add_column(sa.Column("translations", sa.JSON(none_as_null=True), nullable=True))
        batch.add_column(sa.Column("group_id", ID, nullable=True))
        batch.create_foreign_key(batch.f("fk_topic_group_id_topic_group"), "topic_group", ["group_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("topic") as batch:
        batch.drop_constraint(batch.f("fk_topic_group_id_topic_group"), type_="foreignkey")
        batch.drop_column("group_id")
        batch.drop_column("translations")
    with op.batch_alter_table("newsletter") as batch:
        batch.drop_constraint(batch.f("fk_newsletter_logo_hash_logo"), type_="foreignkey")
        batch.drop_column("logo_hash")
    op.drop_table("topic_group")
    op.drop_table("logo")
