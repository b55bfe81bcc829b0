"""Signed links: one salt per purpose, an age limit for each, keys in a list for rotation."""

from __future__ import annotations

import enum
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from newsletter.errors import TokenExpired, TokenInvalid

# A token longer than any of ours is not worth the cycles.
LONGEST_TOKEN = 1024


class Purpose(enum.StrEnum):
    """What a link is for; a token made for one is worthless for another."""

    CONFIRM = "confirm"
    PREFERENCES = "preferences"
    UNSUBSCRIBE = "unsubscribe"
    UNDO = "undo"
    VIEW = "view"
    FORM = "form"


class Tokens:
    """Makes and reads the tokens of one installation. Keys are ordered oldest first."""

    def __init__(self, keys: Sequence[str], confirm_days: int = 7) -> None:
        self._keys = tuple(keys)
        self._limits = {
            Purpose.CONFIRM: timedelta(days=confirm_days),
            Purpose.UNDO: timedelta(days=1),
            Purpose.FORM: timedelta(days=1),
        }
        self._serializers = {purpose: self._serializer(purpose) for purpose in Purpose}

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        return URLSafeSerializer(
            list(self._keys),
            salt=f"newsletter.{purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def make(self, purpose: Purpose, payload: Sequence[Any], now: datetime) -> str:
        """Return a token that carries `payload` (JSON values, readable by anyone) and its time."""
        return str(self._serializers[purpose].dumps([int(now.timestamp()), *payload]))

    def read(self, purpose: Purpose, token: str, now: datetime) -> list[Any]:
        """Return the payload. Raises TokenInvalid, or TokenExpired (which carries it) when too old."""
        if len(token) > LONGEST_TOKEN:
            raise TokenInvalid("longer than any link of ours")
        try:
            made, *payload = list(self._serializers[purpose].loads(token))
            made_at = datetime.fromtimestamp(made, UTC)
        except (BadData, ValueError, TypeError, OverflowError) as fault:
            raise TokenInvalid("damaged, or not made here") from fault
        limit = self._limits.get(purpose)
        if limit is not None and now - made_at > limit:
            raise TokenExpired("too old", payload)
        return payload

    def made_at(self, purpose: Purpose, token: str, now: datetime) -> datetime:
        """Return when `token` was made, to the second. Raises as `read` does."""
        self.read(purpose, token, now)
        return datetime.fromtimestamp(self._serializers[purpose].loads(token)[0], UTC)

    def fingerprint(self, value: str) -> str:
        """Return a short keyed hash of an address, so that a changed address ends old links."""
        return self.keyed_hash("fingerprint", value)[:10]

    def keyed_hash(self, purpose: str, value: str) -> str:
        """Return HMAC-SHA256 in hex, by the oldest key: it never changes while keys are only added."""
        return hmac.new(self.derived_key(purpose), value.encode(), hashlib.sha256).hexdigest()

    def derived_key(self, purpose: str) -> bytes:
        """Return 32 bytes for another use of the oldest key (suppression, return paths)."""
        return hmac.new(self._keys[0].encode(), f"newsletter.{purpose}".encode(), hashlib.sha256).digest()
