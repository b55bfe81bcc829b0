"""Open the waves that are due. Any host may call this at any time, also twice.

Opening a wave inserts its row. Who is in it, and up to which release, is decided when it is prepared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache

from sqlalchemy import Select, and_, bindparam, delete, or_, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.calendar.plan import (
    OLDEST,
    Calendar,
    Hour,
    Personal,
    Plan,
    PlannedWave,
    days_between,
    instants_of,
    make_plan,
    next_instant,
)
from newsletter.calendar.rules import DAY
from newsletter.calendar.store import NO_HOUR, find_calendar, hour_of, hours_in_use, load_calendar
from newsletter.digest.schedule import approval_dates
from newsletter.digest.schedule.approval import was_missed
from newsletter.digest.schedule.waves import write_parts
from newsletter.errors import StateConflict
from newsletter.models import (
    DueAgain,
    Frequency,
    Issue,
    IssueState,
    KeptInstant,
    Newsletter,
    NewsletterCalendar,
    PersonalInstant,
    Subscriber,
    Wave,
    WaveState,
    insert_new,
)
from newsletter.notices import NoticeKind, settle, settle_quiet, tell_owner

ACTOR = "schedule"


def due_calendars(session: Session, now: datetime) -> Sequence[int]:
    """Return the newsletters whose calendars have to be looked at now."""
    return session.scalars(_due_calendars(), {"now": now}).all()


@cache
def _due_calendars() -> Select[int]:
    due = or_(NewsletterCalendar.next_at.is_(None), NewsletterCalendar.next_at <= bindparam("now"))
    chosen = select(NewsletterCalendar.newsletter_id).where(NewsletterCalendar.is_on.is_(True), due)
    return chosen.order_by(NewsletterCalendar.newsletter_id)


def open_waves(session: Session, newsletter_id: int, now: datetime) -> int:
    """Open the waves of a newsletter that are due; return how many. Commits nothing."""
    row = find_calendar(session, newsletter_id, lock=True)
    if row is None or not row.is_on or (row.next_at is not None and row.next_at > now):
        return 0
    opened_to = row.opened_to or now
    if opened_to > now:  # another host's clock is ahead of ours
        return 0
    calendar, hours = load_calendar(session, row), hours_in_use(session)
    personal = _personal_instants(session, newsletter_id, opened_to)
    approval_dates.add_dates(session, row, calendar, hours, personal, now)
    waited = dict.fromkeys(_paused_dates(session, newsletter_id), now)
    waited |= approval_dates.late_from(session, newsletter_id, now)
    due = [each for each in personal if each.instant <= now]
    plan = make_plan(calendar, hours, due, opened_to, now, waited)
    approval_dates.add_planned(session, row, plan.waves)
    again = approval_dates.close_missed(session, calendar, hours, plan.waves, now)
    if again:
        _store_again(session, newsletter_id, again)
        calendar = load_calendar(session, row)
        plan = make_plan(calendar, hours, due, opened_to, now, waited)
    opened = sum(_open(session, calendar, hours, personal, wave) for wave in plan.waves)
    _make_due_again(session, calendar, plan, now)
    _tell_owner(session, newsletter_id, plan, now)
    _forget_old_rows(session, newsletter_id, now)
    row.opened_to = now
    session.flush()
    after = load_calendar(session, row)
    next_at = next_instant(after, hours, [each.instant for each in personal], now)
    row.next_at = min(filter(None, [next_at, approval_dates.ask(session, row, after, hours, personal, now)]))
    return opened


def answer_late(session: Session, newsletter_id: int, *, send: bool, actor: str, now: datetime) -> int:
    """Send or skip the late waves that wait for an answer; return how many. Commits nothing.

    What is skipped comes with the next date. Raises StateConflict if no wave waits.
    """
    row = find_calendar(session, newsletter_id, lock=True)
    waiting = select(Wave).where(Wave.newsletter_id == newsletter_id, Wave.asked.is_not(None))
    # A wave that is being prepared is left out: that process may wait for a subscriber who waits for us.
    locked = waiting.order_by(Wave.instant, Wave.slot).with_for_update(skip_locked=True)
    waves = session.scalars(locked.execution_options(populate_existing=True)).all()
    if row is None or not waves:
        raise StateConflict("No late issue waits for an answer.")
    if not send:
        _skip_asked(session, row, waves, now)
    for wave in waves:
        if send:
            before = wave.parts if wave.state is WaveState.PREPARING else []
            wave.parts = before + (wave.asked or [])
            wave.state, wave.prepared_to, wave.to_sequence = WaveState.PREPARING, 0, None
        wave.asked = None
    slug = _slug(session, newsletter_id)
    settle(session, NoticeKind.SCHEDULE_ASKS, slug, now)
    audit.record(session, actor, "schedule.late", slug, now, send=send, waves=len(waves))
    return len(waves)


def _open(
    session: Session,
    calendar: Calendar,
    hours: Sequence[Hour],
    personal: Iterable[Personal],
    wave: PlannedWave,
) -> int:
    last = [*instants_of(calendar, hours, wave.slot), *(p.instant for p in personal if p.slot == wave.slot)]
    _close_asked(session, calendar.newsletter_id, wave)
    is_over = was_missed(session, calendar.newsletter_id, wave.slot)
    values = {
        "newsletter_id": calendar.newsletter_id,
        "slot": wave.slot,
        "instant": wave.instant,
        "parts": write_parts(wave.send),
        "asked": None if is_over else write_parts(wave.ask) or None,
        "last_at": max([wave.instant, *last]),
        "state": WaveState.PREPARING if wave.send and not is_over else WaveState.DONE,
        "prepared_to": 0,
    }
    made = session.scalar(insert_new(session, Wave).values(values).returning(Wave.id))
    return int(made is not None)


def _close_asked(session: Session, newsletter_id: int, later: PlannedWave) -> None:
    """End the wait of late parts whose frequencies a later date brings."""
    comes = {each.value for part in (*later.send, *later.ask) for each in part.frequencies}
    waiting = select(Wave).where(
        Wave.newsletter_id == newsletter_id, Wave.asked.is_not(None), Wave.slot < later.slot
    )
    for wave in session.scalars(waiting.with_for_update(skip_locked=True)).all():
        left = [
            part | {"frequencies": [each for each in part["frequencies"] if each not in comes]}
            for part in wave.asked or []
        ]
        wave.asked = [part for part in left if part["frequencies"]] or None


def _personal_instants(session: Session, newsletter_id: int, after: datetime) -> list[Personal]:
    rows = select(
        PersonalInstant.subscriber_id,
        PersonalInstant.slot,
        PersonalInstant.frequency,
        PersonalInstant.instant,
    ).where(PersonalInstant.newsletter_id == newsletter_id, PersonalInstant.instant > after)
    return [Personal(*each) for each in session.execute(rows)]


def _paused_dates(session: Session, newsletter_id: int) -> set[date]:
    paused = select(Issue.slot).where(
        Issue.newsletter_id == newsletter_id, Issue.slot.is_not(None), Issue.state == IssueState.PAUSED
    )
    return {each for each in session.scalars(paused) if each is not None}


def _make_due_again(session: Session, calendar: Calendar, plan: Plan, now: datetime) -> None:
    """Store the dates on which skipped weekly and monthly issues are due again."""
    again = set(plan.again)
    people = {each.subscriber_id for each in plan.personal}
    found = session.scalars(select(Subscriber).where(Subscriber.id.in_(people)))
    hours = {each.id: hour_of(each) for each in found}
    for row in plan.personal:
        hour = hours[row.subscriber_id]
        again.add((_next_date(calendar, hour, row.slot, now), row.frequency, hour))
    _store_again(session, calendar.newsletter_id, again)


def _skip_asked(session: Session, row: NewsletterCalendar, waves: Iterable[Wave], now: datetime) -> None:
    """Let what waited for an answer come with the next date, which is the next day unless it is daily."""
    calendar, again = load_calendar(session, row), set()
    for wave in waves:
        for part in wave.asked or []:
            hours: list[Hour] = [(zone, hour) for zone, hour in part["hours"]]
            hours += [None] if part["own"] else []
            for frequency in map(Frequency, part["frequencies"]):
                if frequency is not Frequency.DAILY:
                    again |= {(_next_date(calendar, each, wave.slot, now), frequency, each) for each in hours}
    _store_again(session, row.newsletter_id, again)
    row.next_at = None


def _next_date(calendar: Calendar, hour: Hour, slot: date, now: datetime) -> date:
    """Return the first date after `slot` whose instant is still to come."""
    later = (day for day in days_between(now, now + DAY) if day > slot)
    return next(each for each in later if calendar.instant(hour, each) > now)


def _store_again(session: Session, newsletter_id: int, again: Iterable[tuple[date, Frequency, Hour]]) -> None:
    rows = [
        {
            "newsletter_id": newsletter_id, "slot": day, "frequency": frequency,
            "time_zone": (hour or NO_HOUR)[0], "hour": (hour or NO_HOUR)[1],
        }
        for day, frequency, hour in sorted(again, key=str)
    ]  # fmt: skip
    if rows:
        session.execute(insert_new(session, DueAgain), rows)


def _tell_owner(session: Session, newsletter_id: int, plan: Plan, now: datetime) -> None:
    """Tell the owner once about late issues that were skipped or that wait for an answer."""
    slug = _slug(session, newsletter_id)
    if plan.skipped:
        said = ", ".join(f"{day} ({each.words})" for day, each in sorted(plan.skipped))
        tell_owner(session, NoticeKind.SCHEDULE_SKIPPED, slug, now, dates=said)
    asked = sorted({wave.slot for wave in plan.waves if wave.ask})
    if asked:
        said = ", ".join(str(each) for each in asked)
        tell_owner(session, NoticeKind.SCHEDULE_ASKS, slug, now, dates=said)
    elif any(wave.send for wave in plan.waves):
        still = select(Wave.id).where(Wave.newsletter_id == newsletter_id, Wave.asked.is_not(None)).limit(1)
        if session.scalar(still) is None:
            settle(session, NoticeKind.SCHEDULE_ASKS, slug, now)
    settle_quiet(session, NoticeKind.SCHEDULE_SKIPPED, now - DAY * 7, now)


def _forget_old_rows(session: Session, newsletter_id: int, now: datetime) -> None:
    """Delete the exceptions of dates that are long past."""
    before = (now - OLDEST).date() - DAY * 7
    for model in (KeptInstant, PersonalInstant, DueAgain):
        session.execute(delete(model).where(and_(model.newsletter_id == newsletter_id, model.slot < before)))


def _slug(session: Session, newsletter_id: int) -> str:
    return session.get_one(Newsletter, newsletter_id).slug
