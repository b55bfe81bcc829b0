"""Add the search index, the order of the archive, issue numbers, and the version of what visitors see.

`newsletter db upgrade` fills the index afterwards, in small transactions.
"""

import sqlalchemy as sa
from alembic import op


revision = "0026"
down_revision = "0025"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNPLACED = sa.text("place IS NULL")
SEARCH = {
    "sqlite": (
        "CREATE VIRTUAL TABLE release_words USING fts5("
        "words, detail = none, columnsize = 0, tokenize = \"ascii tokenchars '_=@'\")",
    ),
    "postgresql": (
        "CREATE TABLE release_words (place BIGINT NOT NULL CONSTRAINT pk_release_words PRIMARY KEY, "
        "words TSVECTOR NOT NULL)",
        "CREATE INDEX ix_release_words_words ON release_words USING gin (words) WITH (fastupdate = off)",
    ),
}


def upgrade() -> None:
    for statement in SEARCH[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)
    op.add_column("release", sa.Column("place", ID, nullable=True))
    op.create_index("ix_release_unplaced", "release", ["id"], sqlite_where=UNPLACED, postgresql_where=UNPLACED)
    op.create_index("ix_release_made_public_at", "release", ["made_public_at", "id"])
    op.drop_index("ix_release_published_on_published_at_id", table_name="release")
    op.create_index("ix_release_newest", "release", ["published_on", "published_at", "made_public_at", "id"])
    op.create_table(
        "public_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", ID, nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_public_version")),
    )
    op.execute("INSERT INTO public_version (id, value) VALUES (1, 0)")
    op.add_column("issue", sa.Column("number", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE issue SET number = (SELECT count(*) FROM issue AS other WHERE NOT other.is_test"
        " AND other.newsletter_id = issue.newsletter_id AND other.id <= issue.id) WHERE NOT is_test"
    )
    op.create_index("uq_issue_newsletter_id_number", "issue", ["newsletter_id", "number"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_issue_newsletter_id_number", table_name="issue")
    op.drop_column("issue", "number")
    op.drop_table("public_version")
    op.drop_index("ix_release_newest", table_name="release")
    op.create_index(
        "ix_release_published_on_published_at_id", "release", ["published_on", "published_at", "id"]
    )
    op.drop_index("ix_release_made_public_at", table_name="release")
    op.drop_index("ix_release_unplaced", table_name="release")
    op.drop_column("release", "place")
    op.execute("DROP TABLE release_words")
