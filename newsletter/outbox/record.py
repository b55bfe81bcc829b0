"""Record the outcomes of a batch of attempts, and finish issues that are done."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, or_, select, update
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.mail.redact import without_addresses
from newsletter.messages.build import MessageMaker
from newsletter.models import (
    UNSETTLED,
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Rendition,
    has_more_waves,
    is_one_of,
    rows_as_table,
)
from newsletter.outbox.control import cancel_unsent
from newsletter.outbox.lease import WAITING
from newsletter.outbox.pacing.setup.acceptances import is_contradicted
from newsletter.outbox.refused.mailbox_trouble import note_refusal
from newsletter.outbox.refused.outcome_keys import domain_number, microseconds, relay_number
from newsletter.outbox.refused.outcome_rows import is_unjudged, reached_nobody
from newsletter.outbox.retry import Backoff, NextStep, next_step
from newsletter.smtp.outcomes import Fate, Outcome
from newsletter.smtp.refusals import setup_fault

log = logging.getLogger(__name__)

# Some relays send pages of text.
LONGEST_REPLY = 500


# Id, code, text, status, relay, domain, and the time of the reply.
_AcceptedRow = tuple[int, int | None, str, str, int | None, int | None, int | None]


class Attempt(NamedTuple):
    """One attempt at a delivery, counted from 1, and its outcome."""

    delivery_id: int
    number: int
    lane: Lane
    created_at: datetime
    subscriber_id: int | None
    outcome: Outcome
    email_key: str | None = None
    # When the reply came. None means the time at which it is recorded.
    answered_at: datetime | None = None
    # None means the first newsletter.
    newsletter_id: int | None = None
    # The number of the relay. None means the usual relay of the newsletter.
    relay: int | None = None


def record(
    session: Session, maker: MessageMaker, worker: str, attempts: Iterable[Attempt], now: datetime
) -> int:
    """Write the outcome of each attempt; return how many deliveries `worker` still held.

    If another process has taken a lease away, the delivery is not changed. A refused address stays unjudged,
    because only outbox/refused/judge.py suppresses. Commits nothing.
    """
    accepted: list[_AcceptedRow] = []
    rejected: list[tuple[Attempt, NextStep]] = []
    relays: dict[tuple[int | None, int | None], int] = {}
    changed = 0
    for attempt in attempts:
        outcome = attempt.outcome
        if outcome.accepted and outcome.reply is not None:
            # The usual case, kept fast.
            reply = outcome.reply
            for_judge: tuple[int | None, int | None, int | None] = (None, None, None)
            if attempt.lane is Lane.BULK:
                key = (attempt.newsletter_id, attempt.relay)
                if key not in relays:
                    relays[key] = _relay_number(session, maker, attempt)
                for_judge = (relays[key], *_domain_and_time(maker, attempt, now))
            accepted.append((attempt.delivery_id, reply.code, _kept(reply.text), reply.status, *for_judge))
            continue
        step = _next_step(session, maker, attempt, now)
        log.debug("delivery=%d attempt=%d state=%s", attempt.delivery_id, attempt.number, step.state)
        if step.state is DeliveryState.REJECTED:
            rejected.append((attempt, step))
        else:
            changed += _change(session, maker, worker, attempt, step, now)
    if accepted:
        changed += _accept(session, worker, accepted, now)
    if rejected:
        changed += _reject(session, maker, worker, rejected, now)
    return changed


def _next_step(session: Session, maker: MessageMaker, attempt: Attempt, now: datetime) -> NextStep:
    backoff, made_ago = Backoff(), now - attempt.created_at
    age = backoff.tried_for(attempt.number, made_ago)
    # A person waits for a single email: a duplicate with the same Message-ID is better than none.
    resend = attempt.lane is Lane.SINGLE or maker.settings.resend_uncertain
    # The query runs for old deliveries only.
    others_accepted = made_ago > backoff.give_up and _is_contradicted(session, maker, attempt, now)
    return next_step(
        attempt.outcome,
        attempt=attempt.number,
        age=age,
        now=now,
        resend_uncertain=resend and age <= backoff.give_up,
        jitter=random.random(),  # noqa: S311
        made_ago=made_ago,
        others_accepted=others_accepted,
    )


def _kept(text: str) -> str:
    # The relay may quote the subscriber's address, which may be erased before this row.
    return without_addresses(text)[:LONGEST_REPLY]


def _is_contradicted(session: Session, maker: MessageMaker, attempt: Attempt, now: datetime) -> bool:
    fault = setup_fault(attempt.outcome)
    if fault is None:
        return False
    sender = maker.senders.of(session, attempt.newsletter_id)
    backup = sender.backup
    if backup is not None and attempt.relay == relay_number(backup.relay.key):
        sender = backup
    return is_contradicted(session, maker.senders, sender, fault, attempt.delivery_id, now)


def _relay_number(session: Session, maker: MessageMaker, attempt: Attempt) -> int:
    if attempt.relay is not None:
        return attempt.relay
    return relay_number(maker.senders.of(session, attempt.newsletter_id).relay.key)


def _domain_and_time(maker: MessageMaker, attempt: Attempt, now: datetime) -> tuple[int | None, int]:
    """Return the hash of the recipient's domain and the time of the reply, for outbox/refused/judge.py."""
    return domain_number(maker.tokens, attempt.email_key), microseconds(attempt.answered_at or now)


