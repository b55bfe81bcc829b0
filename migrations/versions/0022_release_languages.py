"""Store in which languages a subscriber wants releases, and find the releases' languages by an index."""

import sqlalchemy as sa
from alembic import op


revision = "0022"
down_revision = "0021"

CHOSEN = sa.text("release_languages IS NOT NULL")


def upgrade() -> None:
    op.add_column("subscriber", sa.Column("release_languages", sa.String(255), nullable=True))
    op.create_index(
        "ix_subscriber_id_release_languages",
        "subscriber",
        ["id", "release_languages"],
        sqlite_where=CHOSEN,
        postgresql_where=CHOSEN,
    )
    op.create_index("ix_release_language", "release", ["language"])


def downgrade() -> None:
    op.drop_index("ix_release_language", table_name="release")
    op.drop_index("ix_subscriber_id_release_languages", table_name="subscriber")
    # Without a copy of the table, to which triggers refer.
    op.drop_column("subscriber", "release_languages")
