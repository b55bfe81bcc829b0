"""What a relay, or a recipient's domain, may get now: limits, a pace learnt from its replies, hours. Pure.

Everything is decided from a Standing (plain state) and the time. Turns are a timetable: one booking
ends where the next begins, whichever process asks, so no window of any length holds more than its
share. Hours and days are counted in slots, of which one more is remembered than the period has.

A clock that differs by less than SKEW between hosts is taken as the later one. One set back by more
moves what is remembered back with it, as if no time had passed: nothing stalls and nothing bursts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter.outbox.pacing.setup_refusals import Refusals
from newsletter.settings import Relay

SKEW = timedelta(seconds=30)
# A twentieth of an hour's or a day's messages is kept for those that somebody is waiting for.
BULK_SHARE = 0.95

# Multiplicative decrease, at most once in the time that replies to what is under way may take.
ROUND_TRIP = timedelta(seconds=10)
SLOWEST = 0.5
# Few replies tell no rate: a relay without a limit is taken to have been at this one.
GUESS = 10.0
# Additive increase: so much of the pace at which the trouble began, for each quiet interval.
QUIET = timedelta(seconds=15)
RAISE = 0.1
# At this many times the pace at which the trouble began, it is over.
FORGOTTEN = 2.0

# Failures further apart than this are two troubles.
ONE_OUTAGE = timedelta(minutes=10)


@dataclass(frozen=True)
class Limits:
    """At most so many messages; None is no limit."""

    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None

    @classmethod
    def of(cls, relay: Relay) -> Limits:
        """Return the limits of a relay of the settings."""
        return cls(relay.per_second, relay.per_hour, relay.per_day)


@dataclass(frozen=True)
class Period:
    """A period that messages are counted in, and the slots it is counted by."""

    seconds: int
    slot_seconds: int

    @property
    def kept(self) -> int:
        """How many slots count: the period's, the one under way, and one for turns booked ahead."""
        return self.seconds // self.slot_seconds + 2


HOUR = Period(3600, 60)
DAY = Period(86_400, 600)

