"""Values of settings that have parts: relays, listeners, the sending window, IP storage."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo


class IPStorage(enum.StrEnum):
    """How the consent ledger keeps an IP address."""

    WHOLE = "whole"
    SHORT = "short"
    NONE = "none"


@dataclass(frozen=True)
class Listener:
    """Where we accept mail to our own addresses. `protocol` is smtp or lmtp (RFC 2033)."""

    protocol: str
    host: str
    port: int


@dataclass(frozen=True)
class Span:
    """Hours on some weekdays (Monday is 0), in minutes after midnight. `closes` may be on the next day."""

    weekdays: frozenset[int]
    opens: int
    closes: int


@dataclass(frozen=True)
class SendingWindow:
    """When issues may be sent. Without `zone`, in the newsletter's time zone."""

    spans: tuple[Span, ...]
    zone: ZoneInfo | None = None


@dataclass(frozen=True)
class DomainKey:
    """A DKIM key of one From domain. Without a file, the emails of that domain are not signed here."""

    domain: str
    selector: str = ""
    file: Path | None = None


@dataclass(frozen=True)
class WarmUp:
    """How many digests a new From domain sends: `first` on the day `starts`, then `factor` times as many."""

    starts: date
    first: int
    factor: float
    days: int

    def limit(self, day: int) -> int:
        """Return the limit of a day, counted from 1."""
        return int(min(self.first * self.factor ** (day - 1), 10.0**9))


class RelaySecurity(enum.StrEnum):
    """How the connection to the relay is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True)
class Relay:
    """A relay that accepts our emails, from a URL such as smtp://user:password@host:587.

    Its limits apply to the whole account; None is no limit. `max_connections` applies to each host. With a
    user name and no password, the sign-in uses a token (`relay_token_command`). `return_path` is the sender
    of every envelope; None means a signed address for each delivery. `token_header` names the header that
    carries a delivery's signed token.
    """

    host: str
    port: int
    security: RelaySecurity
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    max_connections: int | None = None
    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None
    return_path: str | None = None
    token_header: str = "X-Newsletter-Token"  # noqa: S105 (a header)

    @property
    def key(self) -> str:
        """The key of this relay's counters. Two accounts at one relay have separate limits."""
        account = hashlib.sha256((self.username or "").encode()).hexdigest()[:8] if self.username else ""
        return f"{self.host.lower()}:{self.port}" + (f"#{account}" if account else "")


@dataclass(frozen=True)
class Mailbox:
    """A mailbox that reports come to, from a URL such as imaps://user:password@host/INBOX.

    Without a password, the sign-in uses a token (`mailbox_token_command`). `done` is what happens to a
    message that was a report or a request: keep or delete. With `move_to`, it is moved to that folder.
    """

    protocol: str
    host: str
    port: int
    security: RelaySecurity
    username: str
    password: str | None = field(default=None, repr=False)
    folder: str = "INBOX"
    done: str = "keep"
    move_to: str | None = None
    poll_seconds: int = 120

    @property
    def key(self) -> str:
        """The key of what we know about this mailbox. A new password or option does not change it."""
        named = (self.protocol, self.host.lower(), str(self.port), self.username, self.folder)
        return hashlib.sha256("\0".join(named).encode()).hexdigest()

    @property
    def name(self) -> str:
        """The mailbox for messages to the owner and for logs. Its user is named without a domain."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        folder = f"/{self.folder}" if self.protocol == "imap" else ""
        return f"{self.username.partition('@')[0]} at {host}:{self.port}{folder}"
