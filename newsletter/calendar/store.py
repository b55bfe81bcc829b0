"""Load and store calendars, and find the hours that subscribers chose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from newsletter.calendar.plan import USUAL_LATE, Calendar, Hour, Late, LateRule
from newsletter.calendar.rules import Rules
from newsletter.models import (
    DueAgain,
    Frequency,
    KeptInstant,
    NewsletterCalendar,
    Subscriber,
    WaitsAgain,
    current_sequence,
)

USUAL_HOUR = 8
USUAL_GATHER_MINUTES = 30
# How the newsletter's own hour is written in rows of DueAgain.
NO_HOUR = ("", -1)


def find_calendar(session: Session, newsletter_id: int, *, lock: bool = False) -> NewsletterCalendar | None:
    """Return the row of a newsletter's calendar, locked until the transaction ends if `lock`."""
    chosen = select(NewsletterCalendar).where(NewsletterCalendar.newsletter_id == newsletter_id)
    if lock:
        chosen = chosen.with_for_update().execution_options(populate_existing=True)
    return session.scalar(chosen)


def usual_calendar(newsletter_id: int, time_zone: str) -> NewsletterCalendar:
    """Return a new row with the default rules. It is not stored yet."""
    row = NewsletterCalendar(
        newsletter_id=newsletter_id,
        time_zone=time_zone,
        hour=USUAL_HOUR,
        gather_minutes=USUAL_GATHER_MINUTES,
        gather_releases=None,
        gathered_to=0,
        approval_hours=None,
        approver="",
        second_person=False,
        is_on=False,
        late=write_late(USUAL_LATE),
    )
    set_rules(row, Rules())
    return row


def rules_of(row: NewsletterCalendar) -> Rules:
    """Return the rules in a row."""
    return Rules(
        daily=frozenset(row.daily),
        weekly=frozenset(row.weekly),
        weekly_every=row.weekly_every,
        weekly_from=row.weekly_from,
        monthly_day=row.monthly_day,
        holidays=row.holidays,
    )


def set_rules(row: NewsletterCalendar, rules: Rules) -> None:
    """Write rules into a row."""
    row.daily, row.weekly = sorted(rules.daily), sorted(rules.weekly)
    row.weekly_every, row.weekly_from = rules.weekly_every, rules.weekly_from
    row.monthly_day, row.holidays = rules.monthly_day, rules.holidays


def late_of(row: NewsletterCalendar) -> dict[Frequency, LateRule]:
    """Return the late rules in a row."""
    return {Frequency(name): LateRule(int(hours), Late(then)) for name, (hours, then) in row.late.items()}


def write_late(late: Any) -> dict[str, Any]:
    """Return late rules as they are stored."""
    return {str(frequency): [rule.hours, str(rule.then)] for frequency, rule in late.items()}


def load_calendar(session: Session, row: NewsletterCalendar) -> Calendar:
    """Return a row as a calendar, with the dates that differ from its rules."""
    kept = select(KeptInstant.slot, KeptInstant.instant).where(KeptInstant.newsletter_id == row.newsletter_id)
    again = select(DueAgain.slot, DueAgain.frequency, DueAgain.time_zone, DueAgain.hour).where(
        DueAgain.newsletter_id == row.newsletter_id
    )
    return Calendar(
        newsletter_id=row.newsletter_id,
        time_zone=row.time_zone,
        hour=row.hour,
        rules=rules_of(row),
        late=late_of(row),
        kept={slot: moment for slot, moment in session.execute(kept)},
        again=frozenset(
            (slot, frequency, None if (zone, hour) == NO_HOUR else (zone, hour))
            for slot, frequency, zone, hour in session.execute(again)
        ),
    )


def hours_in_use(session: Session) -> list[Hour]:
    """Return the hours that subscribers chose, and None for the newsletter's own.

    Each query finds the next pair in the index. So the time depends on the number of pairs, not on that of
    subscribers.
    """
    found: list[Hour] = [None]
    pair = tuple_(Subscriber.time_zone, Subscriber.preferred_hour)
    chosen = select(Subscriber.time_zone, Subscriber.preferred_hour).where(
        Subscriber.preferred_hour.is_not(None)
    )
    ordered = chosen.order_by(Subscriber.time_zone, Subscriber.preferred_hour).limit(1)
    row = session.execute(ordered).one_or_none()
    while row is not None and row[1] is not None:
        found.append((row[0], row[1]))
        row = session.execute(ordered.where(pair > tuple_(row[0], row[1]))).one_or_none()
    return found


def hour_of(subscriber: Subscriber) -> Hour:
    """Return the hour that a subscriber chose."""
    return None if subscriber.preferred_hour is None else (subscriber.time_zone, subscriber.preferred_hour)


def start(session: Session, row: NewsletterCalendar, now: datetime) -> None:
    """Turn a schedule on. Dates whose instant has passed are not made up for. Commits nothing."""
    row.is_on, row.opened_to, row.next_at = True, now, None
    row.gathered_to = current_sequence(session)


def calendars_on(session: Session) -> Sequence[int]:
    """Return the newsletters whose schedules are on."""
    chosen = select(NewsletterCalendar.newsletter_id).where(NewsletterCalendar.is_on.is_(True))
    return session.scalars(chosen.order_by(NewsletterCalendar.newsletter_id)).all()


def calendar_in_use(session: Session, newsletter_id: int) -> Calendar | None:
    """Return the calendar of a newsletter whose schedule is on."""
    row = find_calendar(session, newsletter_id)
    return load_calendar(session, row) if row is not None and row.is_on else None


def tell_clock(session: Session, newsletters: Iterable[int]) -> None:
    """Note for the schedules that a release may wait again. New releases need no note."""
    rows = [{"newsletter_id": each} for each in sorted(set(newsletters))]
    if rows:
        session.execute(insert(WaitsAgain), rows)
