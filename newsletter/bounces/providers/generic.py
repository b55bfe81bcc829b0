"""Calls of your own programs, signed as the specification "Standard Webhooks" says. Pure."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

from newsletter.bounces.providers.call import Call, check_time, moment, same
from newsletter.bounces.providers.event import NOTHING, Event, bounce, complaint, failure, late, make_event
from newsletter.bounces.providers.payload import Object, load_objects, text_at, texts_at
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Report
from newsletter.errors import CallRefused

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
# A program signs again when it repeats a call.
OLDEST = timedelta(minutes=5)
LONGEST_ID = 200
MOST_SIGNATURES = 10


def authenticate(call: Call, keys: Iterable[bytes], now: datetime) -> None:
    """Raise CallRefused unless id, time and body are signed with one of the keys, and recent."""
    call_id, seconds = call.header(ID), call.header(TIMESTAMP)
    given = [each[3:] for each in call.header(SIGNATURE).split()[:MOST_SIGNATURES] if each.startswith("v1,")]
    if not call_id or len(call_id) > LONGEST_ID or not call_id.isascii() or not given:
        raise CallRefused("signature")
    at = moment(seconds)
    signed = f"{call_id}.{seconds}.".encode("ascii") + call.raw
    expected = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii") for key in keys]
    if not any(same(each, right) for right in expected for each in given):
        raise CallRefused("signature")
    check_time(at, now, OLDEST)


def read_events(call: Call) -> list[Event]:
    """Return the events of a call. Raises PayloadInvalid."""
    call_id = call.header(ID)
    return [_event(each, f"{call_id} {number}") for number, each in enumerate(load_objects(call.raw))]


def _event(source: Object, place: str) -> Event:
    own = text_at(source, "id")
    # The two kinds of keys begin with different words, so that none can stand for the other.
    key = f"id {own}" if own else f"call {place}"
    unsubscribes = text_at(source, "type") == "unsubscribe"
    return make_event(source, key, _report(source), texts_at(source, "token"), unsubscribes=unsubscribes)


def _report(source: Object) -> Report:
    address, words = text_at(source, "address"), text_at(source, "words")
    status = text_at(source, "status")
    match text_at(source, "type"):
        case "complaint":
            return complaint(address)
        case "delay":
            return late(address, words, status)
        case "bounce":
            permanent = source.get("permanent") is True
            known = {each.value for each in Reason}
            named = text_at(source, "reason")
            reason = Reason(named) if named in known else None
            return bounce(failure(address, words, permanent=permanent, status=status, reason=reason))
    return NOTHING
