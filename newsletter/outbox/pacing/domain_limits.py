"""Limit the rate of a recipients' domain: give claimed deliveries times, or queue them again for later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.messages.claimed import Claimed
from newsletter.models import Lane
from newsletter.outbox.lease import postpone
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.pace import Limits, Standing, book, from_state, spread, to_state
from newsletter.settings import Settings

# A delivery that must wait longer is queued again. Its lane's sweep runs this often.
HOLD_SECONDS = {Lane.BULK: 15.0, Lane.SINGLE: 30.0}

Times = list[tuple[int, datetime]]


def book_domains(
    session: Session, settings: Settings, claimed: Sequence[Claimed], worker: str, now: datetime
) -> tuple[dict[int, datetime], set[int]]:
    """Book the claimed deliveries whose domain has a limit. Commits nothing.

    Returns the earliest time of each, by id, and the ids of those that had to be queued again.
    """
    limits = dict(settings.domain_limits)
    by_domain: dict[str, list[Claimed]] = defaultdict(list)
    for each in claimed:
        domain = (each.address or "").rpartition("@")[2].lower()
        if domain in limits or "*" in limits:
            by_domain[domain].append(each)
    if not by_domain:
        return {}, set()
    booked: Times = []
    later: Times = []
    names = {standings.domain_key(domain): domain for domain in by_domain}
    for row in standings.lock(session, list(names), now):
        standing, domain = from_state(row.state, row.seen_at), names[row.key]
        per_second = limits.get(domain) or limits["*"]
        for lane in (Lane.SINGLE, Lane.BULK):
            if ids := [each.id for each in by_domain[domain] if each.lane is lane]:
                standing, soon, rest = _book(standing, per_second, lane, ids, now)
                booked += soon
                later += rest
        row.state, row.seen_at = to_state(standing), standing.seen_at
    if later:
        postpone(session, later, worker)
    return dict(booked), {delivery_id for delivery_id, _ in later}


def _book(
    standing: Standing, per_second: float, lane: Lane, ids: Sequence[int], now: datetime
) -> tuple[Standing, Times, Times]:
    """Return the standing, the times of the booked deliveries, and when the others are due again."""
    standing, booking = book(standing, Limits(per_second), len(ids), now, ahead_seconds=HOLD_SECONDS[lane])
    first = now + timedelta(seconds=booking.wait_seconds)
    times = [first + timedelta(seconds=index * booking.interval_seconds) for index in range(booking.count)]
    rest = ids[booking.count :]
    if lane is Lane.SINGLE:
        # A person is waiting for a single email, so it must not wait behind the digests of an issue.
        due = [now + timedelta(seconds=HOLD_SECONDS[lane])] * len(rest)
    else:
        standing, due = spread(standing, per_second, len(rest), now)
    return standing, list(zip(ids, times, strict=False)), list(zip(rest, due, strict=True))
