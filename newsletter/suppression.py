"""Suppressions, the addresses that we never email. Only this module hashes, finds, adds and lifts them.

A suppression stores a keyed hash of the address, so it stays when the address is deleted. No import, form or
API call lifts one. Only a person with the right to do so lifts one, and the audit log has an entry. The one
exception is SOFT_BOUNCE: the button of the probe email lifts it too, because the email arrived.
Only `outbox/refused/judge.py` adds hard bounces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, exists, select, update
from sqlalchemy.orm import Session

from newsletter import audit, bounce_steps, coverage
from newsletter.bounce_steps import Step
from newsletter.mail.addresses import address_hash
from newsletter.models import (
    Delivery,
    StepKind,
    Subscriber,
    Suppression,
    SuppressionReason,
    insert_new,
    is_one_of,
    rows_as_table,
)
from newsletter.tokens import Tokens

# The purpose from which the key of these hashes is derived.
KEY = "suppression"
_BOUNCES = (SuppressionReason.HARD_BOUNCE, SuppressionReason.SOFT_BOUNCE)


def suppression_hash(tokens: Tokens, email_key: str) -> str:
    """Return the keyed hash that a suppression stores for an address."""
    return address_hash(email_key, tokens.derived_key(KEY))


def find(session: Session, tokens: Tokens, email_key: str) -> Suppression | None:
    """Return the suppression of an address, or None."""
    wanted = select(Suppression).where(Suppression.address_hash == suppression_hash(tokens, email_key))
    return session.scalars(wanted).one_or_none()


def is_suppressed(session: Session, tokens: Tokens, email_key: str) -> bool:
    """Return whether an address is suppressed."""
    mark = suppression_hash(tokens, email_key)
    return session.scalar(select(Suppression.id).where(Suppression.address_hash == mark)) is not None


def anybody_suppressed(session: Session) -> bool:
    """Return whether there is any suppression. If not, the caller need not hash each address."""
    return bool(session.scalar(select(exists().where(Suppression.id.is_not(None)))))


def suppressed_since(session: Session, since: datetime) -> set[str]:
    """Return the hashes of addresses suppressed since then. They are few even on a long list."""
    return set(session.scalars(select(Suppression.address_hash).where(Suppression.since >= since)))


def suppressed_among(session: Session, hashes: Sequence[str]) -> set[str]:
    """Return the hashes among `hashes` that are suppressed."""
    given = rows_as_table(session, {"address_hash": str}, [(each,) for each in hashes])
    found = select(Suppression.address_hash).where(Suppression.address_hash.in_(select(given.c.address_hash)))
    return set(session.scalars(found))


def suppressed_subscribers() -> Select[int | None]:
    """Return the query for the ids of subscribers that a suppression names.

    Selection leaves them out. A suppression may lack the id. The check at the claim compares the address,
    so it finds those too.
    """
    return select(Suppression.subscriber_id).where(Suppression.subscriber_id.is_not(None))


def name_subscribers(session: Session, found: Iterable[tuple[str, int]]) -> None:
    """Store the subscriber's id with each hash, so that selection leaves them out. Commits nothing."""
    for mark, subscriber_id in sorted(found):
        session.execute(
            update(Suppression).where(Suppression.address_hash == mark).values(subscriber_id=subscriber_id)
        )


def forget_subscriber(session: Session, subscriber_id: int) -> None:
    """Remove the link from suppressions to a person who was erased or has a new address.

    Also clear the bounces of their deliveries: refusals at the old address say nothing about the new one.
    """
    theirs = update(Suppression).where(Suppression.subscriber_id == subscriber_id)
    session.execute(theirs.values(subscriber_id=None))
    _forget_bounces(session, subscriber_id)
    bounce_steps.forget_address(session, subscriber_id)


def add(
    session: Session,
    address_hash: str,
    reason: SuppressionReason,
    now: datetime,
    subscriber_id: int | None = None,
    *,
    actor: str = "",
    delivery_id: int | None = None,
) -> bool:
    """Stop all email to an address; return whether that is new. Commits nothing.

    `subscriber_id` is the subscriber with this address, if known. An address that is suppressed already keeps
    its reason, unless the new reason is ERASED. That reason overrides the others, because no bounce policy
    may lift the suppression of an erased person.

    It is a step in the subscriber's history, with `actor`, and with the delivery that led to it.
    """
    fresh = insert_new(session, Suppression).values(
        address_hash=address_hash, reason=reason, since=now, subscriber_id=subscriber_id
    )
    new = session.scalar(fresh.returning(Suppression.id)) is not None
    if not new and reason is SuppressionReason.ERASED:
        there = update(Suppression).where(Suppression.address_hash == address_hash)
        session.execute(there.values(reason=reason, subscriber_id=None))
    if new and subscriber_id is not None:
        step = Step(StepKind.SUPPRESSED, subscriber_id, reason.value, delivery_id=delivery_id, actor=actor)
        bounce_steps.add(session, step, now)
    return new


