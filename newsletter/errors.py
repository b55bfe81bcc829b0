"""The error tree.

    NewsletterError
    ├── SettingsError          settings cannot be used; lists every fault
    ├── ServiceError           a process of the service cannot start or go on
    ├── InputError             what was handed in cannot be read; names it
    │   ├── ReleaseUnreadable  a file is not a press release
    │   └── AddressInvalid     not an address we can mail
    ├── TokenError             a signed link is not usable
    │   ├── TokenExpired       it was genuine once
    │   └── TokenInvalid       damaged, forged, or made for something else
    ├── LimitReached           more came than a limit allows; says when to come again
    ├── NotFound               no such topic, release, issue, reader
    ├── StateConflict          the thing is not in a state that allows this
    └── TransportError         the relay cannot be talked to at all
        ├── RelayRefused       the greeting, TLS or sign-in was refused; has the reply's code
        ├── ProtocolError      what the relay says is not SMTP
        └── ConnectionLost     the relay hung up or fell silent

An error carries what a handler needs as attributes; messages are for people.
"""

from __future__ import annotations

from collections.abc import Sequence


class NewsletterError(Exception):
    """Whatever this program raises on purpose."""


class SettingsError(NewsletterError):
    """Settings cannot be used; `faults` lists every one of them, a sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        lines = [f"  - {fault}" for fault in self.faults]
        super().__init__("\n".join(["The settings cannot be used:", *lines]))


class ServiceError(NewsletterError):
    """A process of the service cannot start or go on; the message says what to do."""


class InputError(NewsletterError):
    """What was handed in cannot be used."""


class ReleaseUnreadable(InputError):
    """A file is not a press release; `name` is the file as the caller named it."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}")


class AddressInvalid(InputError):
    """Not an address that can be mailed; the message is fit for the person who typed it."""


class TokenError(NewsletterError):
    """A signed link that cannot be used."""


class TokenExpired(TokenError):
    """Genuine, but too old or outdated; `payload` says whom it was for."""

    def __init__(self, message: str, payload: object = None) -> None:
        self.payload = payload
        super().__init__(message)


class TokenInvalid(TokenError):
    """Damaged, forged, or made for another purpose."""


class LimitReached(NewsletterError):
    """More came than a limit allows; `wait_seconds` later it can be done."""

    def __init__(self, message: str, wait_seconds: float) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(message)


class NotFound(NewsletterError):
    """Nothing by that name or id."""


class StateConflict(NewsletterError):
    """The thing is not in a state that allows what was asked."""


class TransportError(NewsletterError):
    """The relay cannot be talked to at all: refused, unreachable, TLS or sign-in failed."""


class RelayRefused(TransportError):
    """The relay answered, and would not have us; `code` and `status` are those of its reply.

    `step` is what it refused: greeting, hello, starttls or sign-in.
    """

    def __init__(self, message: str, code: int, status: str, step: str = "") -> None:
        self.code = code
        self.status = status
        self.step = step
        super().__init__(message)


class ProtocolError(TransportError):
    """What the relay says is not SMTP, or answers a question that was not asked."""


class ConnectionLost(TransportError):
    """The relay hung up, or fell silent for longer than it may."""
