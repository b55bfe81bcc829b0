"""What is handed to a transport, and what comes back for each message. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from newsletter.smtp.replies import Reply


class Step(enum.StrEnum):
    """How far a message got: the command whose reply decided, or was awaited."""

    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"


class Fate(enum.StrEnum):
    """What became of a message in one attempt.

    REPLIED    the reply decides; it may be a local one
    UNSENT     the connection ended, and the relay cannot have the whole message: safe to send again
    UNCERTAIN  the final dot may have arrived, and no answer came (RFC 1047): again may be twice
    SKIPPED    `before_envelope` said no; nothing was written
    UNBUILT    the message could not be made, or is unfit to be sent; `error` says why
    """

    REPLIED = "replied"
    UNSENT = "unsent"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    UNBUILT = "unbuilt"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom. An empty `return_path` is the null sender.

    Where the relay offers DSN (RFC 3461) and `notify` is set ("NEVER", or "FAILURE,DELAY"), it is
    passed on, with `envelope_id`, and returned mail is asked to hold headers only.
    """

    return_path: str
    recipient: str
    notify: str = ""
    envelope_id: str = ""


class WholeLines(bytes):
    """A message whose lines are known to end in CRLF, with no CR or LF elsewhere and no dot at their start.

    Known by how it was made, not by looking: there is nothing to look for or to stuff in it.
    """


class Outgoing(NamedTuple):
    """One message to be sent. `id` is the caller's.

    `build` returns the whole message, lines ended by CRLF, not dot-stuffed. It is called once an
    attempt, while the relay works on the message before, in any thread; what it raises is the fate
    of this message alone.
    """

    id: int
    envelope: Envelope
    build: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one attempt.

    `step` says where a reply was given or the connection was lost; None if nothing of the message
    was written. `reason` is for people, when there is no reply.
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
    """The outcome for one message, by the caller's id."""

    id: int
    outcome: Outcome


class Hooks(Protocol):
    """What a transport tells while it sends; called from any of its threads, several at a time.

    What a hook raises ends the sending: connections are closed without the dot, each message taken
    still gets its result, then the error is raised.
    """

    def before_envelope(self, message_id: int) -> bool:
        """Return whether the message is still to be offered. Called right before that is written."""

    def before_content(self, message_id: int) -> None:
        """Note that the message is about to leave: from here on only an answer tells its fate."""

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        """Note what became of a message that `before_content` was called for. Exactly once."""

    def meanwhile(self) -> None:
        """Do what cannot wait for the next result. Called many times a second while none comes.

        In the thread that takes the results, unlike the others.
        """


class NoHooks:
    """Hooks of a caller that wants none."""

    def before_envelope(self, message_id: int) -> bool:
        """Offer everything."""
        return True

    def before_content(self, message_id: int) -> None:
        """Nothing."""

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        """Nothing."""

    def meanwhile(self) -> None:
        """Nothing."""
