"""Let one drain send at the pace of its relay: book messages in the database, and offer each at its time."""

from __future__ import annotations

import heapq
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from newsletter.errors import RelayRefused, TransportError
from newsletter.messages.sender import Sender
from newsletter.models import Lane
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.backup_relay import settle_replaced
from newsletter.outbox.pacing.domain_limits import HOLD_SECONDS
from newsletter.outbox.pacing.pace import (
    MANY,
    ROUND_TRIP,
    Booking,
    Limits,
    Standing,
    book,
    fail,
    give_back,
    pace_of,
    recovered,
    slow_down,
)
from newsletter.outbox.pacing.priority import Priority
from newsletter.outbox.pacing.sending_window import is_open
from newsletter.outbox.pacing.setup.wait import (
    end_wait,
    row_seconds_to_test,
    seconds_to_test,
    try_next,
    trying,
    waiting,
)
from newsletter.outbox.pacing.standings import SenderStanding
from newsletter.outbox.pacing.warm_up import room_of, stage_of
from newsletter.outbox.parts import Parts
from newsletter.outbox.retry import SLOW_DOWN_CODES, asks_to_slow_down
from newsletter.settings import Relay
from newsletter.smtp.outcomes import Fate, Outcome, Outgoing
from newsletter.smtp.refusals import SetupFault, setup_fault

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

# How much is booked at once.
BOOKED_SECONDS, BOOKED_MESSAGES = 0.25, 500
# A booking is given back this long after its last message was due. If it was used later, the messages would
# be a burst.
LATE = timedelta(seconds=0.25)
# The rows are read this often: another process may have got a slow-down reply, or a refusal.
LOOK = timedelta(seconds=1)
# At most this many messages wait in memory for the limit of their domain.
MOST_HELD = 1000
RATE_SECONDS = 10.0
# With fewer replies, no rate is computed.
ENOUGH_REPLIES = 20


@dataclass
class _Reserved:
    """A booking of this process, and how many of its messages were offered. It ends at `until`."""

    priority: Priority
    booking: Booking
    booked_at: datetime
    until: datetime
    used: int = 0

    def is_valid(self, priority: Priority, now: datetime) -> bool:
        """Whether the next message of `priority` can use it. If the clock was set back, it cannot."""
        used_up = 0 < self.booking.count <= self.used
        return self.priority is priority and not used_up and self.booked_at <= now < self.until

    def wait_seconds(self, now: datetime) -> float:
        """Return the seconds until the next message."""
        at = self.booking.wait_seconds + self.used * self.booking.interval_seconds
        return at - (now - self.booked_at).total_seconds()


