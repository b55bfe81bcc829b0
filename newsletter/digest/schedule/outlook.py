"""What a schedule will do: its next dates, and the waves of an issue. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.calendar.plan import instants_of
from newsletter.calendar.rules import DATED, DAY
from newsletter.calendar.store import hours_in_use, load_calendar
from newsletter.digest.reach import count_would_reach
from newsletter.digest.select import Audience
from newsletter.models import (
    Frequency,
    Gathering,
    Issue,
    NewsletterCalendar,
    PersonalInstant,
    Wave,
    current_sequence,
)

# Every rule has several dates within this many days.
DAYS_AHEAD = 400


@dataclass(frozen=True)
class ComingDate:
    """A date of a schedule: its frequencies, its first and last instant, and how many instants it has.

    `subscribers` is how many would get it if it were now; None if they were not counted.
    """

    day: date
    frequencies: tuple[Frequency, ...]
    first_at: datetime
    last_at: datetime
    waves: int
    subscribers: int | None = None


@dataclass(frozen=True)
class WaveProgress:
    """How many waves of a scheduled issue were opened, of how many, and when the next one comes."""

    opened: int
    total: int
    next_at: datetime | None


def coming_dates(
    session: Session, row: NewsletterCalendar, now: datetime, limit: int = 10, *, counted: bool = False
) -> list[ComingDate]:
    """Return the next dates of a schedule whose last instant is still to come.

    With `counted`, each says how many subscribers would get it now. This reads the selections of all of them.
    """
    calendar, hours = load_calendar(session, row), hours_in_use(session)
    found: list[ComingDate] = []
    counts: dict[tuple[Frequency, ...], int] = {}
    day = now.date() - DAY * 2
    for _ in range(DAYS_AHEAD):
        instants = instants_of(calendar, hours, day)
        if instants and instants[-1] > now:
            due = {each for hour in hours for each in calendar.due(hour, day)}
            frequencies = tuple(each for each in DATED if each in due)
            if counted and frequencies not in counts:
                counts[frequencies] = count_would_reach(
                    session, Audience(row.newsletter_id, frequencies), current_sequence(session)
                )
            found.append(
                ComingDate(
                    day, frequencies, instants[0], instants[-1], len(instants), counts.get(frequencies)
                )
            )
        if len(found) == limit:
            break
        day += DAY
    return found


def wave_progress(session: Session, issue: Issue) -> WaveProgress | None:
    """Return the progress of an issue's waves; None if it has no date, or if its schedule has no calendar."""
    row = session.get(NewsletterCalendar, issue.newsletter_id)
    if issue.slot is None or row is None:
        return None
    opened = set(
        session.scalars(
            select(Wave.instant).where(Wave.newsletter_id == issue.newsletter_id, Wave.slot == issue.slot)
        )
    )
    personal = session.scalars(
        select(PersonalInstant.instant).where(
            PersonalInstant.newsletter_id == issue.newsletter_id, PersonalInstant.slot == issue.slot
        )
    )
    expected = {*instants_of(load_calendar(session, row), hours_in_use(session), issue.slot), *personal}
    later = [each for each in expected if row.is_on and row.opened_to and each > row.opened_to]
    return WaveProgress(len(opened), len(opened) + len(later), min(later, default=None))


def waves_in_words(session: Session, issue: Issue, zone: ZoneInfo) -> list[str]:
    """Return a sentence about the waves of a scheduled issue, or nothing if it has only one."""
    progress = wave_progress(session, issue)
    if progress is None or progress.total < 2:
        return []
    said = f"Wave {progress.opened} of {progress.total}"
    if progress.next_at is None:
        return [f"{said}, the last one."]
    return [f"{said}, next at {progress.next_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})."]


def gathering_opens_at(session: Session, newsletter_id: int) -> datetime | None:
    """Return when an issue "as it happens", which gathers releases now, will open. None if none does."""
    return session.scalar(select(Gathering.opens_at).where(Gathering.newsletter_id == newsletter_id))


def count_asked(session: Session, newsletter_id: int) -> int:
    """Return how many late waves wait for an answer."""
    asked = select(func.count()).where(Wave.newsletter_id == newsletter_id, Wave.asked.is_not(None))
    return session.scalar(asked) or 0
