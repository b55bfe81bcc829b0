"""Brevo: read the events of a call. Nothing is signed: a secret in the header proves the call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from newsletter.bounces.providers.event import NOTHING, Event, bounce, complaint, failure, late, make_event
from newsletter.bounces.providers.payload import Object, load_objects, text_at
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Report

# Only you can change Brevo's own lists, so we tell you if an address is on one.
_NOT_SENT = frozenset({"blocked", "error"})
_BOUNCES: Mapping[str, Any] = {
    "hard_bounce": {"permanent": True, "otherwise": Reason.NO_SUCH_USER},
    "invalid_email": {"permanent": True, "reason": Reason.NO_SUCH_USER},
    "soft_bounce": {"permanent": False},
}


def read_events(raw: bytes) -> list[Event]:
    """Return the event of a call, or the events of a batch. Raises PayloadInvalid."""
    return [_event(each) for each in load_objects(raw)]


def _event(source: Object) -> Event:
    # Brevo gives an event no id. These say which email, what happened, and when.
    names = ("event", "message-id", "email", "ts_event", "ts_epoch")
    key = "\n".join(text_at(source, name) for name in names)
    signed = [text_at(source, "X-Mailin-custom"), text_at(source, "message-id")]
    unsubscribes = text_at(source, "event") == "unsubscribed"
    return make_event(
        source,
        key if text_at(source, "message-id") else "",
        _report(source),
        signed,
        unsubscribes=unsubscribes,
    )


def _report(source: Object) -> Report:
    address, words = text_at(source, "email"), text_at(source, "reason")
    kind = text_at(source, "event")
    if kind in {"spam", "complaint"}:
        return complaint(address)
    if kind == "deferred":
        return late(address, words)
    if kind in _NOT_SENT:
        words = f"Brevo did not send this: {words}"
        return bounce(failure(address, words, permanent=True, reason=Reason.POLICY))
    if kind in _BOUNCES:
        return bounce(failure(address, words, **_BOUNCES[kind]))
    return NOTHING
