"""Find overdue issues: ready releases that wait longer than their subscribers' frequency promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from newsletter.models import (
    AuditEntry,
    Frequency,
    Issue,
    IssueState,
    Release,
    ReleaseState,
    ReleaseTopic,
    Subscriber,
    Subscription,
    SubscriptionState,
)

# A ready release is overdue if it waits for an issue longer than the interval of the frequency plus GRACE.
INTERVALS: Mapping[Frequency, timedelta] = {
    Frequency.IMMEDIATE: timedelta(days=1),
    Frequency.DAILY: timedelta(days=1),
    Frequency.WEEKLY: timedelta(days=7),
    Frequency.MONTHLY: timedelta(days=31),
}
GRACE = timedelta(hours=12)


@dataclass(frozen=True)
class Overdue:
    """How many ready releases an issue of `frequency` should have brought by now."""

    frequency: Frequency
    releases: int


def find_overdue(session: Session, now: datetime) -> list[Overdue]:
    """Return the frequencies whose issue is overdue: a ready release waits longer than the interval.

    The wait begins when the release was added, or when it was last made ready. Subscriptions that began after
    the release, and those of paused subscribers, do not count.
    """
    floors = _floors(session, now)
    served = served_to(session, floors)
    found = [
        Overdue(frequency, _count(session, topics, served[frequency], now - INTERVALS[frequency] - GRACE))
        for frequency, topics in floors.items()
    ]
    return [each for each in found if each.releases]


def count_waiting(session: Session) -> int:
    """Return how many ready releases are newer than the last issue of some frequency that somebody chose."""
    query = (
        select(func.count(ReleaseTopic.release_id.distinct()))
        .join(Release, Release.id == ReleaseTopic.release_id)
        .where(Release.state == ReleaseState.READY, ReleaseTopic.sequence > _served_to_all(session))
    )
    return session.scalar(query) or 0


def _served_to_all(session: Session) -> int:
    """Return the sequence up to which an issue has served every frequency that somebody chose."""
    chosen = [
        frequency
        for frequency in Frequency
        if session.scalar(
            select(Subscription.id)
            .where(Subscription.state == SubscriptionState.ACTIVE, Subscription.frequency == frequency)
            .limit(1)
        )
    ]
    if not chosen:
        sent = select(func.max(Issue.to_sequence)).where(
            Issue.is_test.is_(False), Issue.state != IssueState.CANCELLED
        )
        return session.scalar(sent) or 0
    return min(served_to(session, chosen).values())


def served_to(session: Session, frequencies: Iterable[Frequency]) -> dict[Frequency, int]:
    """Return the sequence up to which the last issue of each frequency brought releases; 0 without one."""
    missing = set(frequencies)
    ends = dict.fromkeys(missing, 0)
    issues = select(Issue.frequencies, Issue.to_sequence).where(
        Issue.is_test.is_(False), Issue.state != IssueState.CANCELLED
    )
    newest = issues.order_by(Issue.id.desc()).execution_options(yield_per=50)
    for chosen, to_sequence in session.execute(newest):
        for each in missing & {Frequency(name) for name in chosen}:
            ends[each] = to_sequence
            missing.discard(each)
        if not missing:
            break
    return ends


def _floors(session: Session, now: datetime) -> dict[Frequency, dict[int, int]]:
    """Return the lowest `started_sequence` of the active subscriptions, by frequency and topic."""
    awake = or_(Subscriber.snoozed_until.is_(None), Subscriber.snoozed_until <= now)
    query = (
        select(Subscription.frequency, Subscription.topic_id, func.min(Subscription.started_sequence))
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.state == SubscriptionState.ACTIVE, awake)
        .group_by(Subscription.frequency, Subscription.topic_id)
    )
    floors: dict[Frequency, dict[int, int]] = {}
    for frequency, topic_id, floor in session.execute(query):
        floors.setdefault(frequency, {})[topic_id] = floor
    return dict(sorted(floors.items(), key=lambda each: list(Frequency).index(each[0])))


def _count(session: Session, floors: Mapping[int, int], served: int, before: datetime) -> int:
    """Count the releases that were ready `before` and have a sequence above `served` and a topic's floor."""
    freed_since = select(AuditEntry.subject).where(
        AuditEntry.action == "release.ready", AuditEntry.at > before
    )
    waits = select(func.count(ReleaseTopic.release_id.distinct())).where(
        ReleaseTopic.sequence > served,
        or_(*(_above(topic_id, floor) for topic_id, floor in floors.items())),
        Release.state == ReleaseState.READY,
        Release.created_at <= before,
        Release.public_id.not_in(freed_since),
    )
    return session.scalar(waits.join(Release, Release.id == ReleaseTopic.release_id)) or 0


def _above(topic_id: int, floor: int) -> ColumnElement[bool]:
    first = func.coalesce(ReleaseTopic.first_sequence, ReleaseTopic.sequence)
    return and_(ReleaseTopic.topic_id == topic_id, first > floor)
