"""What became of a batch is written down, and what a dead worker left is cleared up."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from newsletter.models import (
    UNSETTLED,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Subscriber,
    Suppression,
    SuppressionReason,
    insert_new,
)
from newsletter.outbox.journal import Record, abandoned
from newsletter.outbox.messages import MessageMaker
from newsletter.outbox.retry import NextStep, next_step
from newsletter.outbox.steer import drop_unsent
from newsletter.smtp.outcomes import Fate, Outcome

log = logging.getLogger(__name__)

WAITING_STATES = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


def record(
    session: Session,
    maker: MessageMaker,
    worker: str,
    results: Iterable[tuple[int, Outcome]],
    now: datetime,
) -> int:
    """Write the outcome of each delivery that `worker` holds; return how many were still its own.

    Commits nothing. A delivery whose lease was taken away meanwhile is left as it is.
    """
    outcomes = dict(results)
    held = session.execute(
        select(Delivery.id, Delivery.attempt, Delivery.created_at, Delivery.lane, Delivery.subscriber_id)
        .where(
            Delivery.id.in_(outcomes),
            Delivery.state == DeliveryState.LEASED,
            Delivery.leased_by == worker,
        )
        .with_for_update()
    ).all()
    changes = []
    dead_readers = []
    for delivery_id, attempt, created_at, lane, subscriber_id in held:
        outcome = outcomes[delivery_id]
        step = next_step(
            outcome,
            attempt=attempt,
            age=now - created_at,
            now=now,
            # Somebody waits for a single mail: the same Message-ID twice is better than none.
            resend_uncertain=lane is Lane.SINGLE or maker.settings.resend_uncertain,
            jitter=random.random(),  # noqa: S311
        )
        if step.hard_bounce and subscriber_id is not None:
            dead_readers.append(subscriber_id)
        changes.append(_row(delivery_id, attempt, outcome, step, now))
        log.info("delivery=%d attempt=%d state=%s fate=%s", delivery_id, attempt, step.state, outcome.fate)
    if changes:
        session.execute(update(Delivery), changes)
    if dead_readers:
        suppress(session, maker, dead_readers, SuppressionReason.HARD_BOUNCE, now)
    return len(changes)


def _row(delivery_id: int, attempt: int, outcome: Outcome, step: NextStep, now: datetime) -> dict[str, Any]:
    waits = step.state in WAITING_STATES
    row: dict[str, Any] = {
        "id": delivery_id,
        "state": step.state,
        "leased_by": None,
        "leased_until": None,
        "attempt": attempt - 1 if outcome.fate is Fate.SKIPPED else attempt,
        "settled_at": None if waits else now,
        "bounced_at": now if step.hard_bounce else None,
        "reply_code": outcome.reply.code if outcome.reply else None,
        "reply_text": (outcome.reply.text if outcome.reply else outcome.reason)[:500] or None,
        "status": outcome.reply.status or None if outcome.reply else None,
    }
    # The bulk UPDATE wants the same columns in every row, so a settled one has a time too.
    row["due_at"] = step.due_at or now
    return row


def suppress(
    session: Session,
    maker: MessageMaker,
    subscriber_ids: Sequence[int],
    reason: SuppressionReason,
    now: datetime,
) -> None:
    """Suppress the addresses of these subscribers: read again by the next claim. Commits nothing."""
    keys = session.scalars(
        select(Subscriber.email_key).where(
            Subscriber.id.in_(subscriber_ids), Subscriber.email_key.is_not(None)
        )
    )
    rows = [
        {"address_hash": maker.suppression_hash(key or ""), "reason": reason, "since": now} for key in keys
    ]
    if rows:
        session.execute(insert_new(session, Suppression), rows)


def finish(session: Session, now: datetime) -> list[int]:
    """Finish every issue whose deliveries are all in a final state; return their ids.

    An uncertain delivery is not final: it waits for a person. What came back of a cancelled
    issue is cancelled too. Commits nothing.
    """
    waits = exists().where(Delivery.issue_id == Issue.id, Delivery.state.in_(WAITING_STATES))
    for issue_id in session.scalars(select(Issue.id).where(Issue.state == IssueState.CANCELLED, waits)).all():
        drop_unsent(session, issue_id, now)
    open_states = (*UNSETTLED, DeliveryState.UNCERTAIN)
    unsettled = exists().where(Delivery.issue_id == Issue.id, Delivery.state.in_(open_states))
    done = (
        update(Issue)
        .where(Issue.state == IssueState.SENDING, ~unsettled)
        .values(state=IssueState.FINISHED, finished_at=now)
        .returning(Issue.id)
    )
    return list(session.scalars(done.execution_options(synchronize_session=False)))


def recover(session: Session, maker: MessageMaker, folder: Path, now: datetime) -> int:
    """Clear up after every dead worker of this host; return how many deliveries were decided.

    A lapsed lease alone says nothing; the dead worker's journal says what it tried and heard.
    Commits after each journal, which is removed then: run twice, it does no harm.
    """
    decided = 0
    for left, path in abandoned(folder):
        decided += replay(session, maker, left, now)
        session.commit()
        path.unlink(missing_ok=True)
        log.warning("recovered worker=%s uncertain=%d", left.name, len(left.unanswered))
    return decided


def replay(session: Session, maker: MessageMaker, left: Record, now: datetime) -> int:
    """Decide every delivery that a dead worker still held, by its journal. Commits nothing."""
    held = session.scalars(
        select(Delivery.id).where(Delivery.state == DeliveryState.LEASED, Delivery.leased_by == left.name)
    ).all()
    unknown = Outcome(Fate.UNCERTAIN, reason="the worker died before the relay's answer was written down")
    unoffered = Outcome(Fate.SKIPPED)
    results = []
    for delivery_id in held:
        if delivery_id in left.outcomes:
            results.append((delivery_id, left.outcomes[delivery_id]))
        elif delivery_id in left.unanswered or not left.complete:
            results.append((delivery_id, unknown))
        else:
            results.append((delivery_id, unoffered))
    return record(session, maker, left.name, results, now)
