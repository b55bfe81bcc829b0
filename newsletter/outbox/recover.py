"""Decide the deliveries of dead workers and lost hosts by their journals."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.messages.build import MessageMaker
from newsletter.models import Delivery, DeliveryState, Issue, Subscriber
from newsletter.outbox.journals.journal import Record, abandoned, left_in, worker_host, written_on
from newsletter.outbox.record import Attempt, record
from newsletter.smtp.outcomes import Fate, Outcome

log = logging.getLogger(__name__)


def recover(session: Session, maker: MessageMaker, folder: Path, now: datetime) -> int:
    """Decide the deliveries of dead workers, by their journals in this folder; return how many.

    An expired lease alone proves nothing. The journal says what the worker sent and which replies came.
    Commits after each journal and then removes it, so a second run does no harm.
    """
    return _replay_all(session, maker, abandoned(folder), now)


@dataclass(frozen=True)
class GivenUp:
    """How many deliveries of a lost host were decided, and how many of these by a journal.

    `alive` is the number of that host's workers with a live journal in this folder. Their deliveries are not
    changed.
    """

    decided: int
    by_journal: int
    alive: int


def give_up_host(
    session: Session,
    maker: MessageMaker,
    folder: Path,
    host: str,
    now: datetime,
    *,
    lapsed_only: bool = False,
) -> GivenUp:
    """Decide the deliveries that workers of a host still hold, when the host is lost for good.

    A journal of that host in `folder` says what was sent. Without a journal nobody can know, so digests
    become uncertain and single emails are sent again. With `lapsed_only`, only expired leases are decided.
    Only a person may start this, because a host that only lost its network continues to send. Commits after
    each journal; the caller commits the rest.
    """
    by_journal = _replay_all(session, maker, left_in(written_on(folder, host)), now)
    held = select(Delivery.leased_by).where(Delivery.leased_by.startswith(f"{host}-", autoescape=True))
    if lapsed_only:
        held = held.where(Delivery.leased_until < now)
    workers = [name for name in session.scalars(held.distinct()) if name and worker_host(name) == host]
    # Read after the leases: a worker makes its journal before its first lease and removes it after its last.
    living = {path.stem for path in written_on(folder, host)}
    lost = (Record(name, {}, frozenset(), complete=False) for name in workers if name not in living)
    decided = by_journal + sum(replay(session, maker, each, now) for each in lost)
    return GivenUp(decided, by_journal, len(living))


def _replay_all(
    session: Session, maker: MessageMaker, journals: Iterable[tuple[Record, Path]], now: datetime
) -> int:
    decided = 0
    for left, path in journals:
        decided += replay(session, maker, left, now)
        session.commit()
        path.unlink(missing_ok=True)
        log.warning("event=recovered worker=%s uncertain=%d", left.name, len(left.unanswered))
    return decided


def replay(session: Session, maker: MessageMaker, left: Record, now: datetime) -> int:
    """Decide every delivery that a dead worker still held, by its journal. Commits nothing."""
    held = session.execute(
        select(
            Delivery.id,
            Delivery.attempt,
            Delivery.lane,
            Delivery.created_at,
            Delivery.subscriber_id,
            Subscriber.email_key,
            func.coalesce(Issue.newsletter_id, Delivery.newsletter_id),
        )
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(Delivery.leased_by == left.name, Delivery.state == DeliveryState.LEASED)
    ).all()
    unknown = Outcome(Fate.UNCERTAIN, reason="the worker died before the relay's answer was written down")
    unoffered = Outcome(Fate.SKIPPED)
    attempts = []
    for delivery_id, number, lane, created_at, subscriber_id, email_key, newsletter_id in held:
        outcome = left.outcomes.get(delivery_id)
        if outcome is None:
            lost = delivery_id in left.unanswered or not left.complete
            outcome = unknown if lost else unoffered
        attempts.append(
            Attempt(
                delivery_id, number, lane, created_at, subscriber_id, outcome, email_key,
                newsletter_id=newsletter_id, relay=left.relay,
            )
        )  # fmt: skip
    return record(session, maker, left.name, attempts, now)
