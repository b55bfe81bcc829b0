"""Hold digests to domains for which the owner must answer a question, and release them afterwards.

A held delivery is queued again, due a day later. It has the hash of its domain and no time of a reply, so the
index of domains finds it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from newsletter import notices
from newsletter.messages.claimed import Claimed
from newsletter.models import Delivery, DeliveryState, Lane, Notice
from newsletter.notices import NoticeKind
from newsletter.outbox.lease import queue_again

# How long a delivery is held: half to one and a half times this, so that not all are due at the same time.
HELD_FOR = timedelta(days=1)
# How many held deliveries of a domain are released at once. The sweep releases the rest.
RELEASED = 20_000


def hold_domains(session: Session, claimed: Sequence[Claimed], worker: str, now: datetime) -> set[int]:
    """Queue claimed digests again whose domain waits for the owner's answer; return their ids."""
    held = held_domains(session)
    if not held:
        return set()
    waiting = {
        each.id: held[domain]
        for each in claimed
        if each.lane is Lane.BULK and (domain := (each.email_key or "").rpartition("@")[2]) in held
    }
    again = queue_again(
        worker,
        Delivery.id == bindparam("row"),
        due_at=bindparam("again_at"),
        domain_key=bindparam("domain"),
        answered_microseconds=None,
    )
    rows = [
        {"row": row, "domain": domain, "again_at": now + HELD_FOR * (0.5 + random.random())}  # noqa: S311
        for row, domain in sorted(waiting.items())
    ]
    if rows:
        session.connection().execute(again, rows)
    return set(waiting)


def held_domains(session: Session) -> dict[str, int]:
    """Return the domains that wait for the owner's answer: the hash that deliveries store, by name."""
    found = notices.open_notices(session, NoticeKind.DOMAIN_REFUSES)
    return {each.subject: each.detail.get("domain", 0) for each in found}


def release_domain(session: Session, domain: int, now: datetime) -> int:
    """Make up to `RELEASED` held deliveries of a domain due now; return how many. Commits nothing."""
    held = (
        select(Delivery.id)
        .where(
            Delivery.domain_key == domain,
            Delivery.answered_microseconds.is_(None),
            # With "" appended, no index of states is used.
            Delivery.state.concat("") == DeliveryState.QUEUED.value,
        )
        .limit(RELEASED)
        .with_for_update(skip_locked=True)
    )
    # Remove the hash, so that the next call does not find the delivery again.
    due = update(Delivery).where(Delivery.id.in_(held)).values(due_at=now, domain_key=None)
    return session.connection().execute(due).rowcount


def release_domains(session: Session, now: datetime) -> int:
    """Release the held deliveries of the domains for which the owner has answered; return how many."""
    answered = select(Notice).where(
        Notice.kind == NoticeKind.DOMAIN_REFUSES.key, Notice.settled_at >= now - 2 * HELD_FOR
    )
    held = set(held_domains(session).values())
    domains = {each.detail.get("domain", 0) for each in session.scalars(answered)} - held
    return sum(release_domain(session, each, now) for each in sorted(domains))
