"""Return paths that name their delivery and cannot be forged (VERP, signed). Pure."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable

# 80 bits in 16 letters of base32: relays fold the case of a local part, and base32 survives it.
_MAC_BYTES = 10
_MAC_LETTERS = 16
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# RFC 5321, section 4.5.3.1.1: a local part has at most 64 octets; two go for "b-", one for "-".
LONGEST_ID = 64 - 3 - _MAC_LETTERS
_ADDRESS = re.compile(rf"([bu])-([a-z0-9-]{{1,{LONGEST_ID}}})-([a-z2-7]{{{_MAC_LETTERS}}})@[^@\s<>]+")

_BOUNCES = "b"
_LEAVES = "u"


def return_path(delivery_id: str, mailbox_domain: str, key: bytes) -> str:
    """Return the envelope sender of a delivery: `b-<id>-<mac>@domain`.

    `delivery_id` is of lower-case letters, digits and hyphens (case would be lost on the way)
    and at most 45 characters long. Raises ValueError for any other.
    """
    return _signed(_BOUNCES, delivery_id, mailbox_domain, key)


def parse_return_path(address: str, keys: Iterable[bytes]) -> str | None:
    """Return the delivery id if `address` is a return path of ours made with one of `keys`, else None.

    Any case and any domain will do: relays and forwarders change both, the signature covers the id.
    """
    return _read(_BOUNCES, address, keys)


def unsubscribe_address(delivery_id: str, mailbox_domain: str, key: bytes) -> str:
    """Return the address in the mailto: of List-Unsubscribe: `u-<id>-<mac>@domain` (RFC 2369).

    Its signature is of another kind than a return path's, which strangers see in bounces.
    """
    return _signed(_LEAVES, delivery_id, mailbox_domain, key)


def parse_unsubscribe_address(address: str, keys: Iterable[bytes]) -> str | None:
    """Return the delivery id whose reader asks to leave by mail, or None if it is not ours."""
    return _read(_LEAVES, address, keys)


def _signed(kind: str, delivery_id: str, domain: str, key: bytes) -> str:
    if len(delivery_id) > LONGEST_ID or not _ID.fullmatch(delivery_id):
        raise ValueError("a delivery id in an address is lower-case letters, digits and hyphens")
    return f"{kind}-{delivery_id}-{_mac(kind, delivery_id, key)}@{domain}"


def _read(kind: str, address: str, keys: Iterable[bytes]) -> str | None:
    found = _ADDRESS.fullmatch(address.strip().removeprefix("<").removesuffix(">").lower())
    if found is None or found[1] != kind:
        return None
    delivery_id, mac = found[2], found[3]
    genuine = any(hmac.compare_digest(mac, _mac(kind, delivery_id, key)) for key in keys)
    return delivery_id if genuine else None


def _mac(kind: str, delivery_id: str, key: bytes) -> str:
    if not key:
        raise ValueError("a return path needs a key")
    digest = hmac.digest(key, f"{kind}-{delivery_id}".encode("ascii"), "sha256")
    return base64.b32encode(digest[:_MAC_BYTES]).decode("ascii").lower()
