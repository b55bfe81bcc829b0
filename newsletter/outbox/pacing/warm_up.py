"""Send few digests a day from a new domain, and more each day, so that mailbox providers learn to trust it.

The setting `warm_up` has a plan for each From domain. The emails of the last 24 hours are counted in a row of
the table `pace`, as for a relay's daily limit (pace.py). Confirmations and other single emails are not
limited and not counted. A digest that waits for its turn is merged into the subscriber's next one
(digest/merge_unsent.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.identity import Identity
from newsletter.messages.sender import Sender
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.pace import DAY, MANY, Booking, Limits, Standing, book, catch_up, give_back
from newsletter.settings import Settings


@dataclass(frozen=True)
class Stage:
    """Where the plan of a domain is: day `day` of `days`, counted from 1, with `limit` emails in 24 hours."""

    domain: str
    day: int
    days: int
    limit: int


def stage_of(settings: Settings, identity: Identity, now: datetime) -> Stage | None:
    """Return where the warm-up of a newsletter's From domain is; None if there is none today."""
    domain = identity.sender_domain.lower()
    plan = dict(settings.warm_up).get(domain)
    if plan is None:
        return None
    day = (now.astimezone(ZoneInfo(identity.time_zone)).date() - plan.starts).days + 1
    return Stage(domain, day, plan.days, plan.limit(day)) if 1 <= day <= plan.days else None


def room_of(standing: Standing, stage: Stage, now: datetime) -> int:
    """Return how many digests may be sent now. `standing` is that of the domain's warm-up."""
    return _book(standing, stage, MANY, now)[1].count


def sent_of(standing: Standing, clock: datetime) -> int:
    """Return how many digests count now: those of the last 24 hours, and up to 20 minutes more."""
    standing, now = catch_up(standing, clock)
    return sum(count for _, count in DAY.recent(standing.day, now))


def in_words(standing: Standing, stage: Stage, now: datetime) -> str:
    """Return a sentence about how far the warm-up is."""
    sent = min(sent_of(standing, now), stage.limit)
    return (
        f"Warm-up of {stage.domain}: day {stage.day} of {stage.days}. In the last 24 hours, {sent:,} of "
        f"{stage.limit:,} emails were sent."
    )


def read_stages(session: Session, senders: Sequence[Sender], now: datetime) -> list[str]:
    """Return a sentence about each domain that warms up today."""
    found: dict[str, str] = {}
    for each in senders:
        stage = stage_of(each.settings, each.identity, now)
        if stage is not None:
            key = standings.warm_up_key(each)
            found[key] = in_words(standings.read(session, key, now), stage, now)
    return list(found.values())


class WarmUpBooks:
    """The digests that one drain has booked in warm-ups. Those not offered to the relay are given back."""

    def __init__(self) -> None:
        # By the key of the row: how many are booked and not offered, and when the last ones were booked.
        self._open: dict[str, tuple[int, datetime]] = {}

    def limit(self, session: Session, sender: Sender, limit: int, now: datetime) -> int:
        """Return how many digests may be claimed, at most `limit`. If there is a warm-up, lock its row."""
        stage = stage_of(sender.settings, sender.identity, now)
        if stage is None:
            return limit
        (row,) = standings.lock(session, [standings.warm_up_key(sender)], now)
        return min(limit, room_of(standings.of_row(row), stage, now))

    def book(self, session: Session, sender: Sender, number: int, now: datetime) -> None:
        """Count claimed digests. `limit` has locked the row."""
        stage = stage_of(sender.settings, sender.identity, now)
        if stage is None:
            return
        key = standings.warm_up_key(sender)
        booking = standings.update(session, key, lambda row, now: _book(row, stage, number, now), now)
        if booking.booked_at is not None:
            self._open[key] = (self._open.get(key, (0, now))[0] + booking.count, booking.booked_at)

    def offered(self, sender: Sender) -> None:
        """Note that the relay was offered a digest of this sender."""
        if not self._open:
            return
        key = standings.warm_up_key(sender)
        if key in self._open:
            count, booked_at = self._open[key]
            self._open[key] = (count - 1, booked_at)

    def give_back(self, session: Session, now: datetime) -> None:
        """Give back what was not offered, when the drain holds no delivery. Commits nothing."""
        still_open, self._open = self._open, {}
        for key, (count, booked_at) in sorted(still_open.items()):
            booking = Booking(count, 0.0, booked_at=booked_at)
            standings.change(session, key, partial(_give_back, booking), now)


def _give_back(booking: Booking, standing: Standing, now: datetime) -> Standing:
    return give_back(standing, booking, booking.count, now)


def _book(standing: Standing, stage: Stage, count: int, now: datetime) -> tuple[Standing, Booking]:
    return book(standing, Limits(per_day=stage.limit), count, now, ahead_seconds=0)
