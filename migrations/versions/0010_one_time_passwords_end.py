"""Let one-time passwords expire after 72 hours, and delete rate limit keys that hold addresses."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op


revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("admin_user") as table:
        table.add_column(sa.Column("one_time_until", sa.DateTime(timezone=True), nullable=True))
    # We do not know when existing one-time passwords were made, so their 72 hours begin now.
    users = sa.table(
        "admin_user",
        sa.column("one_time_until", sa.DateTime(timezone=True)),
        sa.column("must_change", sa.Boolean()),
    )
    until = datetime.now(UTC) + timedelta(hours=72)
    if op.get_bind().dialect.name == "sqlite":
        until = until.replace(tzinfo=None)
    op.execute(users.update().where(users.c.must_change).values(one_time_until=until))
    # These keys held networks and the addresses of accounts.
    op.execute("DELETE FROM throttle_bucket WHERE key LIKE 'signin:%' OR key LIKE 'test:%'")


def downgrade() -> None:
    with op.batch_alter_table("admin_user") as table:
        table.drop_column("one_time_until")
