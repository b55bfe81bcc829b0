"""The rate limits of a relay or a domain: book messages, and slow down after 421/45x replies. Pure.

Bookings follow each other: each begins where the one before ends, in all processes. So no second has more
messages than its limit. For the hour and the day, messages are counted in slots (Period).

Functions take the time of the host's clock. `catch_up` converts it to the row's own time, which never goes
back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter.outbox.pacing.setup_refusals import Refusals
from newsletter.settings import Relay

# The clocks of two hosts may differ by this much. The later time is used.
SKEW = timedelta(seconds=30)
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

# More messages than any claim or booking has.
MANY = 1_000_000


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


Counts = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Period:
    """An hour or a day, divided into slots. A count is the number of a slot and how many messages it has."""

    seconds: int
    slot_seconds: int

    @property
    def kept(self) -> int:
        """How many slots are kept: the period, the current one, and one for messages booked ahead."""
        return self.seconds // self.slot_seconds + 2

    def recent(self, counts: Counts, now: datetime) -> Counts:
        """Return the counts that still matter."""
        oldest = self._slot(now) - self.kept
        return tuple((slot, count) for slot, count in counts if slot > oldest and count > 0)

    def add(self, counts: Counts, number: int, moment: datetime) -> Counts:
        """Return the counts after `number` more messages at `moment`, or fewer if it is negative."""
        found = dict(self.recent(counts, moment))
        slot = self._slot(moment)
        found[slot] = max(0, found.get(slot, 0) + number)
        return tuple(sorted(found.items()))

    def room(self, counts: Counts, limit: int | None, now: datetime) -> tuple[int, float]:
        """Return how many more messages the limit allows now, and the seconds until it allows one."""
        if limit is None:
            return MANY, 0.0
        counts = self.recent(counts, now)
        left, wait_seconds = sum(count for _, count in counts), 0.0
        room = limit - left
        for slot, count in counts:
            if left < limit:
                break
            left -= count
            wait_seconds = (slot + self.kept) * self.slot_seconds - now.timestamp()
        return room, wait_seconds

    def _slot(self, moment: datetime) -> int:
        return int(moment.timestamp()) // self.slot_seconds


HOUR = Period(3600, 60)
DAY = Period(86_400, 600)


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

    `ahead` is by how much the row's time is ahead of the clock, because the clock was set back. All other
    times here are the row's; `on_clock` converts them. `next_at` is the time of the next free message.
    `spread_to` is the last due time given to deliveries that wait for a domain. `down_since` and `down_at`
    are the first and the last failure of an outage. `told_at` is when the owner was last told about refusals
    of our settings.
    """

    seen_at: datetime
    ahead: timedelta = timedelta()
    next_at: datetime | None = None
    spread_to: datetime | None = None
    hour: Counts = ()
    day: Counts = ()
    learnt: Learnt | None = None
    down_since: datetime | None = None
    down_at: datetime | None = None
    refusals: Refusals | None = None
    told_at: datetime | None = None

    def on_clock(self, moment: datetime) -> datetime:
        """Return a time of the row as the time of the clock, for people."""
        return moment - self.ahead


@dataclass(frozen=True)
class Booking:
    """`count` messages: the first in `wait_seconds`, each of the next `interval_seconds` later.

    If `count` is 0, ask again after `wait_seconds`. `booked_at` is the row's time.
    """

    count: int
    wait_seconds: float
    interval_seconds: float = 0.0
    booked_at: datetime | None = None


def catch_up(standing: Standing, clock: datetime) -> tuple[Standing, datetime]:
    """Return the standing with `seen_at` moved to the host's time `clock`, and that moment in the row's time.

    If a clock is set back by more than SKEW, the row's time continues as if no time had passed. So sending
    neither stops nor bursts.
    """
    now = clock + standing.ahead
    if standing.seen_at - now > SKEW:
        return replace(standing, ahead=standing.seen_at - clock), standing.seen_at
    now = max(now, standing.seen_at)
    return replace(standing, seen_at=now), now


def pace_of(standing: Standing, limits: Limits, clock: datetime) -> float | None:
    """Return how many messages a second may be sent now; None means without a limit."""
    return _pace(*catch_up(standing, clock), limits)


def book(
    standing: Standing,
    limits: Limits,
    count: int,
    clock: datetime,
    *,
    ahead_seconds: float,
    share: float = 1.0,
) -> tuple[Standing, Booking]:
    """Book up to `count` messages that begin within `ahead_seconds`.

    `share` is the part of the hour's and the day's limits that may be used.
    """
    standing, now = catch_up(standing, clock)
    hour_room, hour_wait = HOUR.room(standing.hour, _shared(limits.per_hour, share), now)
    day_room, day_wait = DAY.room(standing.day, _shared(limits.per_day, share), now)
    room, wait_seconds, interval_seconds = min(hour_room, day_room), max(hour_wait, day_wait), 0.0
    pace = _pace(standing, now, limits)
    if room > 0 and pace is not None:
        wait_seconds, interval_seconds = _seconds_until(standing.next_at, now), 1 / pace
        room = min(room, math.floor((ahead_seconds - wait_seconds) * pace) + 1)
    if room <= 0 or wait_seconds > ahead_seconds:
        return standing, Booking(0, wait_seconds)
    count = min(count, room)
    booking = Booking(count, wait_seconds, interval_seconds, now)
    if pace is not None:
        standing = replace(standing, next_at=_time_after(booking, count))
    if limits.per_hour is not None:
        standing = replace(standing, hour=HOUR.add(standing.hour, count, now))
    if limits.per_day is not None:
        standing = replace(standing, day=DAY.add(standing.day, count, now))
    return standing, booking


