"""A webhook call as it arrived, and the checks that several providers share: secrets, HMAC, time. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from newsletter.errors import CallRefused

# The clocks of a provider and of this host may differ.
AHEAD = timedelta(minutes=10)


@dataclass(frozen=True)
class Call:
    """One call: its body as bytes, its headers by lower-case name, and the client's IP address."""

    raw: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return a header's value, "" without one."""
        return self.headers.get(name, "")

    @property
    def secret(self) -> str:
        """The secret in the header Authorization: a password (RFC 7617) or a token (RFC 6750), or ""."""
        scheme, _, value = self.header("authorization").partition(" ")
        if scheme.lower() == "bearer":
            return value.strip()
        if scheme.lower() != "basic":
            return ""
        try:
            decoded = base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return ""
        return decoded.partition(":")[2]


def check_secret(call: Call, secrets: Iterable[str]) -> None:
    """Raise CallRefused unless the call has one of our secrets. Takes the same time for any wrong one."""
    given = _digest(call.secret)
    # No early end: the time must not tell which secret was nearly right.
    if not sum(hmac.compare_digest(given, _digest(each)) for each in secrets):
        raise CallRefused("secret")


def check_time(at: datetime, now: datetime, oldest: timedelta) -> None:
    """Raise CallRefused if a call was signed too long ago, or in the future."""
    if not -AHEAD <= now - at <= oldest:
        raise CallRefused("time")


def moment(seconds: str) -> datetime:
    """Return a time in seconds since 1970, as digits. Raises CallRefused."""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        raise CallRefused("time")
    return datetime.fromtimestamp(int(seconds), UTC)


def same(given: str, expected: str) -> bool:
    """Return whether two signatures are the same, in a time that does not depend on them."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("ascii"))


def _digest(secret: str) -> bytes:
    # The digests have one length, so the time of a comparison does not tell the length of the secret.
    return hmac.digest(b"secret", secret.encode("utf-8", "replace"), "sha256")
