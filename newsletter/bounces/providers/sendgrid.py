"""SendGrid: verify a call of the signed event webhook, and read its events. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.bounces.providers.call import Call, check_time, moment
from newsletter.bounces.providers.event import NOTHING, Event, bounce, complaint, failure, late, make_event
from newsletter.bounces.providers.payload import Object, load_objects, text_at
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Report
from newsletter.errors import CallRefused

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
# SendGrid repeats a call for 24 hours.
OLDEST = timedelta(hours=26)

# Why SendGrid did not send an email. Only you can change its lists, so we tell you if an address is on one.
_DROPPED = {
    "bounced address": Reason.NO_SUCH_USER,
    "invalid": Reason.NO_SUCH_USER,
    "spam content": Reason.CONTENT,
    "spam content (if spam checker app enabled)": Reason.CONTENT,
    "recipient list over package quota": Reason.RATE,
}


@lru_cache(maxsize=16)
def load_key(text: str) -> ec.EllipticCurvePublicKey:
    """Return a verification key as SendGrid shows it. Raises ValueError."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, UnsupportedAlgorithm) as fault:
        raise ValueError("is not a public key") from fault
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("is not a public key for ECDSA")
    return key


def authenticate(call: Call, keys: Iterable[str], now: datetime) -> None:
    """Raise CallRefused unless the call's time and body are signed with one of the keys, and recent."""
    at = call.header(TIMESTAMP)
    try:
        signature = base64.b64decode(call.header(SIGNATURE), validate=True)
        signed = at.encode("ascii") + call.raw
    except (binascii.Error, ValueError):
        raise CallRefused("signature") from None
    if not any(_is_signed(load_key(each), signature, signed) for each in keys):
        raise CallRefused("signature")
    check_time(moment(at), now, OLDEST)


def _is_signed(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def read_events(raw: bytes) -> list[Event]:
    """Return the events of a batch. Raises PayloadInvalid."""
    return [_event(each) for each in load_objects(raw)]


def _event(source: Object) -> Event:
    # The arguments of the header X-SMTPAPI stand beside the event's own fields.
    signed = [text_at(source, "newsletter_token"), text_at(source, "smtp-id")]
    unsubscribes = text_at(source, "event") in {"unsubscribe", "group_unsubscribe"}
    return make_event(
        source, text_at(source, "sg_event_id"), _report(source), signed, unsubscribes=unsubscribes
    )


def _report(source: Object) -> Report:
    address, status = text_at(source, "email"), text_at(source, "status")
    words = text_at(source, "reason") or text_at(source, "response")
    match text_at(source, "event"):
        case "spamreport":
            return complaint(address)
        case "deferred":
            return late(address, words, status)
        case "dropped":
            reason = _DROPPED.get(words.strip().lower(), Reason.POLICY)
            return bounce(
                failure(address, f"SendGrid did not send this: {words}", permanent=True, reason=reason)
            )
        case "bounce":
            # "blocked" and "expired" say nothing about the mailbox.
            permanent = text_at(source, "type") in {"bounce", ""}
            otherwise = Reason.NO_SUCH_USER if permanent else Reason.UNKNOWN
            return bounce(failure(address, words, permanent=permanent, status=status, otherwise=otherwise))
    return NOTHING