class Allowance:
    """Keeps one drain within the limits of its relay and of the newsletters that use it. Not thread-safe.

    `priority_of` returns the priority and the sender of a message by its id. `ending` returns whether the
    drain wants to end.
    """

    def __init__(
        self,
        parts: Parts,
        relay: Relay,
        priority_of: Callable[[int], tuple[Priority, Sender]],
        ending: Callable[[], bool],
    ) -> None:
        self._parts = parts
        self._priority_of = priority_of
        self._ending = ending
        self.relay = relay
        self.relay_name = f"{relay.host}:{relay.port}"
        self._limits = Limits.of(relay)
        self._reserved: _Reserved | None = None
        self._not_before: dict[int, datetime] = {}
        self._replies: deque[datetime] = deque(maxlen=1000)
        self._slowed_at: datetime | None = None
        # What the rows of each sender said, and when they were read.
        self._known: dict[str, tuple[datetime, SenderStanding]] = {}

    def room(self, priority: Priority, sender: Sender) -> int:
        """Return how many messages may be sent soon from a sender. Call it before claiming.

        It books nothing.
        """
        now = self._parts.now()
        return _room(sender, self._read(sender, now), priority, now)

    def is_waiting(self, sender: Sender) -> bool:
        """Return whether the relay refuses this sender, so that only single messages may test it."""
        return waiting(self._standing(sender, self._parts.now()), sender) is not None

    def hold(self, times: Mapping[int, datetime]) -> None:
        """Offer these messages, by id, no earlier than at these times, because of their domains' limits."""
        self._not_before.update(times)

    def keep(self, messages: Iterable[Outgoing]) -> Iterator[Outgoing | None]:
        """Yield `messages` at their times, and None while no message may be sent.

        It ends early when the next time is too far off. A message that was taken and not yielded was not
        sent.
        """
        for message in self._by_domain(iter(messages)):
            while message is not None:
                priority, sender = self._priority_of(message.id)
                wait_seconds = self._take(priority, sender)
                if wait_seconds <= 0:
                    break
                if wait_seconds > HOLD_SECONDS[priority.lane] or self._ending():
                    return
                yield None
            if self._ending():
                return
            yield message

    def note_outcome(self, outcome: Outcome, sender: Sender) -> None:
        """Adapt the pace to the outcome of a message."""
        if outcome.fate is not Fate.REPLIED or outcome.reply is None or outcome.reply.local:
            return
        now = self._parts.now()
        self._replies.append(now)
        known = self._standing(sender, now)
        if known.relay.down_at is not None:
            self.reached()
        if known.relay.refusals is not None or known.sender.refusals is not None:
            self._test_ended(outcome, sender, known)
        if asks_to_slow_down(outcome):
            log.warning("event=slow_down relay=%s reply=%s", self.relay.key, outcome.reply.code)
            self._slow_down()

    def reached(self) -> None:
        """Record that the relay replied again."""
        now = self._parts.now()
        with self._parts.session() as session:
            key = standings.relay_key(self.relay)
            standings.change(session, key, lambda standing, _: recovered(standing), now)
            settle_replaced(session, self.relay, now)
            session.commit()
        self._known.clear()

    def unreachable(self, fault: TransportError, *, has_backup: bool = False) -> timedelta:
        """Record that the relay could not be reached; return for how long that has been so.

        If it has a backup, it is not tried while no email is sent. So a long time between two failures is no
        sign that it worked in between.
        """
        if isinstance(fault, RelayRefused) and fault.code in SLOW_DOWN_CODES:
            self._slow_down()
        return self._update(lambda standing, now: fail(standing, now, may_end=not has_backup))

    def refused(self) -> None:
        """Read the rows again: one has new refusals of our settings (outbox/pacing/setup/wait.py)."""
        self._reserved = None
        self._known.clear()

    def close(self) -> None:
        """Give back what was booked and not used."""
        reserved = self._reserved
        if reserved is not None and reserved.booking.booked_at and reserved.used < reserved.booking.count:
            self._change(self._without_unused)

    def _by_domain(self, messages: Iterator[Outgoing]) -> Iterator[Outgoing | None]:
        """Yield each message when its domain allows it, and None while all wait."""
        waiting: list[tuple[datetime, int, Outgoing]] = []
        more = True
        while more or waiting:
            if waiting and waiting[0][0] <= self._parts.now():
                yield heapq.heappop(waiting)[2]
                continue
            message = next(messages, None) if more and len(waiting) < MOST_HELD else None
            if message is not None and message.id in self._not_before:
                heapq.heappush(waiting, (self._not_before.pop(message.id), message.id, message))
            elif message is not None:
                yield message
            elif more and len(waiting) < MOST_HELD:
                more = False
            else:
                yield None

    def _take(self, priority: Priority, sender: Sender) -> float:
        """Use one reserved message and return 0.0, or return the seconds until one may be sent."""
        now = self._parts.now()
        if not _is_open(sender, priority.lane, now):
            return math.inf
        reserved = self._reserved
        if reserved is None or not reserved.is_valid(priority, now):
            reserved = self._reserved = self._reserve(priority, sender, now)
        wait_seconds = reserved.wait_seconds(now)
        if wait_seconds <= 0 and self._standing(sender, now).sender.refusals is not None:
            wait_seconds = self._take_test(sender, now)
        if wait_seconds <= 0:
            reserved.used += 1
        return wait_seconds

    def _take_test(self, sender: Sender, now: datetime) -> float:
        """Book the test message of a refused sender, or return the seconds until there may be one."""
        if row_seconds_to_test(self._standing(sender, now).sender, sender, SetupFault.SENDER, now) is None:
            return 0.0

        def test(standing: Standing, now: datetime) -> tuple[Standing, float]:
            wait_seconds = row_seconds_to_test(standing, sender, SetupFault.SENDER, now) or 0.0
            return standing if wait_seconds else trying(standing, now), wait_seconds

        return self._update(test, standings.sender_key(sender))

    def _reserve(self, priority: Priority, sender: Sender, now: datetime) -> _Reserved:
        """Reserve the next messages of `priority`, and give back what is left of the last reservation."""
        if self._limits == Limits():
            standing = self._read(sender, now).relay
            if standing.refusals is None and pace_of(standing, self._limits, now) is None:
                return _Reserved(priority, Booking(MANY, 0.0), now, now + LOOK)
        booking = self._update(
            lambda standing, now: self._book(self._without_unused(standing, now), priority, sender, now)
        )
        until = now + timedelta(seconds=booking.wait_seconds)
        if booking.count:
            until += LATE + timedelta(seconds=(booking.count - 1) * booking.interval_seconds)
        return _Reserved(priority, booking, now, until)

    def _book(
        self, standing: Standing, priority: Priority, sender: Sender, now: datetime
    ) -> tuple[Standing, Booking]:
        """Book about a quarter of a second, or one test message while the relay refuses our settings."""
        test_seconds = row_seconds_to_test(standing, sender, SetupFault.ACCOUNT, now)
        if test_seconds:
            return standing, Booking(0, test_seconds)
        pace = pace_of(standing, self._limits, now) or math.inf
        count = 1 if test_seconds == 0 else math.ceil(min(BOOKED_MESSAGES, pace * BOOKED_SECONDS))
        standing, booking = book(
            standing, self._limits, count, now,
            ahead_seconds=HOLD_SECONDS[priority.lane], share=priority.share(sender.settings),
        )  # fmt: skip
        if booking.count and test_seconds == 0:
            standing = trying(standing, now)
        return standing, booking

    def _without_unused(self, standing: Standing, now: datetime) -> Standing:
        reserved, self._reserved = self._reserved, None
        if reserved is None:
            return standing
        return give_back(standing, reserved.booking, reserved.booking.count - reserved.used, now)

    def _slow_down(self) -> None:
        now = self._parts.now()
        if self._slowed_at is not None and timedelta() <= now - self._slowed_at < ROUND_TRIP:
            return
        self._slowed_at = now
        recent = [at for at in self._replies if now - at < timedelta(seconds=RATE_SECONDS)]
        rate = None
        if len(recent) >= ENOUGH_REPLIES:
            # An estimate: every process of this host sends about as much as this one.
            processes = self._parts.settings.send_workers or os.cpu_count() or 1
            rate = len(recent) / max(1.0, (now - recent[0]).total_seconds()) * processes
        self._change(
            lambda standing, now: slow_down(self._without_unused(standing, now), self._limits, rate, now)
        )

    def _test_ended(self, outcome: Outcome, sender: Sender, known: SenderStanding) -> None:
        """Note the reply to a message that was sent while the relay refuses our settings."""
        fault = setup_fault(outcome)
        if outcome.accepted:
            with self._parts.session() as session:
                end_wait(session, sender, self._parts.now())
                session.commit()
            self._known.clear()
            log.warning("event=relay_accepts_again relay=%s", self.relay.key)
            return
        # A refusal for another reason does not show whether the relay accepts our settings now.
        if known.relay.refusals is not None and fault in {None, SetupFault.SENDER}:
            self._change(try_next)
        if known.sender.refusals is not None and fault is not SetupFault.SENDER:
            self._change(try_next, standings.sender_key(sender))

    def _standing(self, sender: Sender, now: datetime) -> SenderStanding:
        """Return a sender's state from the database, read at most a second ago."""
        known = self._known.get(standings.sender_key(sender))
        if known is None or not timedelta() <= now - known[0] < LOOK:
            return self._read(sender, now)
        return known[1]

    def _read(self, sender: Sender, now: datetime) -> SenderStanding:
        with self._parts.reading() as session:
            standing = standings.read_standing(session, sender, now)
        self._known[standings.sender_key(sender)] = (now, standing)
        return standing

    def _change(self, change: standings.Change, key: str = "") -> None:
        self._update(lambda standing, now: (change(standing, now), None), key)

    def _update(
        self, change: Callable[[Standing, datetime], tuple[Standing, _Result]], key: str = ""
    ) -> _Result:
        """Update a row, by default the relay's, and commit; return what else `change` returns."""
        with self._parts.session() as session:
            key = key or standings.relay_key(self.relay)
            result = standings.update(session, key, change, self._parts.now())
            session.commit()
        self._known.clear()
        return result


def may_send(session: Session, sender: Sender, priority: Priority, now: datetime) -> bool:
    """Return whether an email of `priority` may be sent now or soon."""
    standing = standings.read_standing(session, sender, now)
    return _room(sender, standing, priority, now) > 0


def _room(sender: Sender, standing: SenderStanding, priority: Priority, now: datetime) -> int:
    """Return how many messages of `priority` the relay may get soon from this sender."""
    if not _is_open(sender, priority.lane, now):
        return 0
    test_seconds = seconds_to_test(standing, sender, now)
    if test_seconds is not None:
        return int(test_seconds == 0)
    limits = Limits.of(sender.relay)
    _, booking = book(
        standing.relay, limits, MANY, now,
        ahead_seconds=HOLD_SECONDS[priority.lane], share=priority.share(sender.settings),
    )  # fmt: skip
    stage = None if priority is Priority.SINGLE else stage_of(sender.settings, sender.identity, now)
    if stage is None or standing.warm_up is None:
        return booking.count
    return min(booking.count, room_of(standing.warm_up, stage, now))


def _is_open(sender: Sender, lane: Lane, now: datetime) -> bool:
    return lane is Lane.SINGLE or is_open(sender.settings.sending_window, sender.zone, now)
