"""Signing up: a POST leaves one row; a job makes readers, pending subscriptions and one mail of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from newsletter import suppression
from newsletter.errors import AddressInvalid
from newsletter.limits import limit_key, mailbox_of
from newsletter.mail.addresses import Address, parse_address
from newsletter.models import (
    ConsentAct,
    EndedReason,
    Frequency,
    SignupRequest,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
    insert_new,
    spend,
    spend_all,
)
from newsletter.outbox.enqueue import enqueue_single
from newsletter.subscriptions import rows
from newsletter.subscriptions.brake import HELD, Gate, Held, drop_stale, tell_owner
from newsletter.subscriptions.consent import note
from newsletter.subscriptions.defences import Brake, Trust
from newsletter.subscriptions.marks import answers_form, note_mailed
from newsletter.subscriptions.wordings import Wording
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

log = logging.getLogger(__name__)

# What one address may be sent because somebody typed it into a form. Asking again for the same
# is answered after ten minutes; other choices are answered at once, but not without end.
AGAIN = Limit(burst=1, period_seconds=600)
CHANGED = Limit(burst=2, period_seconds=1200)
DAILY = Limit(burst=5, period_seconds=86400)

# A request that breaks something is tried again with the next sweeps, then given up.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Signup:
    """What one person asked for. `ip_address` is what may be kept of it (see consent.py)."""

    address: Address
    choices: Mapping[str, Frequency]
    wording: Wording
    ip_address: str | None = None
    language: str = "en"
    time_zone: str = "UTC"
    how: str = "form"
    # What speaks for it, and how many forms came from its network before (see defences.py).
    trust: Trust = Trust.NONE
    nth: int = 0


def request_signups(session: Session, signups: Sequence[Signup], now: datetime) -> None:
    """Write down what was asked, and look nothing up: every address costs the same."""
    if signups:
        # Past the session's bookkeeping: this is the statement that many visitors may wait for at once.
        table = cast("Table", SignupRequest.__table__)
        session.connection().execute(insert(table), [_row(signup, now) for signup in signups])


def _row(signup: Signup, now: datetime) -> dict[str, Any]:
    return {
        "kind": "signup",
        "email": signup.address.text,
        "email_key": signup.address.canonical,
        "choices": {
            "topics": {slug: frequency.value for slug, frequency in signup.choices.items()},
            "language": signup.language,
            "time_zone": signup.time_zone,
            "how": signup.how,
        },
        "wording_version": signup.wording.version,
        "wording_hash": signup.wording.hash,
        "ip_address": signup.ip_address,
        "trust": int(signup.trust),
        "nth": signup.nth,
        "created_at": now,
    }


def request_link(session: Session, address: Address, now: datetime) -> None:
    """Write down that somebody wants the link to their choices."""
    _request(session, "link", address, now)


def request_renewal(session: Session, address: Address, now: datetime) -> None:
    """Write down that somebody wants another link in the place of one that ran out."""
    _request(session, "renew", address, now)


def _request(session: Session, kind: str, address: Address, now: datetime) -> None:
    session.add(SignupRequest(kind=kind, email=address.text, email_key=address.canonical, created_at=now))


def resolve_signups(
    session: Session,
    tokens: Tokens,
    now: datetime,
    limit: int = 200,
    *,
    brake: Brake | None = None,
) -> int:
    """Resolve up to `limit` waiting requests, oldest first; return how many were dealt with.

    Each is resolved in a savepoint of its own, and its `resolved_at` with what came of it, so a
    crash repeats nothing and a broken request is passed over. The address leaves the request
    with that. Two workers never hold the same request: on SQLite the caller's transaction holds
    the write lock from its beginning, on PostgreSQL the rows are locked. What the brake holds back
    stays, and is looked at before what is new; the owner is told (brake.py). Commits nothing.
    """
    gate = Gate(brake or Brake(), now)
    dealt = _resolve_held(session, tokens, gate, limit)
    last = 0
    while dealt < limit:
        waiting = (
            select(SignupRequest)
            .where(
                SignupRequest.resolved_at.is_(None),
                SignupRequest.held_until.is_(None),
                SignupRequest.id > last,
            )
            .order_by(SignupRequest.id)
            .limit(limit - dealt)
            .with_for_update(skip_locked=True)
        )
        batch = list(session.scalars(waiting))
        if not batch:
            break
        for request in batch:
            last = request.id
            dealt += _resolve_safely(session, tokens, request, gate)
    tell_owner(session, gate)
    return dealt


def _resolve_held(session: Session, tokens: Tokens, gate: Gate, limit: int) -> int:
    """Resolve requests whose turn has come; return how many."""
    due = select(SignupRequest).where(*HELD, SignupRequest.held_until <= gate.now)
    # Who is most likely a person goes first, and a crowd behind one network last.
    order = (SignupRequest.trust.desc(), SignupRequest.nth, SignupRequest.id)
    batch = list(session.scalars(due.order_by(*order).limit(limit).with_for_update(skip_locked=True)))
    if not batch:
        return 0
    dropped = drop_stale(session, gate.brake, gate.now)
    if dropped:
        log.warning("event=signups_dropped count=%d", dropped)
        session.expire_all()
    resolved = 0
    for request in batch:
        if request.resolved_at is not None:
            continue
        braked = gate.braked
        _resolve_safely(session, tokens, request, gate)
        if gate.braked > braked:
            break  # whoever comes after has no better claim
        resolved += request.resolved_at is not None
    return resolved


def _resolve_safely(session: Session, tokens: Tokens, request: SignupRequest, gate: Gate) -> bool:
    """Resolve one request, or let it wait; return False when it broke and is to be tried again."""
    request_id, asked_at, now = request.id, request.created_at, gate.now
    try:
        with session.begin_nested():
            _resolve(session, tokens, request, gate)
            _settle(request, now)
    except Held as held:
        gate.hold(request, held)
    except Exception:
        # Whatever is wrong with this one, the others must not wait for it.
        log.exception("signup request broke request_id=%s", request_id)
        if now - asked_at < PATIENCE:
            return False
        with session.begin_nested():
            _settle(request, now)
    return True


def _settle(request: SignupRequest, now: datetime) -> None:
    request.resolved_at = now
    request.email = request.email_key = request.ip_address = None


def _resolve(session: Session, tokens: Tokens, request: SignupRequest, gate: Gate) -> None:
    try:
        address = parse_address(request.email or "")
    except AddressInvalid:
        return
    if is_suppressed(session, tokens, address):
        return
    if request.kind == "signup":
        _resolve_signup(session, tokens, request, address, gate)
    else:
        _resolve_link(session, tokens, request, address, gate)


def is_suppressed(session: Session, tokens: Tokens, address: Address) -> bool:
    """Return whether this address must not be mailed."""
    return suppression.is_suppressed(session, tokens, address.canonical)


def _resolve_signup(
    session: Session, tokens: Tokens, request: SignupRequest, address: Address, gate: Gate
) -> None:
    now = gate.now
    wanted = _wanted(session, request)
    if not wanted or not answers_form(session, tokens, address.canonical, now):
        return
    subscriber = _find_or_make(session, request, address, now)
    stranger = subscriber.confirmed_at is None
    if stranger:
        gate.look(request, address)
    fresh = is_news(session, subscriber.id, wanted)
    # What no mail can tell of is not noted down either: else whoever types a stranger's address in
    # could go on voiding the link that the stranger was sent.
    if not may_mail(session, tokens, address.canonical, CHANGED if fresh else AGAIN, now):
        return
    add_pending(session, subscriber.id, wanted, now)
    pending = rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    if not any(row.topic_id in wanted for row in pending):
        # Everything asked for is there already: the mail brings them to their choices instead.
        _send_link(session, subscriber, request.id, now)
        return
    if stranger:
        gate.pass_(session, tokens, request, address)
    send_confirmation(session, subscriber, pending, f"signup:{request.id}", now)
    note_mailed(session, tokens, address.canonical, now)
    note(
        session,
        subscriber.id,
        ConsentAct.ASKED,
        str(request.choices.get("how", "form")),
        request.created_at,
        wording=(request.wording_version, request.wording_hash),
        ip_address=request.ip_address,
        topics=request.choices["topics"],
        **_habits_of_return(session, request, subscriber),
    )


def _resolve_link(
    session: Session, tokens: Tokens, request: SignupRequest, address: Address, gate: Gate
) -> None:
    now = gate.now
    known = select(Subscriber).where(Subscriber.email_key == address.canonical).with_for_update()
    subscriber = session.scalars(known).one_or_none()
    if subscriber is None:
        return
    pending = rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    confirmed = subscriber.confirmed_at is not None
    wants_confirmation = bool(pending) and (request.kind == "renew" or not confirmed)
    wants_confirmation &= answers_form(session, tokens, address.canonical, now)
    if not (wants_confirmation or confirmed) or not may_mail(session, tokens, address.canonical, AGAIN, now):
        return
    if wants_confirmation:
        if not confirmed:
            gate.pass_(session, tokens, request, address)
        send_confirmation(session, subscriber, pending, f"signup:{request.id}", now)
        note_mailed(session, tokens, address.canonical, now)
    else:
        _send_link(session, subscriber, request.id, now)


def _wanted(session: Session, request: SignupRequest) -> dict[int, Frequency]:
    """Return the frequency asked for each topic that (still) exists, by topic id."""
    asked = {str(slug): Frequency(value) for slug, value in request.choices.get("topics", {}).items()}
    found = session.execute(select(Topic.slug, Topic.id).where(Topic.slug.in_(asked)))
    return {topic_id: asked[slug] for slug, topic_id in found}


def _find_or_make(session: Session, request: SignupRequest, address: Address, now: datetime) -> Subscriber:
    # Two workers may meet over a new address; both then find the one row, and one waits for it.
    session.execute(
        insert_new(session, Subscriber).values(
            email=address.text,
            email_key=address.canonical,
            language=str(request.choices.get("language", "en"))[:16],
            time_zone=str(request.choices.get("time_zone", "UTC"))[:64],
            created_at=now,
        )
    )
    known = select(Subscriber).where(Subscriber.email_key == address.canonical).with_for_update()
    subscriber = session.scalars(known).one()
    if subscriber.confirmed_at is None and request.choices.get("language"):
        # Who asked first may have been somebody else: until it is confirmed, the last word counts.
        subscriber.language = str(request.choices["language"])[:16]
        subscriber.time_zone = str(request.choices.get("time_zone", "UTC"))[:64]
    return subscriber


def _habits_of_return(session: Session, request: SignupRequest, subscriber: Subscriber) -> dict[str, str]:
    """Return the language and time zone that somebody who had left gets with confirming (confirm.py).

    A reader's own are theirs to change, on their page: a form in their name leaves them alone.
    """
    if subscriber.confirmed_at is None or not request.choices.get("language"):
        return {}
    if rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE):
        return {}
    return {
        "language": str(request.choices["language"])[:16],
        "time_zone": str(request.choices.get("time_zone", "UTC"))[:64],
    }


def is_news(session: Session, subscriber_id: int, wanted: Mapping[int, Frequency]) -> bool:
    """Return whether something is wanted that is neither active nor pending at that frequency."""
    live = rows.of_subscriber(session, subscriber_id, SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    return not wanted.items() <= {(row.topic_id, row.frequency) for row in live}


def add_pending(session: Session, subscriber_id: int, wanted: Mapping[int, Frequency], now: datetime) -> None:
    """Make pending rows for what is wanted and not there at that frequency.

    What is pending at another frequency ends: it was asked for again, otherwise.
    """
    live = rows.of_subscriber(session, subscriber_id, SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    active = {row.topic_id: row for row in live if row.state is SubscriptionState.ACTIVE}
    pending = {row.topic_id: row for row in live if row.state is SubscriptionState.PENDING}
    for topic_id, frequency in wanted.items():
        served = active.get(topic_id)
        asked = pending.get(topic_id)
        if asked is not None and asked.frequency is frequency:
            continue
        if asked is not None:
            rows.end(session, [asked], EndedReason.CHANGED, now)
        if served is None or served.frequency is not frequency:
            rows.ask_for(session, subscriber_id, topic_id, frequency, now)
    session.flush()


def send_confirmation(
    session: Session,
    subscriber: Subscriber,
    pending: list[Subscription],
    purpose_key: str,
    now: datetime,
) -> None:
    """Enqueue the mail whose link confirms these pending rows, and names every one of them."""
    enqueue_single(
        session,
        subscriber_id=subscriber.id,
        template="confirm",
        context={
            "topics": [row.topic.name for row in pending],
            "upto": max(row.id for row in pending),
        },
        purpose_key=purpose_key,
        language=subscriber.language,
        now=now,
    )


def _send_link(session: Session, subscriber: Subscriber, request_id: int, now: datetime) -> None:
    enqueue_single(
        session,
        subscriber_id=subscriber.id,
        template="link",
        context={},
        purpose_key=f"link:{request_id}",
        language=subscriber.language,
        now=now,
    )


def may_mail(session: Session, tokens: Tokens, email_key: str, limit: Limit, now: datetime) -> bool:
    """Return whether this mailbox may be sent one more email that somebody's typing caused.

    A refusal counts nowhere.
    """
    mailbox = mailbox_of(email_key)
    again, daily = limit_key(tokens, "again", mailbox), limit_key(tokens, "daily", mailbox)
    if limit is not CHANGED:
        return not spend_all(session, {again: AGAIN, daily: DAILY}, now).wait_seconds
    changed = limit_key(tokens, "changed", mailbox)
    if spend_all(session, {changed: CHANGED, daily: DAILY}, now).wait_seconds:
        return False
    # The one for repeating is spent as well, if there is any: what was just sent is not repeated at once.
    spend(session, again, AGAIN, now)
    return True
