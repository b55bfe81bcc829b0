"""Decide which waves are due, and what becomes of late ones. Pure."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from newsletter.calendar.instants import instant
from newsletter.calendar.rules import DATED, DAY, Rules
from newsletter.models import Frequency

# A subscriber's own time zone and hour; None for the newsletter's.
Hour = tuple[str, int] | None
# Waves that are older than this are passed over: a later date of each frequency has come since.
OLDEST = timedelta(days=40)
# A date begins at most 14 hours before its day in UTC, and ends at most 12 hours after it. One zone once
# skipped a whole day.
SPREAD_DAYS = 3


class Late(enum.StrEnum):
    """What becomes of a late wave."""

    SEND = "send"
    SKIP = "skip"
    ASK = "ask"


class LateRule(NamedTuple):
    """After how many hours a wave is late, and what becomes of it then."""

    hours: int
    then: Late


USUAL_LATE: Mapping[Frequency, LateRule] = {
    Frequency.DAILY: LateRule(6, Late.SKIP),
    Frequency.WEEKLY: LateRule(24, Late.SEND),
    Frequency.MONTHLY: LateRule(48, Late.SEND),
}


@dataclass(frozen=True)
class Calendar:
    """A newsletter's calendar, and what differs from its rules on some dates (models/tables/schedule.py)."""

    newsletter_id: int
    time_zone: str
    hour: int
    rules: Rules = field(default_factory=Rules)
    late: Mapping[Frequency, LateRule] = field(default_factory=lambda: USUAL_LATE)
    kept: Mapping[date, datetime] = field(default_factory=dict)
    again: Collection[tuple[date, Frequency, Hour]] = ()

    def instant(self, hour: Hour, day: date) -> datetime:
        """Return when a date comes for those with this hour."""
        if hour is not None:
            return instant(day, hour[1], hour[0])
        return self.kept.get(day) or instant(day, self.hour, self.time_zone)

    def due(self, hour: Hour, day: date) -> frozenset[Frequency]:
        """Return the frequencies that are due on a date for those with this hour."""
        return self.rules.due_on(day) | {
            frequency for slot, frequency, whose in self.again if slot == day and whose == hour
        }


class Personal(NamedTuple):
    """A row of PersonalInstant."""

    subscriber_id: int
    slot: date
    frequency: Frequency
    instant: datetime


@dataclass(frozen=True)
class Part:
    """Some frequencies of a wave, and the hours that they are for.

    It is also for those who have a personal instant of the wave.
    """

    frequencies: frozenset[Frequency]
    hours: frozenset[Hour]


@dataclass(frozen=True)
class PlannedWave:
    """A wave to be opened: the parts to send, and the late ones that wait for a person."""

    instant: datetime
    slot: date
    send: tuple[Part, ...]
    ask: tuple[Part, ...]


@dataclass(frozen=True)
class Plan:
    """The waves that are due, in order, and what is skipped because it is too late.

    `again` has the dates to add for skipped weekly and monthly issues. `personal` has the personal instants
    that are skipped.
    """

    waves: tuple[PlannedWave, ...]
    skipped: frozenset[tuple[date, Frequency]]
    again: frozenset[tuple[date, Frequency, Hour]]
    personal: tuple[Personal, ...]


def days_between(after: datetime, until: datetime) -> Iterator[date]:
    """Yield every date that may have an instant between these moments."""
    day, last = after.date() - DAY * SPREAD_DAYS, until.date() + DAY * SPREAD_DAYS
    while day <= last:
        yield day
        day += DAY


