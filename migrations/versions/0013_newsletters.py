"""Create the tables of newsletters, and let topics, issues, sign-ups and single emails belong to one."""

import sqlalchemy as sa
from alembic import op


revision = "0013"
down_revision = "0012"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FREQUENCIES = ("immediate", "daily", "weekly", "monthly")
# Each table, and whether its new column has an index.
OWNED = {"topic": True, "issue": True, "signup_request": False}


def upgrade() -> None:
    op.create_table(
        "newsletter",
        sa.Column("id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_address", sa.String(length=320), nullable=False),
        sa.Column("from_name", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.String(length=320), nullable=True),
        sa.Column("postal_address", sa.Text(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("colours", sa.JSON(), nullable=False),
        sa.Column(
            "default_frequency",
            sa.Enum(
                *FREQUENCIES, name="default_frequency", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_newsletter")),
        sa.UniqueConstraint("slug", name=op.f("uq_newsletter_slug")),
    )
    op.create_table(
        "newsletter_text",
        sa.Column("newsletter_id", ID, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tagline", sa.Text(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["newsletter_id"], ["newsletter.id"], name=op.f("fk_newsletter_text_newsletter_id_newsletter")
        ),
        sa.PrimaryKeyConstraint("newsletter_id", "language", "version", name=op.f("pk_newsletter_text")),
    )
    # A migration does not know the settings. Version 0 means that the row has no content yet.
    op.execute(
        "INSERT INTO newsletter (slug, version, from_address, from_name, postal_address, languages, "
        "time_zone, colours, default_frequency, position, created_at) "
        "VALUES ('news', 0, '', '', '', '[]', 'UTC', '{}', 'weekly', 0, CURRENT_TIMESTAMP)"
    )
    for table, has_index in OWNED.items():
        with op.batch_alter_table(table) as batch:
            # The default serves hosts that still run the version before. Existing rows get it too.
            batch.add_column(sa.Column("newsletter_id", ID, nullable=False, server_default=sa.text("1")))
            batch.create_foreign_key(
                batch.f(f"fk_{table}_newsletter_id_newsletter"), "newsletter", ["newsletter_id"], ["id"]
            )
            if has_index:
                batch.create_index(batch.f(f"ix_{table}_newsletter_id"), ["newsletter_id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        # Without batch mode, which would copy millions of rows.
        op.execute("ALTER TABLE delivery ADD COLUMN newsletter_id INTEGER REFERENCES newsletter (id)")
    else:
        op.add_column("delivery", sa.Column("newsletter_id", ID, nullable=True))
        op.create_foreign_key(
            op.f("fk_delivery_newsletter_id_newsletter"), "delivery", "newsletter", ["newsletter_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("delivery") as batch:
        batch.drop_column("newsletter_id")
    for table, has_index in OWNED.items():
        with op.batch_alter_table(table) as batch:
            if has_index:
                batch.drop_index(batch.f(f"ix_{table}_newsletter_id"))
            batch.drop_constraint(batch.f(f"fk_{table}_newsletter_id_newsletter"), type_="foreignkey")
            batch.drop_column("newsletter_id")
    op.drop_table("newsletter_text")
    op.drop_table("newsletter")
