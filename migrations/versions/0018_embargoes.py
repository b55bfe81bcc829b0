"""Store until when a release is under embargo."""

import sqlalchemy as sa
from alembic import op


revision = "0018"
down_revision = "0017"

EMBARGOED = sa.text("embargo_until IS NOT NULL")


def upgrade() -> None:
    op.add_column("release", sa.Column("embargo_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_release_embargo_until",
        "release",
        ["embargo_until"],
        sqlite_where=EMBARGOED,
        postgresql_where=EMBARGOED,
    )


def downgrade() -> None:
    op.drop_index("ix_release_embargo_until", table_name="release")
    with op.batch_alter_table("release") as batch:
        batch.drop_column("embargo_until")
