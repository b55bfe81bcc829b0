"""The SMTP (RFC 5321) and LMTP (RFC 2033) server for mail to our own addresses.

A message is answered 250 after its request is committed, and 451 if that is not possible now. Until the 250,
the server that sends it keeps it and tries again.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope

from newsletter.bounces.classify import OwnAddresses
from newsletter.errors import LimitReached, ServiceError
from newsletter.runtime import Runtime
from newsletter.service.incoming.apply import LARGEST_MAIL_BYTES, own_addresses, take_in
from newsletter.settings import Listener, variable

MOST_CONNECTIONS = 64
# An SMTP server in front of us is one peer: Postfix opens 20 connections to a destination.
MOST_CONNECTIONS_OF_A_PEER = 24
MOST_RECIPIENTS = 50
# The longest wait for a command, and for one complete message.
PATIENCE_SECONDS = 60.0
# Commands of one connection, by kind. A server that has more to send connects again.
MOST_COMMANDS = {"*": 20, "MAIL": 1000, "RCPT": 2000, "DATA": 1000, "RSET": 1000, "NOOP": 50}
# Some programs send lines longer than the standard's 998 characters, which does no harm here.
LONGEST_LINE_BYTES = 64 * 1024
# Only the first part of a message is kept: its header, and what may be forwarded to the owner.
KEPT_BYTES = 512 * 1024
END_OF_MESSAGE = b"\r\n.\r\n"
STUFFED = b"\r\n.."
# The most bytes of commands between two messages.
MOST_COMMAND_BYTES = 1024 * 1024
# SQLite has one writer, and a connection pool has few connections.
WRITERS = 4

TOO_LARGE = "552 5.3.4 Message too large"
TOO_BUSY = b"421 4.3.2 Too many connections, try again later\r\n"

log = logging.getLogger(__name__)


class ConnectionLimit:
    """Counts the open connections, in total and for each peer, and enforces the limits."""

    def __init__(
        self, places: int = MOST_CONNECTIONS, places_of_a_peer: int = MOST_CONNECTIONS_OF_A_PEER
    ) -> None:
        self._places = places
        self._places_of_a_peer = places_of_a_peer
        self._peers: Counter[str] = Counter()

    def enter(self, peer: str) -> bool:
        """Count a connection of `peer` if the limits allow it; return whether they do."""
        if self._peers.total() >= self._places or self._peers[peer] >= self._places_of_a_peer:
            return False
        self._peers[peer] += 1
        return True

    def leave(self, peer: str) -> None:
        """Count a connection of `peer` as closed."""
        self._peers[peer] -= 1
        self._peers += Counter()  # drops peers without a connection


class _Guarded:
    """Limits that aiosmtpd does not have: the number of connections, the bytes of commands and of a message.

    A message that is too large is read to its end and thrown away. If the connection were closed earlier, the
    server that sends it would not get the reply, and would try for days.
    """

    transport: Any
    envelope: Any
    _reader: Any
    line_length_limit = LONGEST_LINE_BYTES

    def __init__(self, limit: ConnectionLimit, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limit = limit
        self._peer: str | None = None
        self._command_bytes = 0
        self._is_in_message = False
        self._is_too_large = False

    def connection_made(self, transport: Any) -> None:
        place = transport.get_extra_info("peername")
        peer = str(place[0]) if isinstance(place, tuple) else "local"
        if not self._limit.enter(peer):
            log.warning("event=intake_full")
            transport.write(TOO_BUSY)
            transport.close()
            return
        self._peer = peer
        super().connection_made(transport)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        if self._peer is None:
            return
        if not self._is_in_message:
            self._command_bytes += len(data)
        if self._command_bytes > MOST_COMMAND_BYTES:
            log.warning("event=intake_commands_too_long")
            self.transport.abort()
            return
        super().data_received(data)  # type: ignore[misc]

    def eof_received(self) -> bool | None:
        return None if self._peer is None else super().eof_received()  # type: ignore[misc]

    def connection_lost(self, fault: Exception | None) -> None:
        if self._peer is not None:
            self._limit.leave(self._peer)
            super().connection_lost(fault)  # type: ignore[misc]

    def pause_writing(self) -> None:
        if self._peer is not None:
            super().pause_writing()  # type: ignore[misc]

    def resume_writing(self) -> None:
        if self._peer is not None:
            super().resume_writing()  # type: ignore[misc]

    def _set_post_data_state(self) -> None:
        self._command_bytes = 0
        super()._set_post_data_state()  # type: ignore[misc]

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Receive a message and keep its first part. aiosmtpd would keep an object for each of its lines."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):  # type: ignore[attr-defined]
            return
        if not self.envelope.rcpt_tos:
            await self._say("503 Error: need RCPT command")
        elif arg:
            await self._say("501 Syntax: DATA")
        else:
            await self._say("354 End data with <CR><LF>.<CR><LF>")
            self._is_in_message = True
            try:
                self.envelope.original_content = await self._read_message()
            finally:
                self._is_in_message = self._is_too_large = False
            if self.envelope.original_content is None:
                log.warning("event=intake_message_too_large")
                status = TOO_LARGE
            else:
                status = await self._call_handler_hook("DATA")  # type: ignore[attr-defined]
            self._set_post_data_state()
            await self._say(status)

    def _timeout_cb(self) -> None:
        if self._is_too_large:
            log.warning("event=intake_message_too_large")
            self.transport.write(f"{TOO_LARGE}\r\n".encode() * self._count_replies())
        super()._timeout_cb()  # type: ignore[misc]

    def _count_replies(self) -> int:
        """Return how many replies the message gets that is being read."""
        return 1

    async def _say(self, status: Any) -> None:
        await self.push(status)  # type: ignore[attr-defined]

    async def _read_message(self) -> bytes | None:
        """Return the first part of a message without its stuffed dots; None if the message is too large.

        Stuffed dots are no part of the message (RFC 1870, section 3), so they do not count.
        """
        reader = self._reader
        # Put the line break of the DATA command back: a message can end with "." on its first line.
        reader._buffer[:0] = b"\r\n"
        kept, size, stuffed, ended, last = bytearray(), 0, 0, False, b""
        while not ended:
            try:
                part = await reader.readuntil(END_OF_MESSAGE)
                ended = True
            except asyncio.LimitOverrunError as more:
                part = await reader.read(more.consumed)
            size += len(part)
            stuffed += (last + part).count(STUFFED)
            last = (last + part)[1 - len(STUFFED) :]
            kept += part[: KEPT_BYTES - len(kept)]
            # The line break before the message and the final dot with its line break are not counted either.
            self._is_too_large = size - stuffed - len(END_OF_MESSAGE) > LARGEST_MAIL_BYTES
        if self._is_too_large:
            return None
        if size <= KEPT_BYTES:
            del kept[-3:]  # the final dot and its line break
        return bytes(kept).replace(STUFFED, b"\r\n.")[2:]


class GuardedSMTP(_Guarded, SMTP):
    """SMTP with limits."""


class GuardedLMTP(_Guarded, LMTP):
    """LMTP with limits: a message is answered once for each of its recipients (RFC 2033, 4.2)."""

    _owed = 0

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        self._owed = len(self.envelope.rcpt_tos) if self.envelope is not None else 0
        try:
            await super().smtp_DATA(arg)
        finally:
            self._owed = 0

    def _count_replies(self) -> int:
        return self._owed

    async def push(self, status: Any) -> None:
        # 354 asks for the message, and 501 and 503 reject the command: these replies are sent once.
        times = 1 if self._owed == 0 or str(status)[:3] in {"354", "501", "503"} else self._owed
        for _ in range(times):
            await super().push(status)


class IncomingMailHandler:
    """The handler that aiosmtpd calls for recipients, messages and errors."""

    def __init__(
        self, own: Callable[[], OwnAddresses], take: Callable[[bytes, list[str], str], object]
    ) -> None:
        self._own = own
        self._take = take
        self._writers = ThreadPoolExecutor(WRITERS, "intake")

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept recipients at our own addresses only: mail for others is never passed on."""
        # In a thread: about once a second it reads from the database whether a newsletter was edited.
        own = await asyncio.get_running_loop().run_in_executor(self._writers, self._own)
        if not own.takes(address):
            return "550 5.1.1 No such address here"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Process the message; answer after the commit, for all recipients or none."""
        raw, to, sender = envelope.original_content or b"", list(envelope.rcpt_tos), envelope.mail_from or ""
        try:
            await asyncio.get_running_loop().run_in_executor(self._writers, self._take, raw, to, sender)
        except LimitReached:
            # The reply is the same for everybody, so it shows nobody who is known here. Their servers try
            # again.
            log.warning("event=intake_limited")
            return "451 4.7.1 Too many messages, try again later"
        except Exception:
            # After any error the message must not be lost: the server that sent it keeps it and tries again.
            log.exception("event=mail_not_recorded bytes=%d", len(raw))
            return "451 4.3.0 Cannot do this now, try again later"
        return "250 2.0.0 Done"

    async def handle_exception(self, fault: Exception) -> str:
        """Answer a command that made aiosmtpd fail, without details."""
        log.warning("event=intake_connection_failed fault=%s", type(fault).__name__)
        return "451 4.3.0 Cannot read this"

    def close(self) -> None:
        """Wait for the messages that are being processed."""
        self._writers.shutdown()


def make_protocol(
    listener: Listener,
    handler: IncomingMailHandler,
    limit: ConnectionLimit,
    host_name: str,
    patience_seconds: float,
) -> asyncio.Protocol:
    """Return the protocol object of one connection."""
    kind = GuardedLMTP if listener.protocol == "lmtp" else GuardedSMTP
    protocol: asyncio.Protocol = kind(
        limit,
        handler,
        data_size_limit=LARGEST_MAIL_BYTES,
        enable_SMTPUTF8=True,
        hostname=host_name,
        ident="newsletter",
        timeout=patience_seconds,
        command_call_limit=MOST_COMMANDS,
    )
    return protocol


async def serve(
    runtime: Runtime,
    stop: asyncio.Event,
    listening: Callable[[], None] = lambda: None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Accept mail at every listener of the settings until `stop`, then finish the messages in progress.

    `listening` is called once all listeners are open. Raises ServiceError if one cannot be opened.
    """
    own = functools.partial(own_addresses, runtime)
    handler = IncomingMailHandler(own, functools.partial(take_in, runtime))
    limit, loop = ConnectionLimit(), asyncio.get_running_loop()
    async with AsyncExitStack() as servers:
        servers.callback(handler.close)
        for listener in runtime.settings.intake_listen:
            make = functools.partial(
                make_protocol, listener, handler, limit, runtime.settings.local_name, patience_seconds
            )
            try:
                server = await loop.create_server(make, listener.host, listener.port)
            except OSError as fault:
                place = f"{listener.host}:{listener.port}"
                raise ServiceError(
                    f"This host cannot listen on {place}: {fault.strerror or fault}."
                ) from fault
            servers.callback(server.close)
            log.info("event=intake_listening protocol=%s port=%d", listener.protocol, listener.port)
        listening()
        await stop.wait()


async def _until_told(runtime: Runtime) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(runtime, stop)


def run_mail_server(runtime: Runtime) -> None:
    """Serve in this process until SIGTERM or Ctrl-C. Raises ServiceError if the settings name no listener."""
    if not runtime.settings.intake_listen:
        raise ServiceError(
            f"Say where to listen in {variable('intake_listen')}, such as lmtp://127.0.0.1:8024."
        )
    # At its usual level, aiosmtpd logs every command with its addresses.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    asyncio.run(_until_told(runtime))
    runtime.engine.dispose()
