"""Create the tables of sources, their items and their history; mark what a source had before it was added."""

import sqlalchemy as sa
from alembic import op


revision = "0021"
down_revision = "0020"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ACTIVE = sa.text("state = 'active'")
OUTCOMES = "'read', 'unchanged', 'failed', 'refused', 'unreadable', 'wait', 'gone'"


def upgrade() -> None:
    op.create_table(
        "source",
        sa.Column("id", ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("site_url", sa.Text(), nullable=False),
        sa.Column("publisher", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("interval_minutes", sa.Integer(), nullable=False),
        sa.Column("settle_minutes", sa.Integer(), nullable=False),
        sa.Column("backlog", sa.String(length=8), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("last_modified", sa.String(length=80), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("lists", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("leased_by", sa.String(length=40), nullable=True),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("is_slow", sa.Boolean(), nullable=False),
        sa.Column("last_read_at", MOMENT, nullable=True),
        sa.Column("backlog_done_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('feed', 'page', 'folder')", name=op.f("ck_source_source_kind")),
        sa.CheckConstraint("state IN ('active', 'paused', 'ended')", name=op.f("ck_source_source_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("public_id", name=op.f("uq_source_public_id")),
        sa.UniqueConstraint("url", name=op.f("uq_source_url")),
    )
    op.create_index(
        "ix_source_next_at", "source", ["next_at"], sqlite_where=ACTIVE, postgresql_where=ACTIVE
    )
    op.create_table(
        "source_item",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("stored_hash", sa.String(length=64), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("same_since", MOMENT, nullable=False),
        sa.Column("last_list", sa.Integer(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_item_source_id_source"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_source_item_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_item")),
        sa.UniqueConstraint("source_id", "key", name=op.f("uq_source_item_source_id_key")),
    )
    op.create_index("ix_source_item_release_id", "source_item", ["release_id"])
    op.create_index("ix_source_item_source_id_last_list", "source_item", ["source_id", "last_list"])
    op.create_index("ix_source_item_source_id_text_hash", "source_item", ["source_id", "text_hash"])
    op.create_table(
        "source_fetch",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.CheckConstraint(f"outcome IN ({OUTCOMES})", name=op.f("ck_source_fetch_fetch_outcome")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_fetch_source_id_source"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_fetch")),
    )
    op.create_index("ix_source_fetch_source_id_id", "source_fetch", ["source_id", "id"])
    op.create_table(
        "release_key",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_release_key_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_release_key")),
    )
    op.create_index("ix_release_key_release_id", "release_key", ["release_id"])
    # On SQLite, adding a column with a constant default changes no row.
    op.add_column("release", sa.Column("is_kept_back", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("release", "is_kept_back")
    for table in ("release_key", "source_fetch", "source_item", "source"):
        op.drop_table(table)
