"""Rate limiting of one process: book turns in the database in blocks, and release messages at their turns.

A turn is the right to send one message at a certain time. All processes and hosts book their turns in one
timetable, so together they keep the limits. A block holds the turns of about half a second. So a message
needs no query of its own, and if a process is killed, its booked turns are lost for about a second only.
"""

from __future__ import annotations

import heapq
import logging
import math
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from newsletter.errors import RelayRefused, TransportError
from newsletter.models import Lane
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.pace import (
    BULK_SHARE,
    ROUND_TRIP,
    Limits,
    Standing,
    Turns,
    book,
    fail,
    from_state,
    give_back,
    pace_of,
    recovered,
    slow_down,
    spread,
    to_state,
)
from newsletter.outbox.pacing.sending_window import is_open
from newsletter.outbox.pacing.setup_refusals import Refusals
from newsletter.outbox.pacing.setup_wait import end_wait, settings_mark, try_next, trying, waiting
from newsletter.outbox.pacing.standings import domain_key, read_standing, relay_key
from newsletter.outbox.retry import SLOW_DOWN_CODES, asks_to_slow_down
from newsletter.settings import Settings, choose_relay
from newsletter.smtp.outcomes import Fate, Outcome, Outgoing
from newsletter.smtp.refusals import setup_fault

log = logging.getLogger(__name__)

BLOCK_SECONDS = 0.5
LARGEST_BLOCK = 500
# If the next turn is further off, the lease is released and the sweep retries. The sweep runs this often.
HOLD_SECONDS = {Lane.BULK: 15.0, Lane.SINGLE: 30.0}
# Turns that are this late are lost. If they were used later all at once, they would be a burst.
LATE_SECONDS = 0.5
# Without limits, the relay's row is read this often: another process may have got a slow-down reply.
LOOK_SECONDS = 1.0
# If recipients' domains have limits, turns are booked for this many messages together.
GROUP = 100
MOST_HELD = 1000
RATE_SECONDS = 10.0
# With fewer replies, no rate is computed.
ENOUGH_REPLIES = 20


class Parts(Protocol):
    """The parts of an installation (a Runtime) that an Allowance needs."""

    @property
    def settings(self) -> Settings: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def now(self) -> Callable[[], datetime]: ...
    def session(self) -> Session: ...


@dataclass
class _Block:
    """The turns that this process has booked. `first` and `until` are by its own clock, never set back.

    `gone` counts the turns whose time has passed, and `used` the turns in which a message was sent.
    """

    turns: Turns
    first: datetime
    until: datetime
    free: bool = False
    gone: int = 0
    used: int = 0

    def return_to(self, standing: Standing, now: datetime) -> Standing:
        """Return the standing after the unused turns are given back."""
        return give_back(standing, self.turns, self.turns.count - self.used, now, self.gone)


@dataclass(order=True)
class _Held:
    at: datetime
    number: int
    message: Outgoing = field(compare=False)


