"""Types that pass between the outbox and a transport: Envelope, Outgoing, Outcome, Result, Hooks. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from newsletter.smtp.replies import Reply


class Step(enum.StrEnum):
    """How far a message got: the command whose reply decided its outcome, or whose reply never came."""

    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"


class Fate(enum.StrEnum):
    """What became of a message in one attempt.

    REPLIED: the reply decides; it may be a local one.
    UNSENT: the connection ended before the relay had the whole message. It is safe to send again.
    UNCERTAIN: the relay may have the whole message, and no reply came. Sending again may deliver it twice
    (RFC 1047).
    SKIPPED: `before_envelope` returned False; nothing was written.
    UNBUILT: the message could not be built, or is not valid for SMTP; `error` says why.
    """

    REPLIED = "replied"
    UNSENT = "unsent"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    UNBUILT = "unbuilt"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The addresses of MAIL FROM and RCPT TO. An empty `return_path` is the null sender.

    `notify` is "NEVER" or "FAILURE,DELAY", for example. If it is set and the relay offers DSN (RFC 3461),
    we pass it on with `envelope_id`, and ask for the headers only in returned mail.
    """

    return_path: str
    recipient: str
    notify: str = ""
    envelope_id: str = ""


class WholeLines(bytes):
    """A message whose lines all end in CRLF, without a bare CR or LF, and never start with a dot.

    The code that made it guarantees this, so `stuff_dots` does not check it.
    """


class Outgoing(NamedTuple):
    """One message to be sent. `id` is the caller's.

    `build` returns the whole message, with CRLF line ends, not dot-stuffed. It is called once an attempt,
    in any thread, while the relay works on the message before. If it raises, only this message is UNBUILT.
    """

    id: int
    envelope: Envelope
    build: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt.

    `step` is where the relay replied or the connection was lost; None if nothing of the message was written.
    `reason` is for people, when there is no reply.
    """

    fate: Fate
    step: Step | None = None
    reply: Reply | None = None
    reason: str = ""
    error: Exception | None = None

    @property
    def accepted(self) -> bool:
        """Whether the relay has taken responsibility for the message."""
        return (
            self.fate is Fate.REPLIED
            and self.step is Step.CONTENT
            and self.reply is not None
            and self.reply.positive
        )


class Result(NamedTuple):
    """The outcome of one message; `id` is the one that the caller gave."""

    id: int
    outcome: Outcome


class Hooks(Protocol):
    """Callbacks of a transport while it sends. Its threads call them, several at the same time.

    If a hook raises, sending ends: connections are closed without the final dot, each message taken gets its
    result, and then the error is raised.
    """

    def before_envelope(self, message_id: int) -> bool:
        """Return whether to send the message. Called just before its envelope is written."""

    def before_content(self, message_id: int) -> None:
        """Note that the content is about to be written: from now on only a reply can tell its outcome."""

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        """Note the outcome of a message. Called exactly once for each call of `before_content`."""

    def meanwhile(self) -> None:
        """Do work that cannot wait for the next result. Called many times a second while none comes.

        Unlike the other hooks, it is called in the thread that takes the results.
        """


class NoHooks:
    """Hooks that do nothing."""

    def before_envelope(self, message_id: int) -> bool:
        """Send every message."""
        return True

    def before_content(self, message_id: int) -> None:
        """Nothing."""

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        """Nothing."""

    def meanwhile(self) -> None:
        """Nothing."""
