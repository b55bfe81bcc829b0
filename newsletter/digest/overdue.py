"""Find overdue issues: ready releases that wait longer than their subscribers' frequency promises."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, String, and_, case, cast, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session

from newsletter.calendar.store import calendars_on
from newsletter.models import (
    AuditEntry,
    Frequency,
    Issue,
    IssueState,
    Newsletter,
    Release,
    ReleaseState,
    ReleaseTopic,
    Subscriber,
    Subscription,
    Topic,
    rows_as_table,
)
from newsletter.models.release_languages import stored_choice_wants

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
    """How many ready releases an issue of `frequency` of a newsletter should have brought by now."""

    newsletter_id: int
    frequency: Frequency
    releases: int


def find_overdue(session: Session, now: datetime) -> list[Overdue]:
    """Return the issues that are overdue: a ready release waits longer than the interval of a frequency.

    They are ordered by newsletter and frequency. The wait begins when the release was added, or when it was
    last made ready. Subscriptions that began after the release do not count, nor do those of paused people.
    """
    served, scheduled = _served_to(session), set(calendars_on(session))
    found = []
    for frequency in Frequency:
        # A schedule that is on decides by itself when an issue is due.
        choosing = [each for each in _newsletters_with(session, frequency) if each not in scheduled]
        for newsletter_id, releases in _count_overdue(session, frequency, choosing, served, now):
            found.append(Overdue(newsletter_id, frequency, releases))
    order = list(Frequency)
    return sorted(found, key=lambda each: (each.newsletter_id, order.index(each.frequency)))


def count_waiting(session: Session) -> int:
    """Return how many ready releases wait for the next issue of any newsletter.

    A release waits if it is newer than the newsletter's last issue of a frequency that has subscribers.
    """
    served = _served_to(session)
    choosing = {frequency: set(_newsletters_with(session, frequency)) for frequency in Frequency}
    ends = []
    for newsletter_id in session.scalars(select(Newsletter.id)):
        last = served.get(newsletter_id, {})
        chosen = [each for each in Frequency if newsletter_id in choosing[each]]
        end = min(last.get(each, 0) for each in chosen) if chosen else max(last.values(), default=0)
        ends.append((newsletter_id, end))
    query = _above(session, select(func.count(ReleaseTopic.release_id.distinct())), ends)
    return session.scalar(query) or 0


def _newsletters_with(session: Session, frequency: Frequency) -> Collection[int]:
    """Return the ids of the newsletters that have an active subscription of this frequency."""
    chosen = exists().where(
        # A literal, so that the index is used.
        Subscription.state == literal_column("'active'"),
        Subscription.newsletter_id == Newsletter.id,
        Subscription.frequency == frequency,
    )
    return session.scalars(select(Newsletter.id).where(chosen).order_by(Newsletter.id)).all()


def _served_to(session: Session) -> Mapping[int, Mapping[Frequency, int]]:
    """Return the sequence up to which the issues of each newsletter and frequency brought releases."""
    names = cast(Issue.frequencies, String)
    ends = [func.max(case((names.contains(f'"{each}"'), Issue.to_sequence))) for each in Frequency]
    # A dropped issue counts as sent, because no later issue brings its releases.
    dropped = and_(Issue.drops_unsent, Issue.started_at.is_not(None))
    real = select(Issue.newsletter_id, *ends).where(
        Issue.is_test.is_(False), or_(Issue.state != IssueState.CANCELLED, dropped)
    )
    return {
        newsletter_id: {frequency: to for frequency, to in zip(Frequency, tos, strict=True) if to is not None}
        for newsletter_id, *tos in session.execute(real.group_by(Issue.newsletter_id))
    }


def _count_overdue(
    session: Session,
    frequency: Frequency,
    newsletters: Collection[int],
    served: Mapping[int, Mapping[Frequency, int]],
    now: datetime,
) -> list[tuple[int, int]]:
    """Return for each newsletter how many releases an issue of this frequency should have brought by now.

    A newsletter without such releases is left out.
    """
    before = now - INTERVALS[frequency] - GRACE
    freed_since = select(AuditEntry.subject).where(
        AuditEntry.action == "release.ready", AuditEntry.at > before
    )
    first = func.coalesce(ReleaseTopic.first_sequence, ReleaseTopic.sequence)
    waited_for = exists().where(
        Subscription.state == literal_column("'active'"),
        Subscription.topic_id == ReleaseTopic.topic_id,
        Subscription.frequency == frequency,
        Subscription.started_sequence < first,
        Subscription.subscriber_id == Subscriber.id,
        stored_choice_wants(Subscriber.release_languages, Release.language),
        or_(Subscriber.snoozed_until.is_(None), Subscriber.snoozed_until <= now),
    )
    counted = select(Topic.newsletter_id, func.count(ReleaseTopic.release_id.distinct()))
    ends = [(each, served.get(each, {}).get(frequency, 0)) for each in newsletters]
    waits = _above(session, counted, ends).where(
        Release.created_at <= before, Release.public_id.not_in(freed_since), waited_for
    )
    return [(each, count) for each, count in session.execute(waits.group_by(Topic.newsletter_id))]


def _above(
    session: Session, query: Select[*tuple[Any, ...]], ends: Collection[tuple[int, int]]
) -> Select[*tuple[Any, ...]]:
    """Select from the ready releases above a sequence; `ends` has it for each newsletter."""
    given = rows_as_table(session, {"newsletter_id": int, "served": int}, list(ends))
    return (
        query.select_from(given)
        .join(Topic, Topic.newsletter_id == given.c.newsletter_id)
        .join(ReleaseTopic, and_(ReleaseTopic.topic_id == Topic.id, ReleaseTopic.sequence > given.c.served))
        .join(Release, Release.id == ReleaseTopic.release_id)
        .where(Release.state == ReleaseState.READY)
    )