class Allowance:
    """Keeps one drain within the limits of its relay and of recipients' domains. Not thread-safe.

    `lane_of` returns the lane of a message by its id. `ending` returns whether the drain wants to end.
    """

    def __init__(self, parts: Parts, lane_of: Callable[[int], Lane], ending: Callable[[], bool]) -> None:
        settings = parts.settings
        self._parts = parts
        self._lane_of = lane_of
        self._ending = ending
        self.relay = choose_relay(settings, settings.from_address)
        self._key = relay_key(settings)
        self._limits = Limits.of(self.relay)
        self._domains = dict(settings.domain_limits)
        self._any_domain = self._domains.pop("*", None)
        self._processes = settings.send_workers or os.cpu_count() or 1
        self._blocks: dict[Lane, _Block] = {}
        self._ready: deque[Outgoing] = deque()
        self._held: list[_Held] = []
        self._number = 0
        self._postponed: list[tuple[int, datetime]] = []
        self._latest = parts.now()
        self._set_back = timedelta()
        self._replies: deque[datetime] = deque(maxlen=1000)
        self._slowed_at: datetime | None = None
        # What the relay's row says. The row is written only when these change.
        self._down = False
        self._refused = False

    def room(self, lane: Lane) -> int:
        """Return how many messages of `lane` may be sent soon. Call it before claiming; it books nothing."""
        standing, count = _room(self._parts, lane)
        self._note(standing)
        return count

    def keep(self, messages: Iterable[Outgoing | None]) -> Iterator[Outgoing | None]:
        """Yield `messages` at their turns, and None while no message may be sent.

        It ends early when the next turn is too far off. A message that was taken and neither yielded nor
        postponed was not sent.
        """
        self._ready.clear()
        self._held.clear()
        source = iter(messages)
        message: Outgoing | None = None
        while not self._ending():
            if message is None:
                try:
                    message = self._next(source)
                except StopIteration:
                    return
                if message is None:
                    yield None
                    continue
            lane = self._lane_of(message.id)
            wait_seconds = self._take_turn(lane)
            if wait_seconds > HOLD_SECONDS[lane]:
                return
            if wait_seconds > 0:
                yield None
                continue
            yield message
            message = None

    def take_postponed(self) -> list[tuple[int, datetime]]:
        """Return the ids of messages whose domain has no turn soon, and when they are due again, once."""
        rows, self._postponed = self._postponed, []
        return rows

    def heard(self, outcome: Outcome) -> None:
        """Adapt the pace to the outcome of a message."""
        if outcome.fate is not Fate.REPLIED or outcome.reply is None or outcome.reply.local:
            return
        self._replies.append(self._now())
        if self._down:
            self._change(lambda standing, _: recovered(standing))
        if self._refused and setup_fault(outcome) is None:
            self._hear_otherwise(outcome)
        if asks_to_slow_down(outcome):
            log.warning("event=slow_down relay=%s reply=%s", self.relay.key, outcome.reply.code)
            self._slow_down()

    def unreachable(self, fault: TransportError) -> timedelta:
        """Record that the relay could not be reached; return for how long that has been so."""
        if isinstance(fault, RelayRefused) and fault.code in SLOW_DOWN_CODES:
            self._slow_down()
        down = timedelta()

        def change(standing: Standing, now: datetime) -> Standing:
            nonlocal down
            standing, down = fail(standing, now)
            return standing

        self._change(change)
        self._down = True
        return down

    def refused(self) -> None:
        """Note that the relay's row now has refusals of our settings (outbox/pacing/setup_wait.py)."""
        self._refused = True
        self._blocks.clear()

    def close(self) -> None:
        """Give back the booked turns that were not used."""
        blocks = [block for block in self._blocks.values() if block.used < block.turns.count]
        self._blocks.clear()

        def change(standing: Standing, now: datetime) -> Standing:
            # The last booking first, because only turns at the end of the timetable can be given back.
            for block in sorted(blocks, key=lambda each: each.first, reverse=True):
                standing = block.return_to(standing, now)
            return standing

        if blocks:
            self._change(change)

    def _hear_otherwise(self, outcome: Outcome) -> None:
        """End the wait for our settings if the relay accepted a message; else allow another test message."""
        if not outcome.accepted:
            self._change(try_next)
            return
        now = self._parts.now()
        with self._parts.session() as session:
            end_wait(session, self._parts.settings, now)
            session.commit()
        log.warning("event=relay_takes_us_again relay=%s", self.relay.key)
        self._refused = False

    def _note(self, standing: Standing) -> None:
        """Remember what the relay's row says. If the refused settings have changed since, end the wait."""
        self._down = standing.down_at is not None
        self._refused = standing.refusals is not None
        if standing.refusals is not None and standing.refusals.settings != self._mark:
            with self._parts.session() as session:
                end_wait(session, self._parts.settings, self._parts.now())
                session.commit()
            self._refused = False

    @cached_property
    def _mark(self) -> str:
        return settings_mark(self._parts.settings)

    def _now(self) -> datetime:
        """Return the time of a clock that is never set back, for the turns of this process."""
        now = self._parts.now()
        if now < self._latest:
            self._set_back += self._latest - now
        self._latest = now
        return now + self._set_back

    def _take_turn(self, lane: Lane) -> float:
        """Take the lane's next turn and return 0.0, or return the seconds until the next turn."""
        now = self._now()
        block = self._blocks.get(lane)
        if block is None or now >= block.until or (block.turns.count and block.gone >= block.turns.count):
            block = self._blocks[lane] = self._book(lane, now, block)
        if block.free:
            return 0.0
        if not block.turns.count:
            return (block.until - now).total_seconds()
        interval = block.turns.interval_seconds
        if interval:
            late = (now - block.first).total_seconds() - LATE_SECONDS
            block.gone = max(block.gone, min(math.floor(late / interval), block.turns.count - 1))
        wait_seconds = (block.first - now).total_seconds() + block.gone * interval
        if wait_seconds > 0:
            return wait_seconds
        block.gone += 1
        block.used += 1
        return 0.0

    def _book(self, lane: Lane, now: datetime, before: _Block | None) -> _Block:
        """Book a block of turns for `lane`. Without limits, only check that there is still no limit.

        The unused turns of the block `before` are given back.
        """
        wall = self._parts.now()
        if not _is_open(self._parts.settings, lane, wall):
            return _Block(Turns(0, math.inf), now, now + timedelta(hours=1))
        if self._limits == Limits():
            with Session(self._parts.engine.execution_options(sqlite_begin="DEFERRED")) as session:
                standing = standings.read(session, self._key, wall)
            self._note(standing)
            if not self._refused and pace_of(standing, self._limits, wall) is None:
                return _Block(Turns(0, 0.0), now, now + timedelta(seconds=LOOK_SECONDS), free=True)
        turns = Turns(0, 0.0)

        def change(standing: Standing, wall: datetime) -> Standing:
            nonlocal turns
            if before is not None and before.used < before.turns.count:
                standing = before.return_to(standing, wall)
            refusals = waiting(standing, self._parts.settings)
            if refusals is not None:
                standing, turns = self._book_try(standing, refusals, lane, wall)
                return standing
            pace = pace_of(standing, self._limits, wall)
            count = LARGEST_BLOCK if pace is None else min(LARGEST_BLOCK, math.ceil(pace * BLOCK_SECONDS))
            standing, turns = book(
                standing, self._limits, count, wall, ahead_seconds=HOLD_SECONDS[lane], share=_share(lane)
            )
            return standing

        self._change(change)
        first = now + timedelta(seconds=turns.wait_seconds)
        if not turns.count:
            return _Block(turns, first, first)
        lasts = timedelta(seconds=turns.count * turns.interval_seconds + LOOK_SECONDS)
        return _Block(turns, first, first + lasts)

    def _book_try(
        self, standing: Standing, refusals: Refusals, lane: Lane, wall: datetime
    ) -> tuple[Standing, Turns]:
        """Book a turn for the one test message that may be sent while the relay refuses our settings."""
        assert refusals.try_at is not None
        if wall < refusals.try_at:
            return standing, Turns(0, (refusals.try_at - wall).total_seconds())
        standing, turns = book(
            standing, self._limits, 1, wall, ahead_seconds=HOLD_SECONDS[lane], share=_share(lane)
        )
        return (trying(standing, wall) if turns.count else standing), turns

    def _slow_down(self) -> None:
        now = self._now()
        if self._slowed_at is not None and now - self._slowed_at < ROUND_TRIP:
            return
        self._slowed_at = now
        recent = [at for at in self._replies if now - at < timedelta(seconds=RATE_SECONDS)]
        span = max(1.0, (now - recent[0]).total_seconds()) if recent else 1.0
        # An estimate: every process of this host sends about as much as this one.
        rate = len(recent) / span * self._processes if len(recent) >= ENOUGH_REPLIES else None
        self.close()
        self._change(lambda standing, wall: slow_down(standing, self._limits, rate, wall))

    def _change(self, change: Callable[[Standing, datetime], Standing]) -> None:
        """Update the relay's row and commit."""
        with self._parts.session() as session:
            _, standing = standings.change(session, self._key, change, self._parts.now())
            session.commit()
        self._down = standing.down_at is not None

    # Recipients' domains.

    def _next(self, source: Iterator[Outgoing | None]) -> Outgoing | None:
        """Return a message that its domain's limit allows now, or None when there is none at the moment.

        Raises StopIteration when no message is left.
        """
        if not self._domains and self._any_domain is None:
            return next(source)
        now = self._now()
        while self._held and self._held[0].at <= now:
            self._ready.append(heapq.heappop(self._held).message)
        if not self._ready and len(self._held) < MOST_HELD and not self._fill(source) and not self._held:
            raise StopIteration
        return self._ready.popleft() if self._ready else None

    def _fill(self, source: Iterator[Outgoing | None]) -> bool:
        """Take some messages and book turns of their domains; return False when there are no more."""
        limited: dict[str, list[Outgoing]] = defaultdict(list)
        taken = 0
        more = True
        while taken < GROUP:
            try:
                message = next(source)
            except StopIteration:
                more = taken > 0
                break
            if message is None:
                break
            taken += 1
            domain = message.envelope.recipient.rpartition("@")[2].lower()
            if self._domains.get(domain, self._any_domain) is None:
                self._ready.append(message)
            else:
                limited[domain].append(message)
        if limited:
            self._book_domains(limited)
        return more

    def _book_domains(self, limited: dict[str, list[Outgoing]]) -> None:
        wall, now = self._parts.now(), self._now()
        with self._parts.session() as session:
            rows = standings.lock(session, [domain_key(domain) for domain in limited], wall)
            by_key = {row.key: row for row in rows}
            for domain, messages in limited.items():
                row = by_key[domain_key(domain)]
                standing = self._book_domain(domain, messages, from_state(row.state, row.seen_at), wall, now)
                row.state, row.seen_at = to_state(standing), standing.seen_at
            session.commit()
        while self._held and self._held[0].at <= now:
            self._ready.append(heapq.heappop(self._held).message)

    def _book_domain(
        self, domain: str, messages: Sequence[Outgoing], standing: Standing, wall: datetime, now: datetime
    ) -> Standing:
        per_second = self._domains.get(domain) or self._any_domain or 1.0
        for lane in (Lane.SINGLE, Lane.BULK):
            mine = [each for each in messages if self._lane_of(each.id) is lane]
            if not mine:
                continue
            ahead_seconds = HOLD_SECONDS[lane]
            standing, turns = book(standing, Limits(per_second), len(mine), wall, ahead_seconds=ahead_seconds)
            for index, message in enumerate(mine[: turns.count]):
                self._number += 1
                seconds = turns.wait_seconds + index * turns.interval_seconds
                heapq.heappush(self._held, _Held(now + timedelta(seconds=seconds), self._number, message))
            rest = mine[turns.count :]
            if lane is Lane.SINGLE:
                # Somebody waits for a single email, so it is not put behind a whole issue.
                due = [wall + timedelta(seconds=ahead_seconds)] * len(rest)
            else:
                standing, due = spread(standing, per_second, len(rest), wall)
            self._postponed += [(each.id, at) for each, at in zip(rest, due, strict=True)]
        return standing


def may_send(parts: Parts, lane: Lane) -> bool:
    """Return whether an email of `lane` may be sent now or soon."""
    return _room(parts, lane)[1] > 0


def _room(parts: Parts, lane: Lane) -> tuple[Standing, int]:
    """Return the relay's standing, and how many messages of `lane` it may get soon."""
    settings, now = parts.settings, parts.now()
    with Session(parts.engine.execution_options(sqlite_begin="DEFERRED")) as session:
        standing = read_standing(session, settings, now)
    if not _is_open(settings, lane, now):
        return standing, 0
    refusals = waiting(standing, settings)
    if refusals is not None and refusals.try_at is not None:
        return standing, int(now >= refusals.try_at)
    limits = Limits.of(choose_relay(settings, settings.from_address))
    _, turns = book(standing, limits, 1_000_000, now, ahead_seconds=HOLD_SECONDS[lane], share=_share(lane))
    return standing, turns.count


def _is_open(settings: Settings, lane: Lane, now: datetime) -> bool:
    zone = ZoneInfo(settings.time_zone)
    return lane is Lane.SINGLE or is_open(settings.sending_window, zone, now)


def _share(lane: Lane) -> float:
    return BULK_SHARE if lane is Lane.BULK else 1.0
