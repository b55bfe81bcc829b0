"""Postmark: read the event of a call. Nothing is signed: a secret in the header proves the call. Pure."""

from __future__ import annotations

from newsletter.bounces.providers.event import NOTHING, Event, bounce, complaint, failure, late, make_event
from newsletter.bounces.providers.payload import Object, at, load_object, text_at
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Report

# Types of bounces. Automatic replies and notices about settings are not among them, and change nothing.
_HARD = frozenset({"HardBounce", "BadEmailAddress"})
_SOFT = {
    "SoftBounce": None,
    "DnsError": Reason.NETWORK,
    "Unknown": None,
    "SpamNotification": Reason.CONTENT,
    "VirusNotification": Reason.CONTENT,
    "Blocked": Reason.POLICY,
    "DMARCPolicy": Reason.POLICY,
    "ManuallyDeactivated": Reason.POLICY,
}
MOST_METADATA = 20


def read_events(raw: bytes) -> list[Event]:
    """Return the event of a call. Raises PayloadInvalid."""
    source = load_object(raw)
    metadata = at(source, "Metadata")
    values = list(metadata.values())[:MOST_METADATA] if isinstance(metadata, dict) else []
    number = text_at(source, "ID")
    key = f"{text_at(source, 'RecordType')} {number}" if number else ""
    signed = [text_at(each) for each in values]
    return [make_event(source, key, _report(source), signed, unsubscribes=_unsubscribes(source))]


def _unsubscribes(source: Object) -> bool:
    """Return whether a person unsubscribed. Bounces and complaints come as events of their own, too."""
    return (
        text_at(source, "RecordType") == "SubscriptionChange"
        and source.get("SuppressSending") is True
        and text_at(source, "SuppressionReason") == "ManualSuppression"
        and text_at(source, "Origin") == "Recipient"
    )


def _report(source: Object) -> Report:
    record, kind, address = text_at(source, "RecordType"), text_at(source, "Type"), text_at(source, "Email")
    words = text_at(source, "Details") or text_at(source, "Description")
    if record == "SpamComplaint" or (record == "Bounce" and kind == "SpamComplaint"):
        return complaint(address)
    if record != "Bounce":
        return NOTHING
    if kind == "Transient":
        return late(address, words)
    if kind in _HARD:
        reason = Reason.NO_SUCH_USER if kind == "BadEmailAddress" else None
        return bounce(failure(address, words, permanent=True, reason=reason, otherwise=Reason.NO_SUCH_USER))
    if kind in _SOFT:
        return bounce(failure(address, words, permanent=False, reason=_SOFT[kind]))
    return NOTHING