def add_subscribers(
    session: Session,
    tokens: Tokens,
    subscriber_ids: Iterable[int],
    reason: SuppressionReason,
    now: datetime,
    *,
    actor: str = "",
    delivery_id: int | None = None,
) -> int:
    """Stop all email to the addresses of these subscribers; return how many are new. Commits nothing."""
    people = session.execute(
        select(Subscriber.id, Subscriber.email_key).where(
            is_one_of(session, Subscriber.id, subscriber_ids), Subscriber.email_key.is_not(None)
        )
    ).all()
    return sum(
        add(
            session, suppression_hash(tokens, key or ""), reason, now, subscriber_id,
            actor=actor, delivery_id=delivery_id,
        )
        for subscriber_id, key in people
    )  # fmt: skip


def add_by_hand(session: Session, tokens: Tokens, email_key: str, actor: str, now: datetime) -> bool:
    """Stop all email to an address because `actor` says so; return whether that is new. Commits nothing."""
    mark = suppression_hash(tokens, email_key)
    whose = session.scalar(select(Subscriber.id).where(Subscriber.email_key == email_key))
    new = add(session, mark, SuppressionReason.MANUAL, now, whose, actor=actor)
    if new:
        # The start of the hash lets a person match audit entries of one address without naming anybody.
        audit.record(session, actor, "address.suppress", mark[:16], now)
    return new


def lift(session: Session, tokens: Tokens, email_key: str, actor: str, now: datetime, newest: int) -> bool:
    """Let an address be emailed again; return whether it was suppressed. Commits nothing.

    It works like the end of a pause: the person still gets the `newest` releases of each topic, and misses
    the older ones. No subscription is restored. A person who was erased must sign up and confirm again.
    """
    known = session.scalar(select(Subscriber.id).where(Subscriber.email_key == email_key))
    if known is not None:
        # Lock the person before reading the suppression, in the same order as a worker does.
        coverage.lock(session, [known])
    found = find(session, tokens, email_key)
    if found is None:
        return False
    _remove(session, found, actor, now)
    if known is not None:
        _welcome_back(session, known, newest, found.reason, actor, now)
    return True


@dataclass(frozen=True)
class Wanted:
    """Which bounces to lift: those of one issue's subscribers, those added in a period, or all."""

    issue_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def lift_many(
    session: Session, tokens: Tokens, wanted: Wanted, actor: str, now: datetime, newest: int, *, dry_run: bool
) -> int:
    """Lift the hard and soft bounces that match `wanted`; return how many. Commits nothing.

    Suppressions for complaints, erasures and manual entries stay. `dry_run` only counts. Suppressions store
    hashes, so only addresses of present subscribers can be found.
    """
    there = select(Suppression).where(Suppression.reason.in_(_BOUNCES))
    if wanted.since is not None:
        there = there.where(Suppression.since >= wanted.since)
    if wanted.until is not None:
        there = there.where(Suppression.since < wanted.until)
    rows = {row.address_hash: row for row in session.scalars(there)}
    lifted = 0
    for subscriber_id, email_key in _people(session, wanted.issue_id) if rows else ():
        found = rows.pop(suppression_hash(tokens, email_key), None)
        if found is None:
            continue
        lifted += 1
        if not dry_run:
            coverage.lock(session, [subscriber_id])
            _remove(session, found, actor, now)
            _welcome_back(session, subscriber_id, newest, found.reason, actor, now)
    return lifted


def _people(session: Session, issue_id: int | None) -> list[tuple[int, str]]:
    """Return id and address of the subscribers whose emails bounced (in one issue). They are few."""
    bounced: ColumnElement[bool] = exists().where(
        Delivery.subscriber_id == Subscriber.id, Delivery.bounced_at.is_not(None)
    )
    bounces = Suppression.reason.in_(_BOUNCES)
    unnamed = exists().where(bounces, Suppression.subscriber_id.is_(None))
    if issue_id is not None:
        bounced = exists().where(
            Delivery.issue_id == issue_id,
            Delivery.subscriber_id == Subscriber.id,
            Delivery.bounced_at.is_not(None),
        )
    elif not session.scalar(select(unnamed)):
        # Usually each suppression has its subscriber's id. Then no delivery has to be read.
        bounced = Subscriber.id.in_(select(Suppression.subscriber_id).where(bounces))
    query = select(Subscriber.id, Subscriber.email_key).where(Subscriber.email_key.is_not(None), bounced)
    return [
        (subscriber_id, key) for subscriber_id, key in session.execute(query.order_by(Subscriber.id)) if key
    ]


def _remove(session: Session, found: Suppression, actor: str, now: datetime) -> None:
    mark, reason = found.address_hash[:16], found.reason.value
    session.execute(delete(Suppression).where(Suppression.id == found.id))
    audit.record(session, actor, "address.unsuppress", mark, now, reason=reason)


def _welcome_back(
    session: Session, subscriber_id: int, newest: int, reason: SuppressionReason, actor: str, now: datetime
) -> None:
    """Clear this person's bounces, and limit the releases that they still get to the newest ones."""
    coverage.skip_ahead(session, subscriber_id, newest)
    _forget_bounces(session, subscriber_id)
    bounce_steps.add(session, Step(StepKind.LIFTED, subscriber_id, reason.value, actor=actor), now)


def _forget_bounces(session: Session, subscriber_id: int) -> None:
    session.execute(
        update(Delivery)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.bounced_at.is_not(None))
        .values(bounced_at=None, verdict=None)
        .execution_options(synchronize_session=False)
    )
