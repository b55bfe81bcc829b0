"""One SMTP connection that sends many messages, with pipelining (RFC 2920).

Content N and envelope N+1 are sent in one write. Message N+2 is built and signed while the relay works
on both:

    ours      MAIL RCPT DATA (1)      content 1 . MAIL RCPT DATA (2)      content 2 . MAIL ...
    theirs                    250 250 354                        250 250 250 354
    meanwhile                 build 2                            build 3

A relay without PIPELINING gets the same commands one at a time.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Iterator

from newsletter.errors import ConnectionLost, ProtocolError, TransportError
from newsletter.smtp.commands import envelope_commands, stuff_dots
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.greeting import Extensions, open_wire
from newsletter.smtp.outcomes import Fate, Hooks, NoHooks, Outcome, Outgoing, Result, Step
from newsletter.smtp.replies import Reply
from newsletter.smtp.wire import Wire

_DOT = b".\r\n"
_EARLY_REPLY_SECONDS = 0.5


class _Prepared:
    """A built message with its commands, and the step whose reply it waits for.

    The step of RSET is None, because RSET ends the transaction of the message before this one.
    """

    __slots__ = ("commands", "content", "id", "step")

    def __init__(self, message_id: int, content: bytes, commands: list[tuple[Step | None, bytes]]) -> None:
        self.id = message_id
        self.content = content
        self.commands = commands
        self.step: Step | None = None


class Connection:
    """An open and signed-in connection that sends messages. Not thread-safe.

    A message goes through these attributes. Each holds one message at most:

        _ready      built; nothing of it is written
        _offered    its envelope is written, and we wait for the replies
        _accepted   the relay said 354; nothing of its content is written
        _released   its content is being written, or we wait for the reply to it
    """

    def __init__(self, wire: Wire, endpoint: Endpoint, offered: Extensions) -> None:
        self._wire = wire
        self._times = endpoint.timeouts
        self._extensions = offered
        self._limit = min(endpoint.max_messages, offered.max_messages or endpoint.max_messages)
        self._ready: _Prepared | None = None
        self._offered: _Prepared | None = None
        self._accepted: _Prepared | None = None
        self._released: _Prepared | None = None
        self._settled: deque[Result] = deque()
        self._source: Iterator[Outgoing] | None = None
        self._source_error: Exception | None = None
        # The relay accepted MAIL and got no content: RSET must come before the next MAIL.
        self._open_transaction = False
        # The relay said 354 after it had refused the only recipient: it waits for the final dot.
        self._dot_pending = False
        self.messages = 0
        # How long the relay took for its last reply to a message, from the end of the message on.
        self.reply_seconds = 0.0
        self._written_at = 0.0
        self.closed = False
        self.error: Exception | None = None
        self.used_at = time.monotonic()

    @classmethod
    def open(cls, endpoint: Endpoint) -> Connection:
        """Connect, greet, encrypt and sign in. Raises TransportError as `open_wire` does."""
        wire, offered = open_wire(endpoint)
        return cls(wire, endpoint, offered)

    @property
    def spent(self) -> bool:
        """Whether this connection can send no further message."""
        return self.closed or self.messages >= self._limit

    @property
    def stale(self) -> bool:
        """Whether the relay has closed this idle connection."""
        return self.closed or self._wire.stale()

    def send(self, messages: Iterable[Outgoing], hooks: Hooks | None = None) -> Iterator[Result]:
        """Send `messages` while the connection lasts; yield one result for each message taken from it.

        The next message is taken before the reply to the last one. If the connection ends early, nothing is
        raised. Each message already taken gets a result, and the others stay in `messages`. `closed` is then
        true and `error` has the reason. If a hook or `messages` raises, the error is raised again after every
        message taken has its result. If the caller stops the iterator early, the connection is closed.
        """
        told: Hooks = hooks or NoHooks()
        failure: Exception | None = None
        self._source = iter(messages)
        self._settled.clear()
        try:
            while self._source or self._under_way:
                self._write_group(told)
                self._prepare_next()
                yield from self._drain()
                # Report known results first: the next reply may take long if the relay checks a recipient.
                self._read_content_reply(told)
                yield from self._drain()
                if self._offered is not None:
                    self._read_envelope_replies(self._offered)
                yield from self._drain()
        except Exception as error:
            failure = self._abandon(error, told)
            yield from self._drain()
        except BaseException as error:
            self._source = None
            if self._under_way:
                self._abandon(error, told)
            raise
        self.used_at = time.monotonic()
        failure, self._source_error = failure or self._source_error, None
        if failure is not None:
            raise failure

    def quit(self) -> None:
        """Send QUIT, wait briefly for the reply, and close. Never raises TransportError."""
        if not self.closed:
            with contextlib.suppress(TransportError):
                self._wire.write(b"QUIT\r\n", self._times.quit)
                self._wire.reply(self._times.quit)
        self.close()

    def close(self) -> None:
        """Close without QUIT. The relay drops a message that it has only in part."""
        self.closed = True
        self._wire.close()

    @property
    def _under_way(self) -> bool:
        messages = self._ready or self._offered or self._accepted or self._released
        return messages is not None or self._dot_pending

    def _drain(self) -> Iterator[Result]:
        while self._settled:
            yield self._settled.popleft()

    def _settle(self, message_id: int, outcome: Outcome) -> None:
        self._settled.append(Result(message_id, outcome))

    def _prepare_next(self) -> None:
        """Take and build the next message and its commands, while the relay works on the ones before."""
        if self._ready is not None or self._source is None:
            return
        if self.messages >= self._limit:
            self._source = None
            return
        try:
            message = next(self._source, None)
        except Exception as error:
            # The caller's iterator failed. Messages already taken are still sent; then the error is raised.
            self._source_error = error
            message = None
        if message is None:
            self._source = None
            return
        try:
            content = stuff_dots(message.build())
            first, second = envelope_commands(message.envelope, content, self._extensions)
        except Exception as error:
            self._settle(message.id, Outcome(Fate.UNBUILT, reason=str(error), error=error))
            return
        if isinstance(second, Reply):
            assert isinstance(first, Step)
            self._settle(message.id, Outcome(Fate.REPLIED, first, second))
            return
        assert isinstance(first, bytes)
        commands: list[tuple[Step | None, bytes]] = [
            (Step.MAIL, first),
            (Step.RCPT, second),
            (Step.DATA, b"DATA\r\n"),
        ]
        self._ready = _Prepared(message.id, content, commands)

    def _write_group(self, hooks: Hooks) -> None:
        """Write the content of the accepted message and the envelope of the next one, in one write."""
        if not (self._ready or self._accepted or self._dot_pending):
            return
        self._wire.expect_silence()
        if self._ready is not None and not hooks.before_envelope(self._ready.id):
            self._settle(self._ready.id, Outcome(Fate.SKIPPED))
            self._ready = None
        parts: list[bytes] = []
        if self._accepted is not None:
            hooks.before_content(self._accepted.id)
            self._released, self._accepted = self._accepted, None
            self._open_transaction = False
            parts += (self._released.content, _DOT)
        elif self._dot_pending:
            self._open_transaction = False
            parts.append(_DOT)
        before_envelope = sum(map(len, parts))
        if self._ready is not None:
            self._offered, self._ready = self._ready, None
            self.messages += 1
            if self._open_transaction:
                self._offered.commands.insert(0, (None, b"RSET\r\n"))
            if self._extensions.pipelining:
                parts += (command for _, command in self._offered.commands)
        if not parts:
            return
        try:
            self._wire.write(b"".join(parts), self._times.block)
            self._written_at = time.monotonic()
        except ConnectionLost:
            if self._released is not None:
                self._read_early_reply(self._released, hooks)
            raise
        finally:
            if self._offered is not None and self._wire.left > before_envelope:
                self._offered.step = Step.MAIL

    def _read_early_reply(self, released: _Prepared, hooks: Hooks) -> None:
        """Read the reply of a relay that hung up during the content: it often says why (too large)."""
        try:
            reply = self._wire.reply(_EARLY_REPLY_SECONDS)
        except TransportError:
            return
        if reply.transient or reply.permanent or (reply.positive and self._dot_may_have_left(released)):
            self._answer_content(released, reply, hooks)

    def _read_content_reply(self, hooks: Hooks) -> None:
        """Read the reply to the content, which we wrote before the envelope of the next message."""
        if self._released is not None:
            reply = self._wire.reply(self._times.content)
            self.reply_seconds = time.monotonic() - self._written_at
            if not (reply.positive or reply.transient or reply.permanent):
                raise ProtocolError(f"the relay answered a message with: {reply}")
            self._answer_content(self._released, reply, hooks)
            _raise_if_closing(reply)
        elif self._dot_pending:
            _raise_if_closing(self._wire.reply(self._times.content))
            self._dot_pending = False

    def _answer_content(self, released: _Prepared, reply: Reply, hooks: Hooks) -> None:
        outcome = Outcome(Fate.REPLIED, Step.CONTENT, reply)
        self._released = None
        self._settle(released.id, outcome)
        hooks.after_content(released.id, outcome)

    def _read_envelope_replies(self, offered: _Prepared) -> None:
        """Read the replies to an envelope; without PIPELINING, write each command first."""
        refused_at: Step | None = None
        for step, command in offered.commands:
            if not self._extensions.pipelining:
                if refused_at is not None:
                    break
                self._wire.expect_silence()
                offered.step = step or Step.MAIL
                self._wire.write(command, self._times.block)
            if refused_at is None:
                offered.step = step or Step.MAIL
            reply = self._wire.reply(self._seconds(step))
            if step is None:
                _raise_if_closing(reply)
                if not reply.positive:
                    raise ProtocolError(f"the relay answered RSET with: {reply}")
                self._open_transaction = False
            elif reply.code == 354 and step is Step.DATA and refused_at is not None:
                if refused_at is Step.MAIL:
                    raise ProtocolError("the relay refused the sender and asks for the message")
                self._dot_pending = True  # RFC 2920, section 3.1
            elif refused_at is None and not _goes_on(step, reply):
                refused_at = step
                self._offered = None
                self._settle(offered.id, Outcome(Fate.REPLIED, step, reply))
                _raise_if_closing(reply)
            elif refused_at is None and step is Step.MAIL:
                self._open_transaction = True
            else:
                _raise_if_closing(reply)
        if refused_at is None:
            self._offered, self._accepted = None, offered

    def _seconds(self, step: Step | None) -> float:
        if step is Step.DATA:
            return self._times.data
        return self._times.rcpt if step is Step.RCPT else self._times.mail

    def _dot_may_have_left(self, released: _Prepared) -> bool:
        # Nothing else is written before the reply, so the last write is the one that began with the content.
        return self._wire.left > len(released.content)

    def _abandon(self, error: BaseException, hooks: Hooks) -> Exception | None:
        """Close, and give each message under way its outcome.

        Return the error to raise, or None if the relay or the network caused the end.
        """
        self.close()
        reason = str(error)
        self.error = error if isinstance(error, Exception) else None
        failure = None if isinstance(error, TransportError) else self.error
        self._source = None
        released, self._released = self._released, None
        if released is not None:
            fate = Fate.UNCERTAIN if self._dot_may_have_left(released) else Fate.UNSENT
            outcome = Outcome(fate, Step.CONTENT, reason=reason)
            self._settle(released.id, outcome)
            try:
                hooks.after_content(released.id, outcome)
            except Exception as another:
                failure = failure or another
        for message in (self._accepted, self._offered, self._ready):
            if message is not None:
                self._settle(message.id, Outcome(Fate.UNSENT, message.step, reason=reason))
        self._accepted = self._offered = self._ready = None
        self._dot_pending = False
        return failure


def _goes_on(step: Step, reply: Reply) -> bool:
    """Return whether the relay accepted `step`; raise ProtocolError for a code that is not valid there."""
    if reply.transient or reply.permanent:
        return False
    if reply.code == 354 if step is Step.DATA else reply.positive:
        return True
    raise ProtocolError(f"the relay answered {step.upper()} with: {reply}")


def _raise_if_closing(reply: Reply) -> None:
    """Raise ConnectionLost if the relay is about to close (421; RFC 5321, section 3.8)."""
    if reply.code == 421:
        raise ConnectionLost(f"the relay ends the conversation: {reply}")