def make_plan(
    calendar: Calendar,
    hours: Iterable[Hour],
    personal: Iterable[Personal],
    after: datetime,
    now: datetime,
    late_from: Mapping[date, datetime] | None = None,
) -> Plan:
    """Return the waves that are due later than `after` and up to `now`.

    If several dates of a frequency were missed, only the last one counts, because its wave brings everything.
    The waves of a date in `late_from` are late only after that moment, because the issue was paused, or was
    not approved, until then.
    """
    late_from = late_from or {}
    after = max(after, now - OLDEST)
    found: dict[tuple[datetime, date], dict[Late, dict[Hour, set[Frequency]]]] = defaultdict(
        lambda: {Late.SEND: defaultdict(set), Late.ASK: defaultdict(set)}
    )
    alone: dict[tuple[datetime, date], dict[Late, set[Frequency]]] = defaultdict(
        lambda: {Late.SEND: set(), Late.ASK: set()}
    )
    skipped, again = set(), set()
    days = list(days_between(after, now))
    for hour in hours:
        last = _last_dates(calendar, hour, days, after, now, late_from)
        for frequency, (moment, day, verdict) in last.items():
            if verdict is not Late.SKIP:
                found[moment, day][verdict][hour].add(frequency)
                continue
            skipped.add((day, frequency))
            if frequency is not Frequency.DAILY:
                again.add((day + DAY, frequency, hour))
    lost = []
    for row in personal:
        verdict = _verdict(calendar, row.frequency, late_from.get(row.slot), row.instant, now)
        if verdict is Late.SKIP:
            skipped.add((row.slot, row.frequency))
            if row.frequency is not Frequency.DAILY:
                lost.append(row)
        else:
            alone[row.instant, row.slot][verdict].add(row.frequency)
    waves = tuple(
        PlannedWave(*key, *(_parts(found[key][each], alone[key][each]) for each in (Late.SEND, Late.ASK)))
        for key in sorted({*found, *alone})
    )
    return Plan(waves, frozenset(skipped), frozenset(again), tuple(lost))


def next_instant(
    calendar: Calendar, hours: Iterable[Hour], personal: Iterable[datetime], now: datetime
) -> datetime:
    """Return when the next wave is due after `now`, at most a day ahead."""
    days = list(days_between(now, now + DAY))
    moments = [
        moment
        for hour in hours
        for day in days
        if (moment := calendar.instant(hour, day)) > now and calendar.due(hour, day)
    ]
    return min([now + DAY, *moments, *(each for each in personal if each > now)])


def instants_of(calendar: Calendar, hours: Iterable[Hour], day: date) -> list[datetime]:
    """Return the instants of a date, in order."""
    return sorted({calendar.instant(each, day) for each in hours if calendar.due(each, day)})


def _last_dates(
    calendar: Calendar,
    hour: Hour,
    days: Iterable[date],
    after: datetime,
    now: datetime,
    late_from: Mapping[date, datetime],
) -> dict[Frequency, tuple[datetime, date, Late]]:
    """Return the last due date of each frequency for one hour: its instant, the date and the verdict."""
    last: dict[Frequency, tuple[datetime, date, Late]] = {}
    more: frozenset[Frequency] = frozenset()
    for day in days:
        moment = calendar.instant(hour, day)
        due, more = calendar.due(hour, day) | more, frozenset()
        # A kept instant can be later than that of the next date, so the dates that follow count too.
        if not after < moment <= now:
            continue
        for frequency in DATED:
            if frequency not in due:
                continue
            verdict = _verdict(calendar, frequency, late_from.get(day), moment, now)
            last[frequency] = (moment, day, verdict)
            if verdict is Late.SKIP and frequency is not Frequency.DAILY:
                more |= {frequency}
    return last


def _verdict(
    calendar: Calendar, frequency: Frequency, late_from: datetime | None, moment: datetime, now: datetime
) -> Late:
    rule = calendar.late[frequency]
    late = now - (moment if late_from is None else max(moment, late_from))
    return rule.then if late > timedelta(hours=rule.hours) else Late.SEND


def _parts(hours: Mapping[Hour, set[Frequency]], alone: set[Frequency]) -> tuple[Part, ...]:
    """Group the hours that have the same frequencies."""
    by_frequencies: dict[frozenset[Frequency], set[Hour]] = defaultdict(set)
    for hour, frequencies in hours.items():
        by_frequencies[frozenset(frequencies)].add(hour)
    left = alone - {each for frequencies in by_frequencies for each in frequencies}
    if left:
        by_frequencies[frozenset(left)] = set()
    return tuple(Part(frequencies, frozenset(whose)) for frequencies, whose in by_frequencies.items())
