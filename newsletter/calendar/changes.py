"""Change hours, zones and rules, so that no date is lost to anybody and none comes twice.

A date's wave is looked up by its instant. If an hour changes, the new instant of a date may have passed. The
old one may still be to come, or its wave may be unfinished, because it waits for an approval. Then the old
instant holds for that date. If the new instant is still to come, its wave takes the subscriber, even if an
earlier wave of that date had nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.calendar.plan import OLDEST, Calendar, Hour, days_between
from newsletter.calendar.rules import DAY
from newsletter.calendar.store import load_calendar
from newsletter.models import (
    Frequency,
    KeptInstant,
    NewsletterCalendar,
    PersonalInstant,
    Subscription,
    SubscriptionState,
    Wave,
    WaveState,
    insert_new,
)

# The date and the instant of each wave that is still being prepared.
Unfinished = Set[tuple[date, datetime]]


def move_hour(session: Session, subscriber_id: int, before: Hour, after: Hour, now: datetime) -> None:
    """Record that a subscriber changes from one hour to another. The caller has locked the subscriber.

    It locks all calendars, and so waits until no wave is being opened. Those of newsletters without this
    subscriber look again too, because the subscriber may join them before they would.
    """
    if before == after:
        return
    theirs = select(Subscription.newsletter_id).where(
        Subscription.subscriber_id == subscriber_id, Subscription.state == SubscriptionState.ACTIVE
    )
    joined = set(session.scalars(theirs.distinct()))
    rows = (
        select(NewsletterCalendar)
        .where(NewsletterCalendar.is_on.is_(True))
        .order_by(NewsletterCalendar.newsletter_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in session.scalars(rows).all():
        _look_again(row, now)
        if row.newsletter_id in joined:
            _move_in_newsletter(session, row, subscriber_id, before, after, now)


def _look_again(row: NewsletterCalendar, now: datetime) -> None:
    """Let the clock look again, because hours or dates change.

    If nothing was due up to now, the clock begins at this moment. Otherwise an earlier instant of the new
    hour would count as missed.
    """
    if row.next_at is not None and row.next_at > now:
        row.opened_to = max(row.opened_to or now, now)
    row.next_at = None


def _move_in_newsletter(
    session: Session, row: NewsletterCalendar, subscriber_id: int, before: Hour, after: Hour, now: datetime
) -> None:
    calendar = load_calendar(session, row)
    opened_to = row.opened_to or now
    passed = max(opened_to, now)
    mine = (
        PersonalInstant.subscriber_id == subscriber_id,
        PersonalInstant.newsletter_id == row.newsletter_id,
    )
    personal: dict[date, tuple[datetime, set[Frequency]]] = {}
    for each in session.scalars(select(PersonalInstant).where(*mine)):
        personal.setdefault(each.slot, (each.instant, set()))[1].add(each.frequency)
    session.execute(delete(PersonalInstant).where(*mine))
    unfinished = _unfinished(session, row.newsletter_id)
    for day in _open_dates(opened_to, unfinished, now):
        old, due_before = personal.get(day) or (calendar.instant(before, day), calendar.due(before, day))
        new, due_after = calendar.instant(after, day), calendar.due(after, day)
        waits = bool(due_before) and (old > opened_to or (day, old) in unfinished)
        if new > passed:
            due = due_after | due_before if waits else due_after
            chosen = (new, due) if due != due_after else None
        else:
            chosen = (old, frozenset(due_before)) if waits else None
        if chosen is not None:
            rows = [
                {
                    "subscriber_id": subscriber_id, "newsletter_id": row.newsletter_id, "slot": day,
                    "frequency": frequency, "instant": chosen[0],
                }
                for frequency in sorted(chosen[1])
            ]  # fmt: skip
            session.execute(insert_new(session, PersonalInstant), rows)


def change_calendar(
    session: Session, row: NewsletterCalendar, change: Callable[[NewsletterCalendar], None], now: datetime
) -> None:
    """Apply `change` to a calendar, whose row the caller has locked. Commits nothing."""
    before = load_calendar(session, row)
    change(row)
    if not row.is_on:
        return
    _look_again(row, now)
    opened_to = row.opened_to or now
    unfinished = _unfinished(session, row.newsletter_id)
    days = _open_dates(opened_to, unfinished, now)
    session.execute(
        delete(KeptInstant).where(KeptInstant.newsletter_id == row.newsletter_id, KeptInstant.slot.in_(days))
    )
    session.flush()
    after = load_calendar(session, row)
    for day in days:
        if _is_kept(before, after, day, opened_to, unfinished, now):
            session.add(
                KeptInstant(newsletter_id=row.newsletter_id, slot=day, instant=before.instant(None, day))
            )
    session.flush()


def _is_kept(
    before: Calendar,
    after: Calendar,
    day: date,
    opened_to: datetime,
    unfinished: Unfinished,
    now: datetime,
) -> bool:
    """Return whether the old instant of a date holds for those without an hour of their own."""
    old, new = before.instant(None, day), after.instant(None, day)
    waits = bool(before.due(None, day)) and (old > opened_to or (day, old) in unfinished)
    return waits and old != new and new <= max(opened_to, now) and bool(after.due(None, day))


def _open_dates(opened_to: datetime, unfinished: Unfinished, now: datetime) -> list[date]:
    """Return every date that may have a wave to come, and those with an unfinished one."""
    to_come = days_between(max(opened_to, now - OLDEST), now + DAY)
    return sorted({*to_come, *(day for day, _ in unfinished)})


def _unfinished(session: Session, newsletter_id: int) -> Unfinished:
    """Return the waves that are still being prepared, perhaps because they wait for an approval."""
    waves = select(Wave.slot, Wave.instant).where(
        Wave.newsletter_id == newsletter_id, Wave.state == WaveState.PREPARING
    )
    return {(slot, moment) for slot, moment in session.execute(waves)}
