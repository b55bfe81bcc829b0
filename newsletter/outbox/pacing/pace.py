"""Rate limits of a relay or a domain: per second, hour and day, and slower after 421/45x replies. Pure.

All decisions use a Standing (plain state) and the time. Turns are a timetable: each booking begins where the
one before ends, for all processes. So no period of any length has more messages than its limit. Hours and
days are counted in slots of one and of ten minutes. Period.kept says how many slots are kept.

If the clocks of two hosts differ by less than SKEW, the later time is used. If a clock is set back by more,
the stored times are moved back too, as if no time had passed. So sending neither stops nor bursts.
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
# Digests may use this share of an hour's or a day's limit. The rest is kept for single emails.
BULK_SHARE = 0.95

# The pace is halved at most once in this time, in which all replies to messages under way arrive.
ROUND_TRIP = timedelta(seconds=10)
SLOWEST = 0.5
# The pace, in messages a second, that is assumed if there is no limit and too few replies for a rate.
GUESS = 10.0
# After each QUIET interval the pace grows by this share of the pace before the first slow-down reply.
QUIET = timedelta(seconds=15)
RAISE = 0.1
# At this many times the pace before the first slow-down reply, the learnt pace is dropped.
FORGOTTEN = 2.0

# Failures further apart than this are two outages.
ONE_OUTAGE = timedelta(minutes=10)


@dataclass(frozen=True)
class Limits:
    """The greatest numbers of messages in a second, an hour and a day; None is no limit."""

    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None

    @classmethod
    def of(cls, relay: Relay) -> Limits:
        """Return the limits of a relay of the settings."""
        return cls(relay.per_second, relay.per_hour, relay.per_day)


@dataclass(frozen=True)
class Period:
    """A period in which messages are counted, and the length of its slots."""

    seconds: int
    slot_seconds: int

    @property
    def kept(self) -> int:
        """How many slots are kept: those of the period, the current one, and one for turns booked ahead."""
        return self.seconds // self.slot_seconds + 2


HOUR = Period(3600, 60)
DAY = Period(86_400, 600)

Slots = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Learnt:
    """The pace that a slow-down reply set at `at`, and the pace before the first such reply."""

    per_second: float
    began_with: float
    at: datetime

    def pace(self, now: datetime) -> float | None:
        """Return the messages a second allowed now, or None when the slow-down is over."""
        quiet = max(0, (now - self.at) // QUIET)
        pace = self.per_second + quiet * RAISE * self.began_with
        return pace if pace < FORGOTTEN * self.began_with else None


@dataclass(frozen=True)
class Standing:
    """The pacing state of a relay or a domain at `seen_at`.

    `next_at` is the first free turn. `spread_to` is the last due time given to rows that wait for a domain.
    `hour` and `day` are counts by slot. `down_since` and `down_at` are the first and the last failure of an
    outage. `told_at` is when the owner was last told about refusals of our settings.
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
    """`count` turns: the first in `wait_seconds`, each of the next `interval_seconds` later.

    If `count` is 0, ask again after `wait_seconds`.
    """

    count: int
    wait_seconds: float
    interval_seconds: float = 0.0
    first_at: datetime | None = None


def catch_up(standing: Standing, now: datetime) -> tuple[Standing, datetime]:
    """Return the standing at `now` and the time to use, after correcting for a clock that was set back."""
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
    """Return how many messages a second may be sent now; None means without a limit."""
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

    `share` is the part of the hour's and the day's limits that may be used.
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
    """Return the standing after `unused` of `turns` are given back.

    The first `gone` turns stay on the timetable (by default all used ones). If another process has booked
    turns after these, all of them stay. The counts of hour and day are reduced in any case.
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
    """Return the due times of `count` rows that wait for a domain, spread at its limit's pace.

    No turns are booked. But even with a million rows for one domain, each row is claimed only about twice.
    """
    standing, now = catch_up(standing, now)
    first = max(now, standing.next_at or now, standing.spread_to or now)
    due = [_later(first, index / per_second) for index in range(count)]
    return replace(standing, spread_to=_later(first, count / per_second)), due


def slow_down(standing: Standing, limits: Limits, rate: float | None, now: datetime) -> Standing:
    """Return the standing after a reply that asked us to send slower.

    `rate` is our measured rate in messages a second, or None. The pace is halved, not below `SLOWEST`, and
    only once for all replies within ROUND_TRIP.
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
    """Return the standing after the relay could not be reached, and for how long that has been so."""
    standing, now = catch_up(standing, now)
    last, since = standing.down_at, standing.down_since
    if last is None or since is None or now - last > ONE_OUTAGE:
        since = now
    return replace(standing, down_since=since, down_at=now), now - since


def recovered(standing: Standing) -> Standing:
    """Return the standing after the relay replied again."""
    return replace(standing, down_since=None, down_at=None)


_MOMENTS = ("next_at", "spread_to", "down_since", "down_at", "told_at")


def to_state(standing: Standing) -> dict[str, Any]:
    """Return the standing in JSON types, to be stored; times are in microseconds."""
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
    """Return the standing that `to_state` stored."""
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
    # Rounded up. If each turn were a microsecond early, a period would have one message too many in the end.
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
    """Return how many messages the hour and the day allow now, and the seconds until they allow one."""
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
    """Subtract `unused` from the slot of the first turn, or the one before, where the booking was counted."""
    counts = dict(slots)
    slot = _slot(period, booked_at)
    for each in (slot, slot - 1):
        taken = min(unused, counts.get(each, 0))
        if taken:
            counts[each] -= taken
            unused -= taken
    return tuple((each, count) for each, count in sorted(counts.items()) if count)
