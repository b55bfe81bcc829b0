"""Amazon SNS: who signed a message, and what it is (Verifying the signatures of Amazon SNS messages). Pure.

The signature is a part of the message. So a message is parsed, within bounds, before it can be verified. What
it carries is parsed after that.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from newsletter.bounces.providers.call import check_time
from newsletter.bounces.providers.payload import load_object
from newsletter.errors import CallRefused, PayloadInvalid

NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
UNSUBSCRIBED = "UnsubscribeConfirmation"

# In the order in which they are signed. A field that is missing is left out.
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED_FIELDS = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: _CONFIRMATION,
    UNSUBSCRIBED: _CONFIRMATION,
}
_OPTIONAL = frozenset({"Subject"})
# SNS repeats a message for an hour at most.
OLDEST = timedelta(hours=2)
FEWEST_KEY_BITS = 2048

_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{8,64}\.pem")
_CONTINUATION = {"aws-cn": ".cn"}


@dataclass(frozen=True)
class Message:
    """A message of SNS whose sender is not verified yet: its fields, all texts."""

    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")

    @property
    def kind(self) -> str:
        """Its type: a notification, or a message about a subscription of our URL to the topic."""
        return self["Type"]

    @property
    def sent_at(self) -> datetime:
        """When SNS made it. Raises CallRefused if it does not say."""
        return _time(self["Timestamp"])


def read_message(raw: bytes) -> Message:
    """Return a message. Raises PayloadInvalid."""
    found = load_object(raw)
    message = Message({name: value for name, value in found.items() if isinstance(value, str)})
    signed = SIGNED_FIELDS.get(message.kind)
    if signed is None or any(name not in message.fields for name in signed if name not in _OPTIONAL):
        raise PayloadInvalid("it is not a message of Amazon SNS")
    return message


def certificate_url(message: Message, topics: Iterable[str]) -> str:
    """Return where the certificate of a message is. Raises CallRefused unless it is Amazon's.

    The topic must be one of ours, and the host the one of the topic's region. So nobody can make us fetch
    from another host.
    """
    topic = message["TopicArn"]
    if topic not in set(topics):
        raise CallRefused("topic")
    url = message["SigningCertURL"]
    try:
        parts = urlsplit(url)
        genuine = parts.scheme == "https" and parts.netloc == _host(topic)
    except ValueError:
        raise CallRefused("certificate") from None
    plain = _CERTIFICATE_PATH.fullmatch(parts.path) and url == f"https://{parts.netloc}{parts.path}"
    if not genuine or not plain:
        raise CallRefused("certificate")
    return url


def verify(message: Message, certificate: x509.Certificate, now: datetime) -> None:
    """Raise CallRefused unless a message is signed with the key of `certificate`, and recent."""
    algorithm = _HASHES.get(message["SignatureVersion"])
    key = certificate.public_key()
    if algorithm is None or not isinstance(key, rsa.RSAPublicKey) or key.key_size < FEWEST_KEY_BITS:
        raise CallRefused("signature")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise CallRefused("certificate")
    try:
        signature = base64.b64decode(message["Signature"], validate=True)
        key.verify(signature, _signed_text(message).encode("utf-8"), padding.PKCS1v15(), algorithm())
    except (InvalidSignature, binascii.Error, ValueError):  # UnicodeEncodeError is a ValueError
        raise CallRefused("signature") from None
    check_time(message.sent_at, now, OLDEST)


def confirmation_url(message: Message) -> str:
    """Return the URL that confirms the subscription of a verified message.

    It is made from the topic and the token, and not from the message's own URL.
    """
    topic, token = message["TopicArn"], quote(message["Token"], safe="")
    return (
        f"https://{_host(topic)}/?Action=ConfirmSubscription&TopicArn={quote(topic, safe='')}&Token={token}"
    )


def _host(topic: str) -> str:
    _, partition, _, region, *_ = topic.split(":")
    return f"sns.{region}.amazonaws.com{_CONTINUATION.get(partition, '')}"


def _signed_text(message: Message) -> str:
    names = [name for name in SIGNED_FIELDS[message.kind] if name in message.fields]
    return "".join(f"{name}\n{message[name]}\n" for name in names)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CallRefused("time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
