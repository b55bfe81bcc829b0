"""Store the date that a publisher gave, when a release became public, and why a release is held."""

import sqlalchemy as sa
from alembic import op


revision = "0016"
down_revision = "0015"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "release_hold",
        sa.Column("id", ID, nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("fields", sa.String(length=120), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("set_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reason IN ('doubt', 'date', 'editor')", name=op.f("ck_release_hold_hold_reason")),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_release_hold_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_hold")),
        sa.UniqueConstraint("release_id", "reason", name=op.f("uq_release_hold_release_id_reason")),
    )
    op.create_index("ix_release_hold_until", "release_hold", ["until"])
    with op.batch_alter_table("release") as batch:
        batch.add_column(sa.Column("published_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("made_public_at", sa.DateTime(timezone=True), nullable=True))
    # The time of a release without a time was noon in UTC, so the date in UTC is the date that was given.
    utc = "published_at" if op.get_bind().dialect.name == "sqlite" else "published_at AT TIME ZONE 'UTC'"
    op.execute(f"UPDATE release SET published_on = date({utc})")
    op.execute(
        "UPDATE release SET made_public_at = created_at WHERE state = 'ready' OR id IN"
        " (SELECT release_id FROM release_topic WHERE sequence IS NOT NULL)"
    )
    op.execute(
        "INSERT INTO release_hold (release_id, reason, fields, set_by, created_at)"
        " SELECT id, 'editor', '', 'upgrade', created_at FROM release WHERE state = 'held'"
    )
    with op.batch_alter_table("release") as batch:
        batch.alter_column("published_on", existing_type=sa.Date(), nullable=False)
        batch.drop_index("ix_release_published_at_id")
        batch.create_index("ix_release_published_on_published_at_id", ["published_on", "published_at", "id"])


def downgrade() -> None:
    with op.batch_alter_table("release") as batch:
        batch.drop_index("ix_release_published_on_published_at_id")
        batch.create_index("ix_release_published_at_id", ["published_at", "id"])
        batch.drop_column("made_public_at")
        batch.drop_column("published_on")
    op.drop_index("ix_release_hold_until", "release_hold")
    op.drop_table("release_hold")
