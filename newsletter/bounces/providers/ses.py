"""Amazon SES: read an event that came by Amazon SNS. Pure.

An identity sends notifications, and a configuration set sends events. Both have the same form in most parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from newsletter.bounces.providers.event import NOTHING, Event, bounce, complaint, failure, make_event
from newsletter.bounces.providers.payload import Object, load_object, objects_at, text_at, texts_at
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Failure, Report
from newsletter.errors import PayloadInvalid

# What SES says by the kind of a bounce. Other kinds are decided by the words of the server.
_REASONS = {
    "NoEmail": Reason.NO_SUCH_USER,
    "Suppressed": Reason.NO_SUCH_USER,
    "OnAccountSuppressionList": Reason.NO_SUCH_USER,
    "MailboxFull": Reason.MAILBOX_FULL,
    "MessageTooLarge": Reason.TOO_BIG,
    "ContentRejected": Reason.CONTENT,
    "AttachmentRejected": Reason.CONTENT,
}
ON_LIST = "OnAccountSuppressionList"


def read_events(message: str, message_id: str) -> list[Event]:
    """Return the event in the text of an SNS message; nothing for a text of another kind."""
    try:
        source = load_object(message)
    except PayloadInvalid:
        return []  # SES sends a sentence after a topic was set
    kind = text_at(source, "eventType") or text_at(source, "notificationType")
    reader = _READERS.get(kind)
    if reader is None:
        return []
    about = kind[:1].lower() + kind[1:]
    key = text_at(source, about, "feedbackId") or message_id
    return [make_event(source, f"{kind} {key}", reader(source), _signed(source))]


def _signed(source: Object) -> list[str]:
    """Return the texts that may have our signed values: the envelope's sender, headers and tags."""
    mail = source.get("mail")
    headers = [text_at(each, "value") for each in objects_at(mail, "headers")]
    common = [text_at(mail, "commonHeaders", name) for name in ("messageId", "returnPath")]
    tags = texts_at(mail, "tags", "newsletter_token")
    return [text_at(mail, "source"), *headers, *common, *tags]


def _bounce(source: Object) -> Report:
    kind, subtype = text_at(source, "bounce", "bounceType"), text_at(source, "bounce", "bounceSubType")
    permanent = kind == "Permanent"

    def of(each: Object) -> Failure | None:
        return failure(
            text_at(each, "emailAddress"),
            text_at(each, "diagnosticCode") or f"Amazon SES: {kind}, {subtype}",
            permanent=permanent,
            status=text_at(each, "status"),
            reason=_REASONS.get(subtype),
            otherwise=Reason.NO_SUCH_USER if permanent else Reason.UNKNOWN,
        )

    return bounce(*map(of, objects_at(source, "bounce", "bouncedRecipients")))


def _complaint(source: Object) -> Report:
    addresses = [
        text_at(each, "emailAddress") for each in objects_at(source, "complaint", "complainedRecipients")
    ]
    if text_at(source, "complaint", "complaintSubType") == ON_LIST:
        # An earlier complaint, perhaps about another sender: nothing was sent.
        words = "Amazon SES did not send this: the address is on the suppression list of your account."
        return bounce(*(failure(each, words, permanent=True, reason=Reason.POLICY) for each in addresses))
    if text_at(source, "complaint", "complaintFeedbackType") == "not-spam":
        return NOTHING
    return complaint(*addresses)


def _delay(source: Object) -> Report:
    kind = text_at(source, "deliveryDelay", "delayType")

    def of(each: Object) -> Failure | None:
        words = text_at(each, "diagnosticCode") or f"Amazon SES: {kind}"
        status = text_at(each, "status")
        return failure(text_at(each, "emailAddress"), words, permanent=False, status=status, delayed=True)

    return bounce(*map(of, objects_at(source, "deliveryDelay", "delayedRecipients")))


def _reject(source: Object) -> Report:
    words = f"Amazon SES did not send this: {text_at(source, 'reject', 'reason')}"
    named = texts_at(source, "mail", "destination")
    return bounce(*(failure(each, words, permanent=True, reason=Reason.CONTENT) for each in named))


_READERS: Mapping[str, Callable[[Object], Report]] = {
    "Bounce": _bounce,
    "Complaint": _complaint,
    "DeliveryDelay": _delay,
    "Reject": _reject,
}
