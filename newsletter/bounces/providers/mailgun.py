"""Mailgun: verify a call, and read its event. Pure.

Mailgun signs a time and a random token, and not the event. So each token is accepted only once.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

from newsletter.bounces.providers.call import check_time, moment, same
from newsletter.bounces.providers.event import NOTHING, Event, bounce, complaint, failure, late, make_event
from newsletter.bounces.providers.payload import Object, at, text_at
from newsletter.bounces.read.reasons import Reason, code_in
from newsletter.bounces.read.report import Report
from newsletter.errors import CallRefused

# Mailgun repeats a call for 8 hours, and says that even the first call may be late.
OLDEST = timedelta(hours=12)
LONGEST_TOKEN = 100

# Why Mailgun did not send an email. Only you can change its lists of complaints and of unsubscribed people.
_REASONS = {
    "suppress-bounce": Reason.NO_SUCH_USER,
    "suppress-complaint": Reason.POLICY,
    "suppress-unsubscribe": Reason.POLICY,
    "espblock": Reason.POLICY,
    "old": Reason.NETWORK,
}


def authenticate(source: Object, keys: Iterable[str], now: datetime) -> str:
    """Return the token of a call that is signed with one of the keys, and recent. Raises CallRefused."""
    seconds, token = text_at(source, "signature", "timestamp"), text_at(source, "signature", "token")
    if not token or len(token) > LONGEST_TOKEN:
        raise CallRefused("signature")
    signed = f"{seconds}{token}".encode()
    for key in keys:
        expected = hmac.digest(key.encode(), signed, "sha256").hex()
        # For an event of a subaccount, the main account signs too.
        given = (text_at(source, "signature", name) for name in ("signature", "parent-signature"))
        if any(same(each, expected) for each in given):
            check_time(moment(seconds), now, OLDEST)
            return f"{seconds} {token}"
    raise CallRefused("signature")


def read_events(source: Object) -> list[Event]:
    """Return the event of a call."""
    event = at(source, "event-data")
    if not isinstance(event, dict):
        return []
    # Ids are unique within a day only.
    key = " ".join(text_at(event, name) for name in ("event", "id", "timestamp"))
    signed = [
        text_at(event, "user-variables", "newsletter_token"),
        text_at(event, "message", "headers", "message-id"),
        text_at(event, "envelope", "sender"),
    ]
    unsubscribes = text_at(event, "event") == "unsubscribed"
    return [
        make_event(
            event, key if text_at(event, "id") else "", _report(event), signed, unsubscribes=unsubscribes
        )
    ]


def _report(event: Object) -> Report:
    address, reason = text_at(event, "recipient"), text_at(event, "reason")
    status, code = (
        text_at(event, "delivery-status", "enhanced-code"),
        text_at(event, "delivery-status", "code"),
    )
    words = text_at(event, "delivery-status", "message") or text_at(event, "delivery-status", "description")
    match text_at(event, "event"):
        case "complained":
            return complaint(address)
        case "rejected":
            words = f"Mailgun did not send this: {text_at(event, 'reject', 'reason')}"
            return bounce(failure(address, words, permanent=True, reason=Reason.POLICY))
        case "failed" if text_at(event, "severity") == "permanent":
            if code_in(code) is not None and code_in(words) is None:
                words = f"{code} {words}"
            return bounce(failure(address, words, permanent=True, status=status, reason=_REASONS.get(reason)))
        case "failed":
            return late(address, words or reason, status)
    return NOTHING
