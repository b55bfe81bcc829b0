"""Keep the texts of corrected releases, and what people decided about their topics; more reasons of holds."""

import sqlalchemy as sa
from alembic import op


revision = "0020"
down_revision = "0019"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
BEFORE = "reason IN ('doubt', 'date', 'editor')"
SINCE = "reason IN ('doubt', 'date', 'editor', 'embargo', 'approval', 'settling', 'gone')"
NAME = "ck_release_hold_hold_reason"


def upgrade() -> None:
    op.create_table(
        "release_revision",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("publisher", sa.String(length=300), nullable=False),
        sa.Column("published_at", MOMENT, nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("body_text", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("email_title", sa.Text(), nullable=False),
        sa.Column("email_summary", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("made_by", sa.String(length=320), nullable=False),
        sa.Column("made_public_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_release_revision_release_id_release"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("release_id", "number", name=op.f("pk_release_revision")),
    )  # fmt: skip
    op.create_index("ix_release_revision_content_hash", "release_revision", ["content_hash"])
    op.create_table(
        "topic_choice",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("topic_id", ID, nullable=False),
        sa.Column("is_taken_off", sa.Boolean(), nullable=False),
        sa.Column("first_sequence", ID, nullable=True),
        sa.Column("set_by", sa.String(length=320), nullable=False),
        sa.Column("set_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_topic_choice_release_id_release"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["topic_id"], ["topic.id"], name=op.f("fk_topic_choice_topic_id_topic"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "topic_id", name=op.f("pk_topic_choice")),
    )
    op.create_index("ix_topic_choice_topic_id", "topic_choice", ["topic_id"])
    # On SQLite, adding a column with a constant default changes no row.
    op.add_column("release", sa.Column("email_title", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("release", sa.Column("email_summary", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("release", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
    op.add_column("release", sa.Column("updated_at", MOMENT, nullable=True))
    _allow(SINCE)


def downgrade() -> None:
    op.execute(
        "INSERT INTO release_hold (release_id, reason, fields, set_by, created_at)"
        " SELECT release_id, 'editor', '', 'downgrade', min(created_at) FROM release_hold"
        f" WHERE NOT ({BEFORE}) AND release_id NOT IN"
        " (SELECT release_id FROM release_hold WHERE reason = 'editor') GROUP BY release_id"
    )
    op.execute(f"DELETE FROM release_hold WHERE NOT ({BEFORE})")
    _allow(BEFORE)
    for column in ("updated_at", "revision", "email_summary", "email_title"):
        op.drop_column("release", column)
    op.drop_index("ix_topic_choice_topic_id", table_name="topic_choice")
    op.drop_table("topic_choice")
    op.drop_index("ix_release_revision_content_hash", table_name="release_revision")
    op.drop_table("release_revision")


def _allow(reasons: str) -> None:
    with op.batch_alter_table("release_hold") as batch:
        batch.drop_constraint(op.f(NAME), type_="check")
        batch.create_check_constraint(op.f(NAME), reasons)