def _to_be_judged(
    session: Session, maker: MessageMaker, attempt: Attempt, step: NextStep, now: datetime
) -> dict[str, Any]:
    """Return the columns of a rejected digest that outbox/refused/judge.py needs."""
    if attempt.lane is not Lane.BULK or step.state is not DeliveryState.REJECTED:
        return {"verdict": None}
    relay = _relay_number(session, maker, attempt)
    domain, answered = _domain_and_time(maker, attempt, now)
    verdict = BounceVerdict.UNJUDGED if step.hard_bounce else None
    return {
        "relay_key": relay, "domain_key": domain, "answered_microseconds": answered, "verdict": verdict,
    }  # fmt: skip


def _accept(session: Session, worker: str, rows: Sequence[_AcceptedRow], now: datetime) -> int:
    """Record accepted deliveries by one statement, because nearly every delivery of an issue is accepted."""
    types: dict[str, type[int] | type[str]] = {
        "id": int, "code": int, "text": str, "status": str, "relay": int, "domain": int, "answered": int,
    }  # fmt: skip
    given = rows_as_table(session, types, rows)
    done = (
        update(Delivery)
        .where(
            Delivery.id == given.c.id,
            Delivery.state == DeliveryState.LEASED,
            # With "" appended, SQLite does not use the index of leases. It looks each row up by its id.
            Delivery.leased_by.concat("") == worker,
        )
        .values(
            state=DeliveryState.ACCEPTED,
            leased_by=None,
            leased_until=None,
            settled_at=now,
            reply_code=given.c.code,
            reply_text=given.c.text,
            status=given.c.status,
            build_failed_at=None,
            relay_key=given.c.relay,
            domain_key=given.c.domain,
            answered_microseconds=given.c.answered,
            # An earlier attempt may have been refused.
            bounced_at=None,
            verdict=None,
        )
    )
    return session.connection().execute(done).rowcount


def _change(
    session: Session, maker: MessageMaker, worker: str, attempt: Attempt, step: NextStep, now: datetime
) -> int:
    """Record the outcome of one delivery that was not accepted."""
    outcome = attempt.outcome
    waits = step.state in WAITING
    untried = outcome.fate is Fate.SKIPPED
    values: dict[str, Any] = {
        "state": step.state,
        "leased_by": None,
        "leased_until": None,
        "attempt": attempt.number if step.counted and not untried else attempt.number - 1,
        "settled_at": None if waits else now,
        "due_at": step.due_at or now,
    }
    if outcome.fate is Fate.UNCERTAIN:
        # This relay may have the message, so no other relay may get it.
        values["only_relay"] = _relay_number(session, maker, attempt)
    if not untried:
        values["build_failed_at"] = now if outcome.fate is Fate.UNBUILT else None
        text = outcome.reply.text if outcome.reply else outcome.reason
        values |= {
            "reply_code": outcome.reply.code if outcome.reply else None,
            "reply_text": _kept(text) or None,
            "status": outcome.reply.status or None if outcome.reply else None,
            "bounced_at": now if step.hard_bounce else None,
            **_to_be_judged(session, maker, attempt, step, now),
        }
    done = (
        update(Delivery)
        .where(
            Delivery.id == attempt.delivery_id,
            Delivery.state == DeliveryState.LEASED,
            Delivery.leased_by == worker,
        )
        .values(**values)
    )
    return session.connection().execute(done).rowcount


