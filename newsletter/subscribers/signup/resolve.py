"""Resolve sign-up requests: add subscribers and pending subscriptions, and enqueue confirmation emails."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import suppression
from newsletter.address_rules.rules import is_never_accepted
from newsletter.errors import AddressInvalid
from newsletter.mail.addresses import Address, parse_address
from newsletter.models import (
    ConsentAct,
    Frequency,
    SignupRequest,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
    insert_new,
)
from newsletter.outbox.enqueue import enqueue_single
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.address_marks import may_answer_form, note_mailed
from newsletter.subscribers.consent.ledger import note, slug_of
from newsletter.subscribers.signup.confirmation_limits import ConfirmationLimits
from newsletter.subscribers.signup.email_limits import allow_email
from newsletter.subscribers.signup.hold import HELD, Held, SignupLimiter, drop_stale, tell_owner
from newsletter.subscribers.signup.pending import add_pending, is_news, send_confirmation
from newsletter.tokens import Tokens

log = logging.getLogger(__name__)


# A request that raises an error is retried with each sweep for this long, then dropped.
PATIENCE = timedelta(hours=1)


def resolve_signups(
    session: Session,
    tokens: Tokens,
    now: datetime,
    limit: int = 200,
    *,
    limits: ConfirmationLimits | None = None,
) -> int:
    """Resolve up to `limit` waiting requests, oldest first; return how many were processed. Commits nothing.

    Each request has its own savepoint, which also sets `resolved_at` and deletes the request's address. So a
    crash repeats nothing, and a request that fails does not stop the others. Two workers never process
    the same request: SQLite locks the whole database for the caller's transaction, PostgreSQL locks the rows.
    Requests above the limits stay, are tried before new ones, and cause a notice to the owner (hold.py).
    """
    limiter = SignupLimiter(limits or ConfirmationLimits(), now)
    dealt = _resolve_held(session, tokens, limiter, limit)
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
            dealt += _resolve_safely(session, tokens, request, limiter)
    tell_owner(session, limiter)
    return dealt


def _resolve_held(session: Session, tokens: Tokens, limiter: SignupLimiter, limit: int) -> int:
    """Resolve held requests whose `held_until` has passed; return how many."""
    due = select(SignupRequest).where(*HELD, SignupRequest.held_until <= limiter.now)
    # The requests that most likely come from people are first, and a crowd from one network is last.
    order = (SignupRequest.trust.desc(), SignupRequest.nth, SignupRequest.id)
    batch = list(session.scalars(due.order_by(*order).limit(limit).with_for_update(skip_locked=True)))
    if not batch:
        return 0
    dropped = drop_stale(session, limiter.limits, limiter.now)
    if dropped:
        log.warning("event=signups_dropped count=%d", dropped)
        session.expire_all()
    resolved = 0
    for request in batch:
        if request.resolved_at is not None:
            continue
        total_reached = limiter.total_reached
        _resolve_safely(session, tokens, request, limiter)
        if limiter.total_reached > total_reached:
            break  # the limit is reached, and later requests have no priority over this one
        resolved += request.resolved_at is not None
    return resolved


def _resolve_safely(session: Session, tokens: Tokens, request: SignupRequest, limiter: SignupLimiter) -> bool:
    """Resolve one request or hold it. Return False if it failed and must be retried."""
    request_id, asked_at, now = request.id, request.created_at, limiter.now
    try:
        with session.begin_nested():
            _resolve(session, tokens, request, limiter)
            _settle(request, now)
    except Held as held:
        limiter.hold(request, held)
    except Exception:
        # Any error: one bad request must not stop the others.
        log.exception("event=signup_failed request_id=%s", request_id)
        if now - asked_at < PATIENCE:
            return False
        with session.begin_nested():
            _settle(request, now)
    return True


def _settle(request: SignupRequest, now: datetime) -> None:
    request.resolved_at = now
    request.email = request.email_key = request.ip_address = None


def _resolve(session: Session, tokens: Tokens, request: SignupRequest, limiter: SignupLimiter) -> None:
    try:
        address = parse_address(request.email or "")
    except AddressInvalid:
        return
    if suppression.is_suppressed(session, tokens, address.canonical):
        return
    if request.kind != "link" and is_never_accepted(session, address.canonical):
        return
    if request.kind == "signup":
        _resolve_signup(session, tokens, request, address, limiter)
    else:
        _resolve_link(session, tokens, request, address, limiter)


def _resolve_signup(
    session: Session, tokens: Tokens, request: SignupRequest, address: Address, limiter: SignupLimiter
) -> None:
    now = limiter.now
    wanted = _wanted(session, request)
    if not wanted or not may_answer_form(session, tokens, address.canonical, now):
        return
    subscriber = _find_or_make(session, request, address, now)
    unconfirmed = subscriber.confirmed_at is None
    if unconfirmed:
        limiter.check(request, address)
    fresh = is_news(session, subscriber.id, wanted)
    # If the rate limit means that no email is sent, change nothing. Otherwise a visitor who types somebody
    # else's address could replace the pending rows again and again, and so make their link invalid.
    if not allow_email(session, tokens, address.canonical, now, changed=fresh):
        return
    add_pending(session, subscriber.id, wanted, now)
    pending = _pending(session, subscriber, request.newsletter_id)
    if not any(row.topic_id in wanted for row in pending):
        # They have all these topics already, so the email has the link to their preferences instead.
        _send_link(session, subscriber, request.id, request.newsletter_id, now)
        return
    if unconfirmed:
        limiter.count_email(session, tokens, request, address)
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
        newsletter=slug_of(session, request.newsletter_id),
        topics=request.choices["topics"],
        **_locale_of_return(session, request, subscriber),
    )


def _resolve_link(
    session: Session, tokens: Tokens, request: SignupRequest, address: Address, limiter: SignupLimiter
) -> None:
    now = limiter.now
    known = select(Subscriber).where(Subscriber.email_key == address.canonical).with_for_update()
    subscriber = session.scalars(known).one_or_none()
    if subscriber is None:
        return
    pending = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    confirmed = subscriber.confirmed_at is not None
    wants_confirmation = bool(pending) and (request.kind == "renew" or not confirmed)
    wants_confirmation &= may_answer_form(session, tokens, address.canonical, now)
    wants_confirmation &= not is_never_accepted(session, address.canonical)
    if not (wants_confirmation or confirmed) or not allow_email(session, tokens, address.canonical, now):
        return
    if not wants_confirmation:
        speaker = subscription_rows.speaks_for(session, subscriber.id)
        _send_link(session, subscriber, request.id, speaker, now)
        return
    for number, part in enumerate(subscription_rows.by_newsletter(pending).values()):
        # Each newsletter has a link of its own. All these emails count, for the mailbox and for the brake.
        if number and not allow_email(session, tokens, address.canonical, now, changed=True):
            break
        if not confirmed:
            limiter.count_email(session, tokens, request, address)
        send_confirmation(session, subscriber, part, f"signup:{request.id}", now)
    note_mailed(session, tokens, address.canonical, now)


def _wanted(session: Session, request: SignupRequest) -> dict[int, Frequency]:
    """Return the requested frequency of each topic that the newsletter still has, by topic id."""
    asked = {str(slug): Frequency(value) for slug, value in request.choices.get("topics", {}).items()}
    found = session.execute(
        select(Topic.slug, Topic.id).where(
            Topic.slug.in_(asked), Topic.newsletter_id == request.newsletter_id
        )
    )
    return {topic_id: asked[slug] for slug, topic_id in found}


def _pending(session: Session, subscriber: Subscriber, newsletter_id: int) -> list[Subscription]:
    """Return the subscriptions that a subscriber requested from one newsletter and has not confirmed."""
    pending = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    return subscription_rows.in_newsletter(pending, newsletter_id)


def _find_or_make(session: Session, request: SignupRequest, address: Address, now: datetime) -> Subscriber:
    # Two workers may add the same new address. One insert wins, both find that row, and one waits for it.
    session.execute(
        insert_new(session, Subscriber).values(
            email=address.text,
            email_key=address.canonical,
            created_at=now,
            **_locale(request),
        )
    )
    known = select(Subscriber).where(Subscriber.email_key == address.canonical).with_for_update()
    subscriber = session.scalars(known).one()
    if subscriber.confirmed_at is None and request.choices.get("language"):
        # Somebody else may have made the first request, so until confirmation the latest request counts.
        for name, value in _locale(request).items():
            setattr(subscriber, name, value)
    return subscriber


def _locale_of_return(session: Session, request: SignupRequest, subscriber: Subscriber) -> dict[str, str]:
    """Return the language and time zone that a former subscriber gets with the confirmation (confirm.py).

    An active subscriber changes them only on the preferences page: somebody else may have sent the form.
    """
    if subscriber.confirmed_at is None or not request.choices.get("language"):
        return {}
    if subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE):
        return {}
    return _locale(request)


def _locale(request: SignupRequest) -> dict[str, str]:
    """Return language and time zone of a form, no longer than their columns."""
    return {
        "language": str(request.choices.get("language", "en"))[:16],
        "time_zone": str(request.choices.get("time_zone", "UTC"))[:64],
    }


def _send_link(
    session: Session, subscriber: Subscriber, request_id: int, newsletter_id: int | None, now: datetime
) -> None:
    enqueue_single(
        session,
        subscriber_id=subscriber.id,
        template="link",
        context={},
        purpose_key=f"link:{request_id}",
        language=subscriber.language,
        now=now,
        newsletter_id=newsletter_id,
    )