Slots = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Learnt:
    """The pace that a slow-down reply set at `at`, and the one at which the trouble began."""

    per_second: float
    began_with: float
    at: datetime

    def pace(self, now: datetime) -> float | None:
        """Return the messages a second by now, or None when the trouble is over."""
        quiet = max(0, (now - self.at) // QUIET)
        pace = self.per_second + quiet * RAISE * self.began_with
        return pace if pace < FORGOTTEN * self.began_with else None


@dataclass(frozen=True)
class Standing:
    """What was sent lately, as of `seen_at`.

    `next_at` is the first turn nobody has. `spread_to` is where rows that must wait for a domain
    have been spread to. `hour` and `day` are counts by slot. `down_since` and `down_at` are the first
    and the last failure of an outage. `told_at` is when the owner was last told of refusals.
    """

    seen_at: datetime
    next_at: datetime | None = None
    spread_to: datetime | None = None
    hour: Slots = ()
    day: Slots = ()
    learnt: Learnt | None = None
    down_since: datetime | None = None
    down_at: datetime | None = None
    refusals: Refusals | None = None
    told_at: datetime | None = None


@dataclass(frozen=True)
class Turns:
    """`count` turns, the first `wait_seconds` from now, the next each `interval_seconds` later.

    With a count of 0, `wait_seconds` is when it is worth asking again.
    """

    count: int
    wait_seconds: float
    interval_seconds: float = 0.0
    first_at: datetime | None = None


def catch_up(standing: Standing, now: datetime) -> tuple[Standing, datetime]:
    """Return the standing as of now, and what the time is to be taken for."""
    behind = standing.seen_at - now
    if behind <= timedelta():
        return replace(standing, seen_at=now), now
    if behind <= SKEW:
        return standing, standing.seen_at

    def back(moment: datetime | None) -> datetime | None:
        return None if moment is None else moment - behind

    learnt = standing.learnt
    return Standing(
        seen_at=now,
        next_at=back(standing.next_at),
        spread_to=back(standing.spread_to),
        hour=_slots_back(standing.hour, behind, HOUR),
        day=_slots_back(standing.day, behind, DAY),
        learnt=learnt and replace(learnt, at=learnt.at - behind),
        down_since=back(standing.down_since),
        down_at=back(standing.down_at),
        refusals=standing.refusals and standing.refusals.moved_back(behind),
        told_at=back(standing.told_at),
    ), now


def pace_of(standing: Standing, limits: Limits, now: datetime) -> float | None:
    """Return the messages a second that may go now; None is as fast as the relay takes them."""
    learnt = standing.learnt.pace(now) if standing.learnt else None
    known = [pace for pace in (limits.per_second, learnt) if pace is not None]
    return min(known) if known else None


def book(
    standing: Standing,
    limits: Limits,
    count: int,
    now: datetime,
    *,
    ahead_seconds: float,
    share: float = 1.0,
) -> tuple[Standing, Turns]:
    """Book up to `count` turns that begin within `ahead_seconds`.

    `share` is the part of the hour's and the day's limits that may be used up.
    """
    standing, now = catch_up(standing, now)
    standing = replace(standing, hour=_recent(standing.hour, HOUR, now), day=_recent(standing.day, DAY, now))
    room, wait_seconds = _room(standing, limits, share, now)
    if room <= 0:
        return standing, Turns(0, wait_seconds)
    count = min(count, room)
    pace = pace_of(standing, limits, now)
    if pace is None:
        return _count(standing, limits, count, now), Turns(count, 0.0, 0.0, now)
    first = max(now, standing.next_at or now)
    wait_seconds = (first - now).total_seconds()
    count = min(count, math.floor((ahead_seconds - wait_seconds) * pace) + 1)
    if wait_seconds > ahead_seconds or count <= 0:
        return standing, Turns(0, wait_seconds)
    booked = replace(standing, next_at=_later(first, count / pace))
    return _count(booked, limits, count, now), Turns(count, wait_seconds, 1 / pace, first)


def give_back(
    standing: Standing, turns: Turns, unused: int, now: datetime, gone: int | None = None
) -> Standing:
    """Return the standing after `unused` of `turns` were not needed.

    The first `gone` of them (all others, when left out) stay on the timetable, and so does everything
    when somebody has booked behind them.
    """
    standing, now = catch_up(standing, now)
    if unused <= 0 or turns.first_at is None:
        return standing
    gone = turns.count - unused if gone is None else gone
    if turns.interval_seconds and standing.next_at == _later(
        turns.first_at, turns.count * turns.interval_seconds
    ):
        standing = replace(standing, next_at=_later(turns.first_at, gone * turns.interval_seconds))
    return replace(
        standing,
        hour=_uncount(standing.hour, HOUR, turns.first_at, unused),
        day=_uncount(standing.day, DAY, turns.first_at, unused),
    )


def spread(
    standing: Standing, per_second: float, count: int, now: datetime
) -> tuple[Standing, list[datetime]]:
    """Return when `count` waiting rows should be looked at again: at the limit's pace, behind those before.

    No turns are booked; but of a million rows for one domain, each is looked at about twice.
    """
    standing, now = catch_up(standing, now)
    first = max(now, standing.next_at or now, standing.spread_to or now)
    due = [_later(first, index / per_second) for index in range(count)]
    return replace(standing, spread_to=_later(first, count / per_second)), due


def slow_down(standing: Standing, limits: Limits, rate: float | None, now: datetime) -> Standing:
    """Return the standing after a reply that asked to send slower.

    `rate` is how fast we were, in messages a second, where enough is known to tell. Halves the pace,
    not below `SLOWEST`, and once only for all replies of one round trip.
    """
    standing, now = catch_up(standing, now)
    learnt = standing.learnt
    if learnt is not None and now - learnt.at < ROUND_TRIP:
        return standing
    allowed = pace_of(standing, limits, now)
    known = [pace for pace in (rate, allowed) if pace is not None]
    current = max(min(known, default=GUESS), min(SLOWEST, allowed or SLOWEST))
    going_on = learnt is not None and learnt.pace(now) is not None
    began_with = learnt.began_with if learnt is not None and going_on else current
    halved = max(current / 2, min(SLOWEST, current))
    return replace(standing, learnt=Learnt(halved, began_with, now))


def fail(standing: Standing, now: datetime) -> tuple[Standing, timedelta]:
    """Return the standing after the relay could not be talked to, and for how long that has been so."""
    standing, now = catch_up(standing, now)
    last, since = standing.down_at, standing.down_since
    if last is None or since is None or now - last > ONE_OUTAGE:
        since = now
    return replace(standing, down_since=since, down_at=now), now - since


def recovered(standing: Standing) -> Standing:
    """Return the standing after the relay answered."""
    return replace(standing, down_since=None, down_at=None)


_MOMENTS = ("next_at", "spread_to", "down_since", "down_at", "told_at")


def to_state(standing: Standing) -> dict[str, Any]:
    """Return what is to be stored, in JSON's types; times in microseconds."""
    state: dict[str, Any] = {"hour": standing.hour, "day": standing.day}
    for name in _MOMENTS:
        moment = getattr(standing, name)
        if moment is not None:
            state[name] = _micros(moment)
    if standing.refusals is not None:
        state["refusals"] = standing.refusals.to_state()
    if standing.learnt is not None:
        learnt = standing.learnt
        state["learnt"] = [learnt.per_second, learnt.began_with, _micros(learnt.at)]
    return {name: value for name, value in state.items() if value}


def from_state(state: Mapping[str, Any], seen_at: datetime) -> Standing:
    """Return what `to_state` stored."""
    learnt = state.get("learnt")
    moments = {name: _moment(state[name]) for name in _MOMENTS if name in state}
    return Standing(
        seen_at=seen_at,
        hour=tuple((slot, count) for slot, count in state.get("hour", ())),
        day=tuple((slot, count) for slot, count in state.get("day", ())),
        learnt=Learnt(learnt[0], learnt[1], _moment(learnt[2])) if learnt else None,
        refusals=Refusals.from_state(state["refusals"]) if state.get("refusals") else None,
        **moments,
    )


def _later(moment: datetime, seconds: float) -> datetime:
    # Rounded up: a timetable that loses a microsecond a message holds one too many in the end.
    return moment + timedelta(microseconds=math.ceil(seconds * 1_000_000))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _slot(period: Period, moment: datetime) -> int:
    return int(moment.timestamp()) // period.slot_seconds


def _recent(slots: Slots, period: Period, now: datetime) -> Slots:
    oldest = _slot(period, now) - period.kept
    return tuple((slot, count) for slot, count in slots if slot > oldest and count > 0)


def _slots_back(slots: Slots, behind: timedelta, period: Period) -> Slots:
    whole = int(behind.total_seconds()) // period.slot_seconds
    return tuple((slot - whole, count) for slot, count in slots)


def _room(standing: Standing, limits: Limits, share: float, now: datetime) -> tuple[int, float]:
    """Return how many the hour and the day still hold, and the seconds until they hold one."""
    room, wait_seconds = 1_000_000, 0.0
    counted: Sequence[tuple[Slots, Period, int | None]] = (
        (standing.hour, HOUR, limits.per_hour),
        (standing.day, DAY, limits.per_day),
    )
    for slots, period, limit in counted:
        if limit is None:
            continue
        allowed = max(1, int(limit * share))
        left = sum(count for _, count in slots)
        room = min(room, allowed - left)
        for slot, count in sorted(slots):
            if left < allowed:
                break
            left -= count
            frees_at = (slot + period.kept) * period.slot_seconds
            wait_seconds = max(wait_seconds, frees_at - now.timestamp())
    return room, wait_seconds


def _count(standing: Standing, limits: Limits, count: int, now: datetime) -> Standing:
    if limits.per_hour is not None:
        standing = replace(standing, hour=_add(standing.hour, _slot(HOUR, now), count))
    if limits.per_day is not None:
        standing = replace(standing, day=_add(standing.day, _slot(DAY, now), count))
    return standing


def _add(slots: Slots, slot: int, count: int) -> Slots:
    counts = dict(slots)
    counts[slot] = counts.get(slot, 0) + count
    return tuple(sorted(counts.items()))


def _uncount(slots: Slots, period: Period, booked_at: datetime, unused: int) -> Slots:
    """Take `unused` from the slots the booking was counted in; turns may begin a slot later than that."""
    counts = dict(slots)
    slot = _slot(period, booked_at)
    for each in (slot, slot - 1):
        taken = min(unused, counts.get(each, 0))
        if taken:
            counts[each] -= taken
            unused -= taken
    return tuple((each, count) for each, count in sorted(counts.items()) if count)
