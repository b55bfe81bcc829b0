"""Cancel waiting emails of the removed template "brake", which could never be built."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op


revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # Instead, a notice to the owner is open while sign-ups are held.
    names = ("lane", "template", "state", "leased_by")
    times = ("settled_at", "leased_until", "build_failed_at")
    delivery = sa.table(
        "delivery",
        *(sa.column(name, sa.String()) for name in names),
        *(sa.column(name, sa.DateTime(timezone=True)) for name in times),
    )
    now = datetime.now(UTC)
    if op.get_bind().dialect.name == "sqlite":
        now = now.replace(tzinfo=None)
    waiting = (
        (delivery.c.lane == "single")
        & (delivery.c.template == "brake")
        & delivery.c.state.in_(["queued", "deferred", "leased"])
    )
    op.execute(
        delivery.update()
        .where(waiting)
        .values(state="cancelled", settled_at=now, leased_by=None, leased_until=None, build_failed_at=None)
    )


def downgrade() -> None:
    pass
