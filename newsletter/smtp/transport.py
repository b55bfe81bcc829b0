"""Transports with one interface: SMTP to a relay, a list in memory, or a Maildir."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from newsletter.smtp.commands import envelope_commands, stuff_dots
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.greeting import Extensions
from newsletter.smtp.outcomes import Envelope, Fate, Hooks, NoHooks, Outcome, Outgoing, Result, Step
from newsletter.smtp.pool import Pool
from newsletter.smtp.replies import Reply

_NOTHING_NOW_SECONDS = 0.05
_EVERYTHING = Extensions(eight_bit=True, smtputf8=True)


class Transport(Protocol):
    """The interface through which the outbox sends messages."""

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        """Send `messages`; yield one result for each message taken.

        None among the messages means that there is nothing to send at the moment. Raises TransportError
        when nothing more can be sent, after every message taken has its result.
        """

    def close_idle(self) -> None:
        """Close connections that have been idle for too long. The caller does this from time to time."""

    def close(self) -> None:
        """Close every connection. The transport can be used again afterwards."""


class SMTPTransport:
    """Sends messages to a relay, over a pool of connections."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._pool = Pool(endpoint)

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        """Send over the pool; see `Pool.send`."""
        return self._pool.send(messages, hooks)

    def close_idle(self) -> None:
        """Close connections that were idle for the endpoint's `idle_seconds`."""
        self._pool.close_idle()

    def close(self) -> None:
        """Send QUIT on every connection."""
        self._pool.close()


class _OneByOne:
    """A transport that delivers one message after the other, by the `_deliver` of a subclass."""

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        """Deliver `messages` in their order, in the caller's thread."""
        told: Hooks = hooks or NoHooks()
        for message in messages:
            if message is None:
                time.sleep(_NOTHING_NOW_SECONDS)
                told.meanwhile()
                continue
            try:
                content = message.build()
                stuff_dots(content)  # raises for a bare CR or LF, as a relay's connection would
                refused = envelope_commands(message.envelope, content, _EVERYTHING)
            except Exception as error:
                yield Result(message.id, Outcome(Fate.UNBUILT, reason=str(error), error=error))
                continue
            if not told.before_envelope(message.id):
                yield Result(message.id, Outcome(Fate.SKIPPED))
                continue
            refusal = self._refusal(message.envelope)
            if isinstance(refused[1], Reply):
                refusal = Outcome(Fate.REPLIED, Step.RCPT, refused[1])
            if refusal is not None:
                yield Result(message.id, refusal)
                continue
            told.before_content(message.id)
            outcome = self._deliver(message.envelope, content)
            told.after_content(message.id, outcome)
            yield Result(message.id, outcome)

    def close_idle(self) -> None:
        """Do nothing: no connection is open."""

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def _refusal(self, envelope: Envelope) -> Outcome | None:
        """Return the outcome if the envelope is refused, else None."""

    def _deliver(self, envelope: Envelope, content: bytes) -> Outcome:
        raise NotImplementedError


@dataclass(frozen=True)
class Sent:
    """A message that a MemoryTransport accepted."""

    envelope: Envelope
    content: bytes


class MemoryTransport(_OneByOne):
    """Keeps accepted messages in `sent`, and replies as `answer` says. For tests and previews."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._answers: dict[str, list[Outcome]] = {}

    def answer(self, recipient: str, *answers: Reply | Outcome) -> None:
        """Set the replies to the next messages for `recipient`, one each; later messages are accepted.

        A Reply is given at RCPT if it refuses, else for the content. An Outcome is returned unchanged; if its
        step is CONTENT, `after_content` is called with it too.
        """
        self._answers.setdefault(recipient, []).extend(
            answer if isinstance(answer, Outcome) else _outcome_of(answer) for answer in answers
        )

    def _refusal(self, envelope: Envelope) -> Outcome | None:
        answers = self._answers.get(envelope.recipient)
        return answers.pop(0) if answers and answers[0].step is not Step.CONTENT else None

    def _deliver(self, envelope: Envelope, content: bytes) -> Outcome:
        answers = self._answers.get(envelope.recipient)
        outcome = answers.pop(0) if answers else _outcome_of(Reply(250, ("2.0.0 kept",)))
        if outcome.accepted:
            self.sent.append(Sent(envelope, content))
        return outcome


class MaildirTransport(_OneByOne):
    """Writes each message into one Maildir, completely or not at all, for people without a relay.

    As in a final delivery, it adds Return-Path and Delivered-To, and uses LF line ends. If the disk is full
    or missing, it gives a local 452 reply, so the message is sent again later.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def _deliver(self, envelope: Envelope, content: bytes) -> Outcome:
        head = f"Return-Path: <{envelope.return_path}>\r\nDelivered-To: {envelope.recipient}\r\n"
        data = (head.encode() + content).replace(b"\r\n", b"\n")
        try:
            name = self._keep(data)
        except OSError as error:
            # A 4yz reply: the message was not stored, so trying again is safe.
            reply = Reply.made_here(452, f"4.3.1 the Maildir cannot be written: {error.strerror}")
        else:
            reply = Reply.made_here(250, f"2.0.0 kept as {name}")
        return Outcome(Fate.REPLIED, Step.CONTENT, reply)

    def _keep(self, data: bytes) -> str:
        """Write to tmp/, fsync, then move to new/, as the Maildir format requires."""
        for part in ("tmp", "new", "cur"):
            (self._folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._count += 1
        host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
        name = (
            f"{time.time_ns() // 10**9}.M{time.time_ns() // 1000 % 10**6}P{os.getpid()}Q{self._count}.{host}"
        )
        kept = self._folder / "tmp" / name
        try:
            with kept.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            kept.rename(self._folder / "new" / name)
        except BaseException:
            kept.unlink(missing_ok=True)
            raise
        _make_durable(self._folder / "new")
        return name


def _outcome_of(reply: Reply) -> Outcome:
    return Outcome(Fate.REPLIED, Step.CONTENT if reply.positive else Step.RCPT, reply)


def _make_durable(folder: Path) -> None:
    """Fsync the folder's entries, so that a power loss cannot remove an accepted message."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
