"""The exceptions that this program raises.

    NewsletterError
    ├── SettingsError          the settings are invalid; lists every fault
    ├── ServiceError           a process of the service cannot start or continue
    ├── InputError             a file or a value from outside is invalid
    │   ├── FieldsInvalid      some fields of a form are invalid; says for each why
    │   ├── TemplateInvalid    templates of the owner cannot be used; lists every fault with its line
    │   ├── ReleaseUnreadable  a file is not a press release
    │   ├── FeedUnreadable     a document is not a feed, or not one that we read
    │   ├── ReasonNeeded       an address is only let go with a reason: its person wanted no more email
    │   ├── PayloadInvalid     the body of a webhook call is not what the provider documents
    │   └── AddressInvalid     not an email address that we can send to
    ├── CallRefused            a webhook call is not authentic; says why, for the log
    ├── TokenError             a signed link cannot be used
    │   ├── TokenExpired       the link is genuine, but too old or outdated
    │   └── TokenInvalid       the link is damaged, forged or made for another purpose
    ├── LimitReached           a rate limit is reached; says when to retry
    │   └── ReportsLimited     a report that changes nothing is not recorded; says whether it is about us
    ├── NotFound               no such topic, release, issue or subscriber
    │   ├── ReleaseWithdrawn   it was public before, and is not now
    │   └── ReleaseMerged      it was merged into another one; says which
    ├── StateConflict          the current state does not allow the request
    │   └── OrderChanged       another person changed the order of an issue meanwhile
    ├── FetchError             a URL could not be fetched
    │   └── FetchRefused       the URL or its address is one that we do not accept
    │       └── AnswerRefused  the answer is one that we do not accept
    ├── MailboxError           a mailbox could not be read now
    │   └── MailboxRefused     the owner has to change something: password, folder, certificate
    └── TransportError         no SMTP session with the relay
        ├── RelayRefused       the relay refused the greeting, TLS or sign-in; has the reply's code
        ├── ProtocolError      the relay sent something that is not SMTP
        └── ConnectionLost     the relay closed the connection or did not answer in time

An error carries what a handler needs as attributes; messages are for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class NewsletterError(Exception):
    """The base class of every exception that this program raises on purpose."""


class SettingsError(NewsletterError):
    """The settings are invalid; `faults` has one sentence for each fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        lines = [f"  - {fault}" for fault in self.faults]
        super().__init__("\n".join(["The settings cannot be used:", *lines]))


class ServiceError(NewsletterError):
    """A process of the service cannot start or continue; the message says what to do."""


class InputError(NewsletterError):
    """A file, an argument or a form value cannot be used."""


class PayloadInvalid(InputError):
    """The body of a webhook call is not what the provider documents."""


class CallRefused(NewsletterError):
    """A webhook call is not authentic. `reason` is a word for the log, and never told to the caller."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the call is refused: {reason}")


class FieldsInvalid(InputError):
    """Some fields of a form cannot be used; `faults` has a sentence for each, by the field's name."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("\n".join(self.faults.values()))


class TemplateInvalid(InputError):
    """Templates of the owner cannot be used; `faults` has a (part, line, sentence) for each fault.

    The line is 0 if it is not known.
    """

    def __init__(self, faults: Sequence[tuple[str, int, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(sentence for _, _, sentence in self.faults))


class ReleaseUnreadable(InputError):
    """A file is not a press release; `name` is the file as the caller named it."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}")


class ReasonNeeded(InputError):
    """An address is only let go with a reason, because the person wanted no more email."""


class FeedUnreadable(InputError):
    """A document is not a feed, or it is one that we refuse to read. The message says why."""


class AddressInvalid(InputError):
    """Not an email address that we can send to. The message can be shown to the person who typed it."""


class TokenError(NewsletterError):
    """A signed link cannot be used."""


class TokenExpired(TokenError):
    """The link is genuine, but too old or outdated. `payload` says for whom it was made."""

    def __init__(self, message: str, payload: object = None) -> None:
        self.payload = payload
        super().__init__(message)


class TokenInvalid(TokenError):
    """The link is damaged, forged or made for another purpose."""


class LimitReached(NewsletterError):
    """A rate limit is reached; a retry after `wait_seconds` can succeed."""

    def __init__(self, message: str, wait_seconds: float) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(message)


class ReportsLimited(LimitReached):
    """Too many reports that change nothing came; `is_signed`: this one has a value that we signed."""

    def __init__(self, wait_seconds: float, *, is_signed: bool) -> None:
        self.is_signed = is_signed
        super().__init__("Too many reports that change nothing arrived. Try again later.", wait_seconds)


class NotFound(NewsletterError):
    """There is nothing with that name or id."""


class ReleaseWithdrawn(NotFound):
    """A release was public before, and is held or excluded now. Old links lead to it."""


class ReleaseMerged(NotFound):
    """A release was merged into another one, whose public id is `stays`. Old links lead to it."""

    def __init__(self, stays: str) -> None:
        self.stays = stays
        super().__init__(f"This release was merged into {stays}.")


class StateConflict(NewsletterError):
    """The current state does not allow the request."""


class OrderChanged(StateConflict):
    """Another person changed the order of an issue after this one saw it."""


class FetchError(NewsletterError):
    """A URL could not be fetched now: no address, no answer, or not in time. `url` is the one that failed."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"{url[:200]}: {reason}")


class FetchRefused(FetchError):
    """A URL that we never fetch."""


class AnswerRefused(FetchRefused):
    """The site answered, with more or other bytes than we accept."""


class MailboxError(NewsletterError):
    """A mailbox could not be read: no answer, a closed connection, or an answer that we do not accept."""


class MailboxRefused(MailboxError):
    """The server answered, and the next try will fail too until the owner changes something.

    `part` is what to change: sign-in, certificate, folder or server.
    """

    def __init__(self, message: str, part: str) -> None:
        self.part = part
        super().__init__(message)


class TransportError(NewsletterError):
    """There is no SMTP session with the relay: it is unreachable, or it refused TLS or the sign-in."""


class RelayRefused(TransportError):
    """The relay answered, but refused the session; `code` and `status` are from its reply.

    `step` is the step that it refused: greeting, hello, starttls or sign-in.
    """

    def __init__(self, message: str, code: int, status: str, step: str = "") -> None:
        self.code = code
        self.status = status
        self.step = step
        super().__init__(message)


class ProtocolError(TransportError):
    """The relay sent something that is not SMTP, or a reply to no command."""


class ConnectionLost(TransportError):
    """The relay closed the connection, or did not answer before the timeout."""
