"""An SMTP server on loopback that stores messages and rejects what a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from servers.processes import LOOPBACK, ServerFailed, free_port


@dataclass(frozen=True)
class ReceivedMail:
    """One accepted message with its envelope. `raw` is the content after DATA, dot-unstuffed, with CRLF."""

    mail_from: str
    rcpt_tos: tuple[str, ...]
    raw: bytes
    mail_options: tuple[str, ...] = ()

    @property
    def message(self) -> EmailMessage:
        """The message, parsed with the modern policy (`.get_body()`, decoded headers)."""
        return message_from_bytes(self.raw, policy=policy.default)

    def part(self, subtype: str) -> str:
        """Return the decoded text of the body's `subtype` part: "plain" or "html"."""
        body = self.message.get_body(preferencelist=(subtype,))
        assert body is not None, f"no text/{subtype} part in {self.message['Subject']!r}"
        content: str = body.get_content()
        return content


@dataclass
class SMTPSink:
    """The server as a test uses it.

    `refuse` maps a recipient to the reply it gets instead of 250. A list of replies is used one after the
    other; after the last, the recipient is accepted. `refuse_data` does the same for whole messages, in
    order.
    """

    host: str = LOOPBACK
    port: int = 0
    refuse: dict[str, str | list[str]] = field(default_factory=dict)
    refuse_data: list[str] = field(default_factory=list)
    # While a recipient is in this set, its RCPT command or its message is not answered.
    slow_rcpt: set[str] = field(default_factory=set)
    slow_data: set[str] = field(default_factory=set)
    _mails: list[ReceivedMail] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """`smtp://host:port`."""
        return f"smtp://{self.host}:{self.port}"

    @property
    def mails(self) -> list[ReceivedMail]:
        """The messages accepted so far, in order."""
        with self._news:
            return list(self._mails)

    def to(self, address: str) -> list[ReceivedMail]:
        """Return the messages accepted for `address` so far."""
        return [mail for mail in self.mails if address in mail.rcpt_tos]

    def wait_for(self, count: int, timeout: float = 10) -> list[ReceivedMail]:
        """Return all messages once there are `count` of them; fail if they do not arrive in time."""
        with self._news:
            arrived = self._news.wait_for(lambda: len(self._mails) >= count, timeout)
            subjects = [str(mail.message["Subject"]) for mail in self._mails]
            assert arrived, f"waited {timeout} s for {count} mails, got {len(subjects)}: {subjects}"
            return list(self._mails)

    def clear(self) -> None:
        """Delete the messages received so far."""
        with self._news:
            self._mails.clear()

    # aiosmtpd calls the methods below, in the server's thread.

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, rcpt_options: list[str]
    ) -> str:
        """Answer one RCPT TO."""
        while address in self.slow_rcpt:
            await asyncio.sleep(0.01)
        reply = self.refuse.get(address)
        if isinstance(reply, list):
            reply = reply.pop(0) if reply else None
        if reply is not None:
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep one message, or refuse it."""
        while not self.slow_data.isdisjoint(envelope.rcpt_tos):
            await asyncio.sleep(0.01)
        if self.refuse_data:
            return self.refuse_data.pop(0)
        mail = ReceivedMail(
            mail_from=envelope.mail_from,
            rcpt_tos=tuple(envelope.rcpt_tos),
            raw=bytes(envelope.original_content),
            mail_options=tuple(envelope.mail_options),
        )
        with self._news:
            self._mails.append(mail)
            self._news.notify_all()
        return "250 2.0.0 accepted"


@contextlib.contextmanager
def run_smtp_sink(**options: Any) -> Iterator[SMTPSink]:
    """Run a new sink until the block ends; `options` go to aiosmtpd's SMTP class."""
    sink = SMTPSink()
    settings: dict[str, Any] = {
        "enable_SMTPUTF8": True,
        "hostname": LOOPBACK,
        "server_hostname": "sink.test",
    } | options
    for _ in range(5):
        sink.port = free_port()
        controller = Controller(sink, port=sink.port, **settings)
        try:
            controller.start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue  # another process took the port between the look and the bind
        break
    else:
        raise ServerFailed("found no free port for the SMTP sink")
    try:
        yield sink
    finally:
        controller.stop()
