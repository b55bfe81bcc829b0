"""A connection to a mailbox server: read lines and blocks of bytes, within limits of time and memory.

imaplib and poplib trust the server: they read a block of any announced size, any number of lines, and wait
again for each byte. Here, every answer has a deadline and a maximum number of bytes.
"""

from __future__ import annotations

import select
import socket
import ssl
import time

from newsletter.errors import MailboxError, MailboxRefused

_RECEIVE_BYTES = 64 * 1024
# The list of the messages of a folder comes in one line.
LONGEST_LINE_BYTES = 1024 * 1024
_END = b"\r\n.\r\n"


class LineWire:
    """One TCP connection, plain or under TLS. Raises MailboxError for everything that goes wrong."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._buffer = bytearray()
        self._deadline = 0.0
        self._left_bytes = 0

    @classmethod
    def connect(cls, host: str, port: int, seconds: float) -> LineWire:
        """Connect to the first address of `host` that answers."""
        try:
            return cls(socket.create_connection((host, port), timeout=seconds))
        except OSError as error:
            raise MailboxError(f"{host}:{port} cannot be reached: {_words(error)}") from error

    def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Start TLS. Plain text that came before it may be an attacker's, so it is an error."""
        if self._buffer:
            raise MailboxError("there is plain text after the answer to STARTTLS")
        try:
            self._socket.settimeout(seconds)
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            words = f"the certificate of {host} cannot be trusted: {error.verify_message}"
            raise MailboxRefused(words, "certificate") from error
        except OSError as error:
            raise MailboxError(f"TLS with {host} failed: {_words(error)}") from error

    def begin(self, seconds: float, most_bytes: int) -> None:
        """Set the limits of everything that is read until the next call."""
        self._deadline = time.monotonic() + seconds
        self._left_bytes = most_bytes

    def write(self, data: bytes, seconds: float) -> None:
        """Send all of `data`."""
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(data)
        except OSError as error:
            raise MailboxError(f"the connection broke while sending: {_words(error)}") from error

    def line(self) -> bytes:
        """Return the next line without its line break."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LONGEST_LINE_BYTES:
                raise MailboxError("the server sent a line without an end")
            self._receive()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return found.removesuffix(b"\r")

    def block(self, size: int, keep: int) -> bytes:
        """Read a block of `size` bytes; return at most its first `keep` bytes."""
        kept = bytearray()
        while size > 0:
            if not self._buffer:
                self._receive()
            part = self._buffer[:size]
            kept += part[: keep - len(kept)]
            size -= len(part)
            del self._buffer[: len(part)]
        return bytes(kept)

    def until_dot(self, keep: int) -> bytes:
        """Read up to the line with a single dot (RFC 1939, section 3); return at most `keep` bytes."""
        kept = bytearray()
        self._buffer[:0] = b"\r\n"  # a message can end with "." on its first line
        while (end := self._buffer.find(_END)) < 0:
            if (spare := len(self._buffer) - len(_END)) > 0:
                kept += self._buffer[: min(spare, keep + 2 - len(kept))]
                del self._buffer[:spare]
            self._receive()
        kept += self._buffer[: min(end + 2, keep + 2 - len(kept))]
        del self._buffer[: end + len(_END)]
        return bytes(kept).replace(b"\r\n..", b"\r\n.")[2:]

    def has_more(self, seconds: float) -> bool:
        """Wait up to `seconds` for the server to send something; return whether it did."""
        if self._buffer or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Close at once."""
        self._socket.close()

    def _receive(self) -> None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise MailboxError("the server did not answer in time")
        try:
            self._socket.settimeout(remaining)
            data = self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError as error:
            raise MailboxError("the server did not answer in time") from error
        except OSError as error:
            raise MailboxError(f"the connection broke: {_words(error)}") from error
        if not data:
            raise MailboxError("the server closed the connection")
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise MailboxError("the server sent more than was asked for")
        self._buffer += data


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
