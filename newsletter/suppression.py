"""Suppressions, the addresses that we never email. Only this module hashes, finds, adds and lifts them.

A suppression stores a keyed hash of the address, so it stays when the address is deleted. No import, form or
API call lifts one. Only a person with the right to do so lifts one, and the audit log has an entry. If its
person complained or was erased, the entry has a reason. The one
exception is SOFT_BOUNCE: the button of the probe email lifts it too (docs/decisions/0020-a-probe-decides.md).
Only `outbox/refused/judge.py` adds hard bounces. If you ask here whether an address may be emailed, the rules
of `address_rules` count too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    delete,
    exists,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from newsletter import audit, bounce_steps, coverage
from newsletter.address_rules.rules import (
    forget_stopped,
    is_never_accepted,
    is_never_mailed,
    never_mailed_among,
    stopped_subscribers,
)
from newsletter.bounce_steps import Step
from newsletter.errors import NotFound, ReasonNeeded, StateConflict
from newsletter.mail.addresses import address_hash
from newsletter.mail.redact import without_addresses
from newsletter.models import (
    AddressRule,
    Delivery,
    StepKind,
    Subscriber,
    Suppression,
    SuppressionReason,
    insert_new,
    is_one_of,
    rows_as_table,
)
from newsletter.models.base import UTCDateTime
from newsletter.models.tables.subscriber import went_to_present_address
from newsletter.tokens import Tokens

# The purpose from which the key of these hashes is derived.
KEY = "suppression"
_BOUNCES = (SuppressionReason.HARD_BOUNCE, SuppressionReason.SOFT_BOUNCE)
# The reasons that the person gave, in words.
_OWN_WISH = {SuppressionReason.COMPLAINT: "marked an email as spam", SuppressionReason.ERASED: "was erased"}
LONGEST_WHY = 200


def suppression_hash(tokens: Tokens, email_key: str) -> str:
    """Return the keyed hash that a suppression stores for an address."""
    return address_hash(email_key, tokens.derived_key(KEY))


def find(session: Session, tokens: Tokens, email_key: str) -> Suppression | None:
    """Return the suppression of an address, or None."""
    wanted = select(Suppression).where(Suppression.address_hash == suppression_hash(tokens, email_key))
    return session.scalars(wanted).one_or_none()


def is_suppressed(session: Session, tokens: Tokens, email_key: str) -> bool:
    """Return whether an address is suppressed, or a rule says that it is never emailed."""
    mark = suppression_hash(tokens, email_key)
    stored = session.scalar(select(Suppression.id).where(Suppression.address_hash == mark)) is not None
    return stored or is_never_mailed(session, email_key)


def may_join(session: Session, tokens: Tokens, email_key: str) -> bool:
    """Return whether somebody can sign up with an address: not suppressed, and no rule refuses it."""
    return not is_suppressed(session, tokens, email_key) and not is_never_accepted(session, email_key)


def unwanted_among(session: Session, tokens: Tokens, keys: Mapping[int, str]) -> set[int]:
    """Return the numbers in `keys` whose address is suppressed, or is never emailed by a rule."""
    by_rule = never_mailed_among(session, set(keys.values()))
    found = {number for number, key in keys.items() if key in by_rule}
    if not session.scalar(select(exists().where(Suppression.id.is_not(None)))):
        return found  # so no address has to be hashed
    hashes = {number: suppression_hash(tokens, key) for number, key in keys.items()}
    suppressed = suppressed_among(session, list(hashes.values()))
    return found | {number for number, mark in hashes.items() if mark in suppressed}


def has_changed_since(session: Session, since: datetime) -> bool:
    """Return whether an address was suppressed since then, or a rule was added that may stop emails."""
    fresh = select(Suppression.id).where(Suppression.since >= since).limit(1)
    rules = select(AddressRule.id).where(AddressRule.since >= since).limit(1)
    return session.scalar(fresh) is not None or session.scalar(rules) is not None


def suppressed_among(session: Session, hashes: Sequence[str]) -> set[str]:
    """Return the hashes among `hashes` that are suppressed."""
    given = rows_as_table(session, {"address_hash": str}, [(each,) for each in hashes])
    found = select(Suppression.address_hash).where(Suppression.address_hash.in_(select(given.c.address_hash)))
    return set(session.scalars(found))


def suppressed_subscribers() -> CompoundSelect[int | None]:
    """Return the query for the ids of subscribers that a suppression names or a rule stops.

    Selection leaves them out. A suppression may lack the id. The check at the claim compares the address,
    so it finds those too.
    """
    named = select(Suppression.subscriber_id).where(Suppression.subscriber_id.is_not(None))
    return union_all(named, stopped_subscribers())


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
    forget_stopped(session, subscriber_id)
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


def add_bounced(
    session: Session, tokens: Tokens, delivery_ids: Iterable[int], now: datetime, *, actor: str = ""
) -> int:
    """Stop all email to the addresses that these deliveries found dead; return how many are new.

    If a person changed their address since, the refusal says nothing about the present one, which stays.
    Commits nothing.
    """
    about = (
        select(
            Delivery.id, Delivery.settled_at, Subscriber.id, Subscriber.email_key, Subscriber.address_since
        )
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(is_one_of(session, Delivery.id, delivery_ids), Subscriber.email_key.is_not(None))
        .order_by(Subscriber.id, Delivery.id)
    )
    return sum(
        add(
            session, suppression_hash(tokens, key or ""), SuppressionReason.HARD_BOUNCE, now, subscriber_id,
            actor=actor, delivery_id=delivery_id,
        )
        for delivery_id, settled_at, subscriber_id, key, since in session.execute(about).all()
        if settled_at is not None and went_to_present_address(since, settled_at)
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


def add_imported(
    session: Session, tokens: Tokens, email_keys: Iterable[str], import_id: int, actor: str, now: datetime
) -> int:
    """Stop all email to the addresses of an imported file; return how many are new. Commits nothing."""
    keys = sorted(set(email_keys))
    given = rows_as_table(session, {"email_key": str}, [(key,) for key in keys])
    known = select(Subscriber.email_key, Subscriber.id).where(
        Subscriber.email_key.in_(select(given.c.email_key))
    )
    people = {key: number for key, number in session.execute(known)}
    marks = sorted((suppression_hash(tokens, key), people.get(key)) for key in keys)
    rows = rows_as_table(session, {"address_hash": str, "subscriber_id": int}, marks)
    values = select(
        rows.c.address_hash, literal(SuppressionReason.MANUAL.value), literal(now, UTCDateTime()),
        rows.c.subscriber_id, literal(import_id, BigInteger()),
    )  # fmt: skip
    columns = ["address_hash", "reason", "since", "subscriber_id", "import_id"]
    # The order lets two imports wait for each other without a deadlock.
    added = insert_new(session, Suppression, (columns, values.order_by(rows.c.address_hash)))
    whose = session.scalars(added.returning(Suppression.subscriber_id)).all()
    for subscriber_id in sorted(each for each in whose if each is not None):
        step = Step(StepKind.SUPPRESSED, subscriber_id, SuppressionReason.MANUAL.value, actor=actor)
        bounce_steps.add(session, step, now)
    return len(whose)


def lift(
    session: Session,
    tokens: Tokens,
    email_key: str,
    actor: str,
    now: datetime,
    newest: int,
    why: str = "",
) -> bool:
    """Let an address be emailed again; return whether it was suppressed. Commits nothing.

    It works like the end of a pause: the person still gets the `newest` releases of each topic, and misses
    the older ones. No subscription is restored. A person who was erased must sign up and confirm again. `why`
    is for the audit log. Raises ReasonNeeded.
    """
    known = session.scalar(select(Subscriber.id).where(Subscriber.email_key == email_key))
    if known is not None:
        # Lock the person before reading the suppression, in the same order as a worker does.
        coverage.lock(session, [known])
    found = find(session, tokens, email_key)
    if found is None:
        return False
    check_why(found, why)
    _remove(session, found, actor, now, why)
    if known is not None:
        _welcome_back(session, known, newest, found.reason, actor, now)
    return True


def lift_row(session: Session, number: int, actor: str, now: datetime, newest: int, why: str) -> None:
    """Lift one suppression as `lift` does, without its address.

    Raises NotFound and ReasonNeeded. Raises StateConflict for an erased person: the row does not say whose it
    is, so the owner has to ask that person for the address.
    """
    row = select(Suppression).where(Suppression.id == number)
    found = session.scalars(row).one_or_none()
    if found is not None and found.subscriber_id is not None:
        coverage.lock(session, [found.subscriber_id])
    # Read it again, because another person may have lifted it while this one waited for the lock.
    found = session.scalars(row.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound("this suppression was lifted already")
    if found.reason is SuppressionReason.ERASED:
        raise StateConflict("To lift the suppression of an erased person, find the address first.")
    check_why(found, why)
    _remove(session, found, actor, now, why)
    if found.subscriber_id is not None:
        _welcome_back(session, found.subscriber_id, newest, found.reason, actor, now)


def check_why(found: Suppression, why: str) -> None:
    """Raise ReasonNeeded if lifting a suppression needs a reason, and `why` has none."""
    if (wish := _OWN_WISH.get(found.reason)) and not why.strip():
        raise ReasonNeeded(f"The person with this address {wish}. Say why emails to it are allowed again.")


def lift_imported(
    session: Session, import_id: int, actor: str, now: datetime, newest: int, limit: int
) -> int:
    """Lift up to `limit` suppressions that came with an import; return how many. Commits nothing.

    A person who complained or was erased meanwhile stays suppressed.
    """
    mine = (Suppression.import_id == import_id, Suppression.reason == SuppressionReason.MANUAL)
    found = session.scalars(select(Suppression).where(*mine).order_by(Suppression.id).limit(limit)).all()
    people = sorted(each.subscriber_id for each in found if each.subscriber_id is not None)
    coverage.lock(session, people)
    gone = delete(Suppression).where(is_one_of(session, Suppression.id, [each.id for each in found]), *mine)
    count = session.connection().execute(gone).rowcount
    for subscriber_id in people:
        _welcome_back(session, subscriber_id, newest, SuppressionReason.MANUAL, actor, now)
    if count:
        audit.record(session, actor, "addresses.unsuppress", f"import {import_id}", now, count=count)
    return count


@dataclass(frozen=True)
class Wanted:
    """Which bounces to lift: those of one issue's subscribers, those added in a period, or all."""

    issue_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    # Only those with this reason, SOFT_BOUNCE or HARD_BOUNCE. None: both.
    reason: SuppressionReason | None = None


def lift_many(
    session: Session, tokens: Tokens, wanted: Wanted, actor: str, now: datetime, newest: int, *, dry_run: bool
) -> int:
    """Lift the hard and soft bounces that match `wanted`; return how many. Commits nothing.

    Suppressions for complaints, erasures and manual entries stay. `dry_run` only counts. Suppressions store
    hashes, so only addresses of present subscribers can be found.
    """
    there = select(Suppression).where(Suppression.reason.in_(_BOUNCES))
    if wanted.reason is not None:
        there = there.where(Suppression.reason == wanted.reason)
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


def _remove(session: Session, found: Suppression, actor: str, now: datetime, why: str = "") -> None:
    mark, detail = found.address_hash[:16], {"reason": found.reason.value}
    if why:
        detail["why"] = without_addresses(" ".join(why.split()))[:LONGEST_WHY]
    session.execute(delete(Suppression).where(Suppression.id == found.id))
    audit.record(session, actor, "address.unsuppress", mark, now, **detail)


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
