"""A mailbox of the settings with what is needed to open it: certificates and access tokens."""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass

from newsletter.bounces.ways_in.wire import LineWire
from newsletter.errors import MailboxRefused, TransportError
from newsletter.settings import Mailbox, RelaySecurity
from newsletter.smtp.authentication.access_token import TokenCommand


@dataclass(frozen=True)
class Limits:
    """How long to wait for a server, and how much of a message to read.

    `answer_seconds` is for a whole answer, so that a server cannot block us by sending a byte at a time.
    `most_bytes` of a message are kept. A server may send up to `skipped_bytes` more, which we throw away.
    """

    connect_seconds: float = 20
    answer_seconds: float = 60
    message_seconds: float = 300
    most_bytes: int = 1024 * 1024
    skipped_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True)
class Account:
    """A mailbox, the certificates to trust instead of the system's, and the command for a token."""

    mailbox: Mailbox
    ca_file: str | None = None
    token_command: str | None = None
    limits: Limits = Limits()

    def connect(self) -> LineWire:
        """Return a connection, with TLS if it begins with that."""
        mailbox = self.mailbox
        wire = LineWire.connect(mailbox.host, mailbox.port, self.limits.connect_seconds)
        if mailbox.security is RelaySecurity.TLS:
            try:
                self.start_tls(wire)
            except BaseException:
                wire.close()
                raise
        return wire

    def start_tls(self, wire: LineWire) -> None:
        """Start TLS and check the certificate."""
        try:
            context = _tls_context(self.ca_file)
        except OSError as error:
            raise MailboxRefused(
                f"the certificates in {self.ca_file} cannot be read", "certificate"
            ) from error
        wire.start_tls(context, self.mailbox.host, self.limits.connect_seconds)

    def tokens(self) -> TokenCommand:
        """Return the source of access tokens. Raises MailboxRefused if there is no command."""
        if self.token_command is None:
            raise MailboxRefused("there is neither a password nor a command for a token", "sign-in")
        return TokenCommand.of_mailbox(self.token_command, self.mailbox.host, self.mailbox.username)

    def token(self) -> str:
        """Return an access token."""
        try:
            return self.tokens().token()
        except TransportError as error:
            raise MailboxRefused(str(error), "sign-in") from error


@functools.lru_cache(maxsize=16)
def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
