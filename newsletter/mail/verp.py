"""Signed addresses that name their delivery: return paths (VERP) and unsubscribe addresses. Pure."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable
from itertools import islice

from newsletter.tokens import keyed_digest

# 80 bits as 16 characters of base32: relays may change the case of a local part, and base32 ignores case.
_MAC_BYTES = 10
_MAC_LETTERS = 16
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# RFC 5321, section 4.5.3.1.1: a local part has at most 64 octets. "b-" takes two of them and "-" one.
LONGEST_ID = 64 - 3 - _MAC_LETTERS
_TOKEN = rf"b-([a-z0-9-]{{1,{LONGEST_ID}}})-([a-z2-7]{{{_MAC_LETTERS}}})"
_ADDRESS = re.compile(rf"{_TOKEN}@[^@\s<>]+")
# Our own header holds the token alone. A Message-ID has more after it.
_MARKS = re.compile(rf"(?<![a-z0-9-]){_TOKEN}(?![a-z0-9-])")
_MARK = re.compile(rf"{_TOKEN}(?:\.[0-9]{{1,12}})?(?:@[^@\s<>]+)?")

# The purpose for which the key of return paths, Message-IDs and our header is derived.
RETURN_KEY = "return-path"
# The purpose for which the key of unsubscribe addresses is derived (tokens.py).
LEAVE_KEY = "leave-by-mail"
# 25 bytes are 40 characters of base32, without padding: subscriber's public id, delivery id, signature. In
# an address that means one newsletter, two of the delivery's bytes are the newsletter's id.
_SUBSCRIBER_BYTES = 9
_DELIVERY_BYTES = 6
_NEWSLETTER_BYTES = 2
_TOKEN_LETTERS = 40
_SUBSCRIBER = re.compile(r"[A-Za-z0-9_-]{12}")
_LEAVE = re.compile(rf"[^@\s<>]+[-+=._]([a-z2-7]{{{_TOKEN_LETTERS}}})@[^@\s<>]+")
_LEAVES = re.compile(rf"[-+=._]([a-z2-7]{{{_TOKEN_LETTERS}}})@")
_LONGEST_ADDRESS = 320
# A report holds a few values of ours. A forged one may hold thousands, and each costs a hash.
MOST_MARKS = 50
# The room that is left in a local part for the mailbox before the plus sign.
LONGEST_LEAVE_MAILBOX = 64 - 1 - _TOKEN_LETTERS


def delivery_token(delivery_id: str, key: bytes) -> str:
    """Return the signed token of a delivery, `b-<id>-<mac>`, for its return path, Message-ID and header.

    `delivery_id` has at most 45 lower-case ASCII characters, digits and hyphens, because relays may change
    the case. Raises ValueError for any other.
    """
    if len(delivery_id) > LONGEST_ID or not _ID.fullmatch(delivery_id):
        raise ValueError("a delivery id in an address has only a-z, digits and hyphens")
    return f"b-{delivery_id}-{_mac(delivery_id, key)}"


def return_path(token: str, mailbox_domain: str) -> str:
    """Return the envelope sender of the delivery with this token (see delivery_token)."""
    return f"{token}@{mailbox_domain}"


def parse_return_path(address: str, keys: Iterable[bytes]) -> str | None:
    """Return the delivery id if `address` is a return path that we signed with one of `keys`, else None.

    Case and domain are ignored, because relays and forwarders change both. The signature covers the id.
    """
    return _genuine(_ADDRESS.fullmatch(_plain(address)), keys)


def parse_delivery_token(value: str, keys: Iterable[bytes]) -> str | None:
    """Return the delivery id in `value`, a Message-ID or our header in returned mail; None if not signed."""
    return _genuine(_MARK.fullmatch(_plain(value[:_LONGEST_ADDRESS])), keys)


def delivery_ids_in(text: str, key: bytes, leave_key: bytes) -> set[str]:
    """Return the ids of the deliveries whose signed values stand anywhere in a text, such as a report.

    These are return paths, Message-IDs and our header, signed with `key`, and unsubscribe addresses, signed
    with `leave_key`. Only the first `MOST_MARKS` candidates of each kind are looked at.
    """
    folded = text.lower()
    marks = dict.fromkeys(found.groups() for found in islice(_MARKS.finditer(folded), MOST_MARKS))
    named = {each[0] for each in marks if hmac.compare_digest(each[1], _mac(each[0], key))}
    letters = dict.fromkeys(found[1] for found in islice(_LEAVES.finditer(folded), MOST_MARKS))
    left = (_parse_leave_token(each, leave_key) for each in letters)
    return named | {str(each[1]) for each in left if each is not None}


def leave_address(
    mailbox: str, subscriber_public_id: str, delivery_id: int, key: bytes, newsletter_id: int | None = None
) -> str | None:
    """Return the address that unsubscribes this subscriber: `leave+<token>@domain` for leave@domain.

    The token names the subscriber, the delivery and the newsletter, so it works after the delivery's row is
    deleted. Without a newsletter, it means everything. It is no return-path token, because other people see
    those in bounces. Returns None when an id is not of the usual size, or `mailbox` leaves no room for the
    token (RFC 5321, section 4.5.3.1.1).
    """
    local, _, domain = mailbox.rpartition("@")
    taken = 0 if newsletter_id is None else _NEWSLETTER_BYTES
    fits = (
        len(local) <= LONGEST_LEAVE_MAILBOX
        and 0 <= delivery_id < 1 << 8 * (_DELIVERY_BYTES - taken)
        and 0 <= (newsletter_id or 0) < 1 << 8 * _NEWSLETTER_BYTES
    )
    if not fits or not _SUBSCRIBER.fullmatch(subscriber_public_id):
        return None
    told = base64.urlsafe_b64decode(subscriber_public_id)
    told += (newsletter_id or 0).to_bytes(taken, "big")
    told += delivery_id.to_bytes(_DELIVERY_BYTES - taken, "big")
    mac = _leave_mac(told, key, everything=newsletter_id is None)
    token = base64.b32encode(told + mac).decode("ascii").lower()
    return f"{local}+{token}@{domain}"


def parse_leave_address(address: str, key: bytes) -> tuple[str, int, int | None] | None:
    """Return the subscriber's public id, the delivery's id and the newsletter's (None: everything).

    Return None when we did not sign the address. Case, domain and mailbox are ignored, and another separator
    than the plus sign is accepted. Relays and aliases change them. The signature covers the ids.
    """
    if len(address) > _LONGEST_ADDRESS:
        return None
    found = _LEAVE.fullmatch(_plain(address))
    return None if found is None else _parse_leave_token(found[1], key)


def _parse_leave_token(letters: str, key: bytes) -> tuple[str, int, int | None] | None:
    raw = base64.b32decode(letters.upper())
    told, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    subscriber_public_id = base64.urlsafe_b64encode(told[:_SUBSCRIBER_BYTES]).decode("ascii")
    numbers = told[_SUBSCRIBER_BYTES:]
    if hmac.compare_digest(mac, _leave_mac(told, key, everything=True)):
        return subscriber_public_id, int.from_bytes(numbers, "big"), None
    if hmac.compare_digest(mac, _leave_mac(told, key, everything=False)):
        newsletter, delivery = numbers[:_NEWSLETTER_BYTES], numbers[_NEWSLETTER_BYTES:]
        return subscriber_public_id, int.from_bytes(delivery, "big"), int.from_bytes(newsletter, "big")
    return None


def _genuine(found: re.Match[str] | None, keys: Iterable[bytes]) -> str | None:
    if found is None:
        return None
    delivery_id, mac = found[1], found[2]
    genuine = any(hmac.compare_digest(mac, _mac(delivery_id, key)) for key in keys)
    return delivery_id if genuine else None


def _plain(address: str) -> str:
    return address.strip().removeprefix("<").removesuffix(">").lower()


def _leave_mac(told: bytes, key: bytes, *, everything: bool) -> bytes:
    if not key:
        raise ValueError("an unsubscribe address needs a key")
    # `told` has a fixed length, so the MAC of one form never fits the other form.
    form = b"leave-" if everything else b"leave-newsletter-"
    return keyed_digest(key, form + told)[:_MAC_BYTES]


def _mac(delivery_id: str, key: bytes) -> str:
    if not key:
        raise ValueError("a return path needs a key")
    digest = keyed_digest(key, f"b-{delivery_id}".encode("ascii"))
    return base64.b32encode(digest[:_MAC_BYTES]).decode("ascii").lower()
