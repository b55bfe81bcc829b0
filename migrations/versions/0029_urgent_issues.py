"""Store when a release was marked as urgent, and the issue that sends it at once."""

import sqlalchemy as sa
from alembic import op


revision = "0029"
down_revision = "0028"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
URGENT = sa.text("urgent_release_id IS NOT NULL")
MARKED = sa.text("urgent")


def upgrade() -> None:
    op.add_column("release", sa.Column("urgent_from", MOMENT, nullable=True))
    op.add_column("release", sa.Column("urgent_by", sa.String(320), server_default=sa.text("''"), nullable=False))
    op.add_column("release", sa.Column("urgent_asked_at", MOMENT, nullable=True))
    op.create_index("ix_release_urgent", "release", ["id"], sqlite_where=MARKED, postgresql_where=MARKED)
    op.add_column("issue", sa.Column("urgent_release_id", ID, nullable=True))
    op.create_index(
        "uq_issue_urgent_release_id",
        "issue",
        ["urgent_release_id", "newsletter_id"],
        unique=True,
        sqlite_where=URGENT,
        postgresql_where=URGENT,
    )


def downgrade() -> None:
    op.drop_index("uq_issue_urgent_release_id", table_name="issue")
    op.drop_column("issue", "urgent_release_id")
    op.drop_index("ix_release_urgent", table_name="release")
    for name in ("urgent_asked_at", "urgent_by", "urgent_from"):
        op.drop_column("release", name)
