"""How far an issue is, and how healthy the outbox: counted from the deliveries themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import UNSETTLED, Delivery, DeliveryState, Issue, IssueState, Lane, is_single

# The rate is measured over the last minute of sending.
WINDOW = timedelta(seconds=60)


@dataclass(frozen=True)
class Progress:
    """Deliveries of one issue by state; `rate` is settled ones a second, `eta_seconds` what is left."""

    by_state: Mapping[DeliveryState, int]
    rate: float

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
        """Deliveries in a state that the outbox will not change by itself."""
        return self.total - self.waiting

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until nothing waits, at the present rate; None while nothing moves."""
        return self.waiting / self.rate if self.rate and self.waiting else None


def progress(session: Session, issue_id: int, now: datetime) -> Progress:
    """Return how far an issue is."""
    counted = session.execute(
        select(Delivery.state, func.count()).where(Delivery.issue_id == issue_id).group_by(Delivery.state)
    )
    by_state = {state: int(count) for state, count in counted}
    recent = session.execute(
        select(func.count(), func.min(Delivery.settled_at)).where(
            Delivery.issue_id == issue_id, Delivery.settled_at > now - WINDOW
        )
    ).one()
    count, earliest = recent
    seconds = max((now - earliest).total_seconds(), 1.0) if earliest else 1.0
    return Progress(by_state, count / seconds if count else 0.0)


@dataclass(frozen=True)
class Health:
    """The whole outbox: rows by state that are not settled, and how long the oldest single mail waits."""

    by_state: Mapping[DeliveryState, int]
    oldest_single_seconds: float | None


def health(session: Session, now: datetime) -> Health:
    """Return what waits in the outbox, and what waits for a person."""
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
    return Health(by_state, (now - oldest).total_seconds() if oldest else None)
