"""What the clock does for approvals: add the dates, ask for them, and close a date that nobody approved.

The caller has locked the calendar's row, except for `forget_approvals`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter.calendar.instants import zone_of
from newsletter.calendar.plan import Calendar, Hour, Personal, PlannedWave, days_between, instants_of
from newsletter.calendar.rules import DAY
from newsletter.calendar.store import hour_of
from newsletter.digest.issues import something_waits
from newsletter.digest.schedule.approval import (
    frequencies_of,
    hours_ahead,
    open_rows,
    settle_questions,
    subject_of,
)
from newsletter.models import (
    Frequency,
    Newsletter,
    NewsletterCalendar,
    PersonalInstant,
    SlotApproval,
    Subscriber,
    Wave,
    WaveState,
    current_sequence,
    insert_new,
)
from newsletter.notices import NoticeKind, settle_quiet, tell_owner

# While nothing waits for anybody, we look again after this time.
LOOK_AGAIN = timedelta(minutes=5)
# A reminder comes when this part of the time is left, and another one when the first emails are due.
LEFT_AT_REMINDER = 4


def late_from(session: Session, newsletter_id: int, now: datetime) -> dict[date, datetime]:
    """Return from when the waves of dates with an approval can be late."""
    return {row.slot: row.approved_at or now for row in open_rows(session, newsletter_id)}


def add_dates(
    session: Session,
    row: NewsletterCalendar,
    calendar: Calendar,
    hours: Sequence[Hour],
    personal: Collection[Personal],
    now: datetime,
) -> None:
    """Add a row for each date that begins within the hours of the setting, so that its waves wait.

    A date whose first wave was opened before the setting was turned on needs no approval. If the setting is
    off, dates whose first wave is still to come need none any more.
    """
    hours_before = hours_ahead(row)
    if hours_before is None:
        _forget_if_not_begun(session, row.newsletter_id, now)
        return
    opened_to = row.opened_to or now
    known = {each.slot for each in open_rows(session, row.newsletter_id)}
    until = now + timedelta(hours=hours_before)
    for day in days_between(opened_to, until):
        first = _first_instant(calendar, hours, personal, day, opened_to)
        if first is not None and first <= until and day not in known:
            _add(session, row.newsletter_id, day, first)


def add_planned(session: Session, row: NewsletterCalendar, waves: Iterable[PlannedWave]) -> None:
    """Add a row for each date of these waves that has none.

    After an outage, a weekly date can be due again on a date that has passed. No rule has that date.
    """
    if hours_ahead(row) is not None:
        for each in waves:
            _add(session, row.newsletter_id, each.slot, each.instant)


def _add(session: Session, newsletter_id: int, day: date, first_at: datetime) -> None:
    if not _has_wave(session, newsletter_id, day):
        values = {"newsletter_id": newsletter_id, "slot": day, "first_at": first_at, "reminders": 0}
        session.execute(insert_new(session, SlotApproval).values(values))


def close_missed(
    session: Session,
    calendar: Calendar,
    hours: Sequence[Hour],
    waves: Iterable[PlannedWave],
    now: datetime,
) -> set[tuple[date, Frequency, Hour]]:
    """Close each unapproved date that is before a date whose wave opens now.

    Returns what is due again: weekly and monthly issues of these dates, on the date that closes them.
    """
    opening = sorted({each.slot for each in waves})
    again: set[tuple[date, Frequency, Hour]] = set()
    slug = session.get_one(Newsletter, calendar.newsletter_id).slug
    for row in _unapproved(session, calendar.newsletter_id):
        later = next((each for each in opening if each > row.slot), None)
        if later is None:
            continue
        for hour in hours:
            if calendar.instant(hour, row.slot) >= row.first_at:
                due = calendar.due(hour, row.slot) - {Frequency.DAILY}
                again |= {(later, each, hour) for each in due}
        again |= _personally_due(session, row, later)
        _close(session, row, slug, now)
        if row.asked_at is not None:
            detail = {"newsletter": slug, "date": str(row.slot), "next": str(later)}
            tell_owner(session, NoticeKind.APPROVAL_MISSED, subject_of(slug, row.slot), now, **detail)
    return again


def ask(
    session: Session,
    row: NewsletterCalendar,
    calendar: Calendar,
    hours: Sequence[Hour],
    personal: Collection[Personal],
    now: datetime,
) -> datetime | None:
    """Ask for approvals, remind of them, and end dates that are over; return when to look again.

    None if nothing has to be looked at. `row.opened_to` is `now`.
    """
    slug = session.get_one(Newsletter, row.newsletter_id).slug
    moments = []
    for each in open_rows(session, row.newsletter_id):
        first = _first_instant(calendar, hours, personal, each.slot, now)
        has_wave = _has_wave(session, row.newsletter_id, each.slot)
        if each.approved_at is not None:
            if first is None and not _has_wave(session, row.newsletter_id, each.slot, WaveState.PREPARING):
                each.ended_at = now
            elif first is None:
                moments.append(now + LOOK_AGAIN)
        elif first is None and not has_wave:
            _forget(session, each, slug, now)  # the rules have changed, and this is no date any more
        else:
            if first is not None and not has_wave:
                each.first_at = first
            moments.append(_ask(session, row, slug, each, frequencies_of(calendar, hours, each.slot), now))
    hours_before = hours_ahead(row)
    if hours_before is not None:
        ahead = timedelta(hours=hours_before)
        later = [
            first - ahead
            for day in days_between(now + ahead, now + ahead + DAY)
            if (first := _first_instant(calendar, hours, personal, day, now + ahead)) is not None
        ]
        moments += later
    for kind in (NoticeKind.APPROVAL_MISSED, NoticeKind.APPROVED_CHANGED):
        settle_quiet(session, kind, now - DAY * 7, now)
    return min((each for each in moments if each > now), default=None)


def forget_approvals(session: Session, newsletter_id: int, now: datetime) -> None:
    """End every wait for an approval, because the schedule was turned off. Commits nothing."""
    _forget_if_not_begun(session, newsletter_id, now)
    slug = session.get_one(Newsletter, newsletter_id).slug
    for row in _unapproved(session, newsletter_id):
        _close(session, row, slug, now)


def _forget_if_not_begun(session: Session, newsletter_id: int, now: datetime) -> None:
    slug = session.get_one(Newsletter, newsletter_id).slug
    for row in _unapproved(session, newsletter_id):
        if not _has_wave(session, newsletter_id, row.slot):
            _forget(session, row, slug, now)


def _ask(
    session: Session,
    row: NewsletterCalendar,
    slug: str,
    approval: SlotApproval,
    frequencies: Sequence[Frequency],
    now: datetime,
) -> datetime:
    """Ask for one approval or remind of it, if it is time; return when to look again."""
    hours = hours_ahead(row) or 0
    stages = [approval.first_at - timedelta(hours=hours) / LEFT_AT_REMINDER, approval.first_at]
    stage = sum(each <= now for each in stages)
    if approval.asked_at is None:
        if not something_waits(session, row.newsletter_id, frequencies, current_sequence(session)):
            return now + LOOK_AGAIN
        approval.asked_at, approval.reminders = now, stage
        _tell_approver(session, row, slug, approval, NoticeKind.APPROVAL_ASKED, now)
    elif stage > approval.reminders:
        approval.reminders = stage
        settle_questions(session, slug, approval.slot, now)
        _tell_approver(session, row, slug, approval, NoticeKind.APPROVAL_REMINDER, now)
    return next((each for each in stages if each > now), now + DAY)


def _tell_approver(
    session: Session,
    row: NewsletterCalendar,
    slug: str,
    approval: SlotApproval,
    kind: NoticeKind,
    now: datetime,
) -> None:
    detail = {
        "newsletter": slug,
        "date": str(approval.slot),
        "when": f"{approval.first_at.astimezone(zone_of(row.time_zone)):%Y-%m-%d %H:%M} ({row.time_zone})",
        "page": f"/admin/newsletters/{slug}/approve/{approval.slot}",
        "send_to": row.approver,
    }
    tell_owner(session, kind, subject_of(slug, approval.slot), now, **detail)


def _unapproved(session: Session, newsletter_id: int) -> list[SlotApproval]:
    return [each for each in open_rows(session, newsletter_id) if each.approved_at is None]


def _close(session: Session, row: SlotApproval, slug: str, now: datetime) -> None:
    row.ended_at = now
    waves = update(Wave).where(Wave.newsletter_id == row.newsletter_id, Wave.slot == row.slot)
    session.execute(waves.values(state=WaveState.DONE, asked=None))
    settle_questions(session, slug, row.slot, now)


def _forget(session: Session, row: SlotApproval, slug: str, now: datetime) -> None:
    settle_questions(session, slug, row.slot, now)
    session.delete(row)
    session.flush()


def _personally_due(session: Session, row: SlotApproval, later: date) -> set[tuple[date, Frequency, Hour]]:
    """Return the frequencies and hours that are due again at `later`, on the next date.

    They are those of subscribers who have a personal instant of the closed date.
    """
    chosen = (
        select(Subscriber, PersonalInstant.frequency)
        .join(PersonalInstant, PersonalInstant.subscriber_id == Subscriber.id)
        .where(PersonalInstant.newsletter_id == row.newsletter_id, PersonalInstant.slot == row.slot)
    )
    return {
        (later, frequency, hour_of(subscriber))
        for subscriber, frequency in session.execute(chosen)
        if frequency is not Frequency.DAILY
    }


def _first_instant(
    calendar: Calendar, hours: Iterable[Hour], personal: Iterable[Personal], day: date, after: datetime
) -> datetime | None:
    instants = [*instants_of(calendar, hours, day), *(each.instant for each in personal if each.slot == day)]
    return min((each for each in instants if each > after), default=None)


def _has_wave(session: Session, newsletter_id: int, slot: date, state: WaveState | None = None) -> bool:
    counted = select(func.count()).where(Wave.newsletter_id == newsletter_id, Wave.slot == slot)
    return bool(session.scalar(counted if state is None else counted.where(Wave.state == state)))