def _reject(
    session: Session,
    maker: MessageMaker,
    worker: str,
    rejected: Sequence[tuple[Attempt, NextStep]],
    now: datetime,
) -> int:
    """Record rejections. If an issue was cancelled meanwhile, put back the releases of its deliveries.

    The issues are locked first. Cancelling puts back the releases of deliveries rejected before it, and this
    function those of deliveries rejected after it.
    """
    ids = [attempt.delivery_id for attempt, _ in rejected]
    theirs = select(Delivery.issue_id).where(is_one_of(session, Delivery.id, ids))
    issues = select(Issue.id, Issue.state).where(Issue.id.in_(theirs)).order_by(Issue.id)
    locked = session.execute(issues.with_for_update(key_share=True)).all()
    cancelled = [issue_id for issue_id, state in locked if state is IssueState.CANCELLED]
    held = select(Delivery.subscriber_id, Rendition.key).join(
        Rendition, Rendition.id == Delivery.rendition_id
    )
    late = session.execute(
        held.where(
            is_one_of(session, Delivery.id, ids),
            Delivery.issue_id.in_(cancelled),
            Delivery.state == DeliveryState.LEASED,
            Delivery.leased_by.concat("") == worker,
        )
    ).all()
    put_back = [(subscriber_id, key) for subscriber_id, key in late if subscriber_id is not None]
    coverage.lock(session, [subscriber_id for subscriber_id, _ in put_back], moved=True)
    changed = 0
    for attempt, step in rejected:
        if _change(session, maker, worker, attempt, step, now):
            changed += 1
            note_refusal(
                session, attempt.subscriber_id, attempt.delivery_id, attempt.outcome.reply, now,
                hard=step.hard_bounce,
            )  # fmt: skip
    coverage.put_back(session, put_back)
    return changed


def finish(session: Session, now: datetime) -> list[int]:
    """Finish every issue whose deliveries are all in a final state; return their ids. Commits nothing.

    An uncertain delivery is not final, because it waits for a person. An unjudged refusal is not final
    either, so call `judge_all` first. An issue that reached nobody does not finish until the owner was asked.
    A scheduled issue does not finish before the last instant of its date.
    Deliveries that a worker gave back after their issue was cancelled are cancelled here.
    """
    # One issue in a transaction, because subscribers must be locked in the order of their ids.
    for issue_id in session.scalars(_cancelled_that_wait()).all():
        cancel_unsent(session, issue_id, now)
    # Two statements, because another transaction may have locked an issue to queue its emails again. Only a
    # statement that begins after we have the lock sees those rows.
    locked = session.scalars(_to_finish()).all()
    if not locked:
        return []
    done = (
        update(Issue)
        .where(Issue.id.in_(locked), _is_done())
        .values(state=IssueState.FINISHED, finished_at=now)
        .returning(Issue.id)
    )
    return list(session.scalars(done.execution_options(synchronize_session=False)))


@cache
def _cancelled_that_wait() -> Select[int]:
    waits = exists().where(Delivery.issue_id == Issue.id, Delivery.state.in_(WAITING))
    return select(Issue.id).where(Issue.state == IssueState.CANCELLED, waits).order_by(Issue.id).limit(1)


@cache
def _to_finish() -> Select[int]:
    sending = select(Issue.id).where(Issue.state == IssueState.SENDING, _is_done())
    return sending.with_for_update(skip_locked=True, key_share=True)


@cache
def _is_done() -> ColumnElement[bool]:
    """Return the condition that `finish` waits for. To make it takes longer than to use it."""
    open_states = (*UNSETTLED, DeliveryState.UNCERTAIN)
    unsettled = or_(
        exists().where(Delivery.issue_id == Issue.id, Delivery.state.in_(open_states)),
        # A refusal may show that the relay is at fault. Then its issue is paused.
        exists().where(Delivery.issue_id == Issue.id, is_unjudged()),
        reached_nobody(Issue.id),
        has_more_waves(Issue.newsletter_id, Issue.slot),
    )
    return ~unsettled