def give_back(standing: Standing, booking: Booking, unused: int, clock: datetime) -> Standing:
    """Return the standing after the last `unused` messages of a booking are given back.

    If another process has booked after it, its time stays taken, and only the counts are reduced.
    """
    standing, _ = catch_up(standing, clock)
    if unused <= 0 or booking.booked_at is None:
        return standing
    if booking.interval_seconds and standing.next_at == _time_after(booking, booking.count):
        standing = replace(standing, next_at=_time_after(booking, booking.count - unused))
    return replace(
        standing,
        hour=HOUR.add(standing.hour, -unused, booking.booked_at),
        day=DAY.add(standing.day, -unused, booking.booked_at),
    )


def spread(
    standing: Standing, per_second: float, count: int, clock: datetime
) -> tuple[Standing, list[datetime]]:
    """Return the due times of `count` deliveries that wait for a domain, spread at its limit's pace.

    Nothing is booked. But even with a million deliveries to one domain, each is claimed only about twice.
    """
    standing, now = catch_up(standing, clock)
    first = max(now, standing.next_at or now, standing.spread_to or now)
    due = [standing.on_clock(_later(first, index / per_second)) for index in range(count)]
    return replace(standing, spread_to=_later(first, count / per_second)), due


def slow_down(standing: Standing, limits: Limits, rate: float | None, clock: datetime) -> Standing:
    """Return the standing after a reply that asked us to send slower.

    `rate` is our measured rate in messages a second, or None. The pace is halved, not below `SLOWEST`, and
    only once for all replies within ROUND_TRIP.
    """
    standing, now = catch_up(standing, clock)
    learnt = standing.learnt
    if learnt is not None and now - learnt.at < ROUND_TRIP:
        return standing
    allowed = _pace(standing, now, limits)
    known = [pace for pace in (rate, allowed) if pace is not None]
    current = max(min(known, default=GUESS), min(SLOWEST, allowed or SLOWEST))
    going_on = learnt is not None and learnt.pace(now) is not None
    began_with = learnt.began_with if learnt is not None and going_on else current
    halved = max(current / 2, min(SLOWEST, current))
    return replace(standing, learnt=Learnt(halved, began_with, now))


def fail(standing: Standing, clock: datetime, *, may_end: bool = True) -> tuple[Standing, timedelta]:
    """Return the standing after the relay could not be reached, and for how long that has been so.

    With `may_end`, failures further apart than `ONE_OUTAGE` are two outages.
    """
    standing, now = catch_up(standing, clock)
    last, since = standing.down_at, standing.down_since
    if last is None or since is None or (may_end and now - last > ONE_OUTAGE):
        since = now
    return replace(standing, down_since=since, down_at=now), now - since


def recovered(standing: Standing) -> Standing:
    """Return the standing after the relay replied again."""
    return replace(standing, down_since=None, down_at=None)


_MOMENTS = ("next_at", "spread_to", "down_since", "down_at", "told_at")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_state(standing: Standing) -> dict[str, Any]:
    """Return the standing in JSON types, to be stored; times are in microseconds."""
    moments = {name: getattr(standing, name) for name in _MOMENTS}
    learnt = standing.learnt
    state = {
        **{name: moment and (moment - _EPOCH) // _MICROSECOND for name, moment in moments.items()},
        "ahead": standing.ahead // _MICROSECOND,
        "hour": standing.hour,
        "day": standing.day,
        "learnt": learnt and (learnt.per_second, learnt.began_with, (learnt.at - _EPOCH) // _MICROSECOND),
        "refusals": standing.refusals and standing.refusals.to_state(),
    }
    return {name: value for name, value in state.items() if value}


def from_state(state: Mapping[str, Any], seen_at: datetime) -> Standing:
    """Return the standing that `to_state` stored."""
    found = {name: _EPOCH + state[name] * _MICROSECOND for name in _MOMENTS if name in state}
    learnt, refusals = state.get("learnt"), state.get("refusals")
    return Standing(
        seen_at=seen_at,
        ahead=state.get("ahead", 0) * _MICROSECOND,
        hour=tuple((slot, count) for slot, count in state.get("hour", ())),
        day=tuple((slot, count) for slot, count in state.get("day", ())),
        learnt=Learnt(learnt[0], learnt[1], _EPOCH + learnt[2] * _MICROSECOND) if learnt else None,
        refusals=Refusals.from_state(refusals) if refusals else None,
        **found,
    )


def _pace(standing: Standing, now: datetime, limits: Limits) -> float | None:
    learnt = standing.learnt.pace(now) if standing.learnt else None
    return min((pace for pace in (limits.per_second, learnt) if pace is not None), default=None)


def _shared(limit: int | None, share: float) -> int | None:
    return None if limit is None else max(1, int(limit * share))


def _seconds_until(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (moment - now).total_seconds())


def _time_after(booking: Booking, number: int) -> datetime:
    """Return the time after the first `number` messages of a booking."""
    assert booking.booked_at is not None
    first = booking.booked_at + timedelta(seconds=booking.wait_seconds)
    return _later(first, number * booking.interval_seconds)


def _later(moment: datetime, seconds: float) -> datetime:
    # Rounded up. If each message were a microsecond early, a period would have one too many in the end.
    return moment + timedelta(microseconds=math.ceil(seconds * 1_000_000))
