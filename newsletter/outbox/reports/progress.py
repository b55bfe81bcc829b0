"""The progress of an issue and the health of the outbox, counted from the deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import UNSETTLED, Delivery, DeliveryState, Issue, IssueState, Lane, is_single
from newsletter.outbox.journals.journal import worker_host

# The rate is measured over the last minute.
WINDOW = timedelta(seconds=60)


@dataclass(frozen=True)
class Progress:
    """The deliveries of one issue by state. `rate` is how many are settled a second.

    `later` deliveries wait for their subscriber's own hour. The last of these hours is `last_hour_at`, in
    `hours_last_seconds`.
    """

    by_state: Mapping[DeliveryState, int]
    rate: float
    later: int = 0
    last_hour_at: datetime | None = None
    hours_last_seconds: float = 0.0

    @property
    def total(self) -> int:
        """All deliveries of the issue."""
        return sum(self.by_state.values())

    @property
    def waiting(self) -> int:
        """Deliveries that the outbox still works on."""
        return sum(self.by_state.get(state, 0) for state in UNSETTLED)

    @property
    def settled(self) -> int:
        """Deliveries whose state the outbox will not change."""
        return self.total - self.waiting

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until no delivery waits, at the present rate; None while due deliveries are not sent."""
        now_due = self.waiting - self.later
        if not self.waiting or (now_due and not self.rate):
            return None
        return max(now_due / self.rate if now_due else 0.0, self.hours_last_seconds)


def progress(session: Session, issue_id: int, now: datetime) -> Progress:
    """Return the progress of an issue."""
    counted = session.execute(
        select(Delivery.state, func.count()).where(Delivery.issue_id == issue_id).group_by(Delivery.state)
    )
    by_state = {state: int(count) for state, count in counted}
    recent = session.execute(
        select(func.count(), func.min(Delivery.settled_at)).where(
            Delivery.issue_id == issue_id, Delivery.settled_at > now - WINDOW
        )
    ).one()
    later, last = _own_hours(session, issue_id, now)
    count, earliest = recent
    seconds = max((now - earliest).total_seconds(), 1.0) if earliest else 1.0
    left = (last - now).total_seconds() if last else 0.0
    return Progress(by_state, count / seconds if count else 0.0, later, last, left)


def _own_hours(session: Session, issue_id: int, now: datetime) -> tuple[int, datetime | None]:
    """Return how many subscribers of an issue wait for their own hour, and the last of these hours."""
    if not session.scalar(select(Issue.own_hour).where(Issue.id == issue_id)):
        return 0, None
    waiting = select(func.count(), func.max(Delivery.due_at)).where(
        Delivery.issue_id == issue_id, Delivery.state == DeliveryState.QUEUED, Delivery.due_at > now
    )
    count, last = session.execute(waiting).one()
    return int(count), last


@dataclass(frozen=True)
class Health:
    """The state of the outbox: unsettled deliveries by state, and how long the oldest single email waits."""

    by_state: Mapping[DeliveryState, int]
    oldest_single_seconds: float | None
    # How many deliveries each host's workers hold with an expired lease.
    overdue: Mapping[str, int]


def health(session: Session, now: datetime) -> Health:
    """Return the health of the outbox: what waits to be sent, and what waits for a person."""
    looked_at = (*UNSETTLED, DeliveryState.UNCERTAIN)
    active = select(Issue.id).where(Issue.state.not_in((IssueState.FINISHED, IssueState.CANCELLED)))
    by_state: dict[DeliveryState, int] = {}
    for mine in (is_single(), Delivery.issue_id.in_(active) & (Delivery.lane == Lane.BULK)):
        counted = session.execute(
            select(Delivery.state, func.count())
            .where(mine, Delivery.state.in_(looked_at))
            .group_by(Delivery.state)
        )
        for state, count in counted:
            by_state[state] = by_state.get(state, 0) + int(count)
    oldest = session.scalar(
        select(func.min(Delivery.due_at)).where(is_single(), Delivery.state == DeliveryState.QUEUED)
    )
    return Health(by_state, (now - oldest).total_seconds() if oldest else None, overdue_leases(session, now))


def overdue_leases(session: Session, now: datetime) -> dict[str, int]:
    """Return how many deliveries each host holds with an expired lease.

    Each host decides the deliveries of its own dead workers within seconds. So such a host has no network, is
    very slow, or is lost. A person must decide that (`newsletter digest lost-host`).
    """
    held = (
        select(Delivery.leased_by, func.count())
        .where(Delivery.leased_by.is_not(None), Delivery.leased_until < now)
        .group_by(Delivery.leased_by)
    )
    found: dict[str, int] = {}
    for worker, count in session.execute(held):
        host = worker_host(worker or "")
        found[host] = found.get(host, 0) + int(count)
    return found
