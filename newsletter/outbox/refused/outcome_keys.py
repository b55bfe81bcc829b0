"""The keys of stored outcomes: hash of the relay, keyed hash of the domain, and time of the reply."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from newsletter.tokens import Tokens

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, as `Delivery.answered_microseconds` keeps it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def relay_number(name: str) -> int:
    """Return the hash of a relay's key, as `Delivery.relay_key` keeps it."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def domain_number(tokens: Tokens, email_key: str | None) -> int | None:
    """Return the keyed hash of an address's domain, as `Delivery.domain_key` keeps it."""
    if not email_key:
        return None
    return _domain_number(tokens.derived_key("domain"), email_key.rpartition("@")[2])


@lru_cache(maxsize=10_000)
def _domain_number(key: bytes, domain: str) -> int:
    return int.from_bytes(blake2b(domain.encode(), digest_size=8, key=key).digest(), "big", signed=True)
