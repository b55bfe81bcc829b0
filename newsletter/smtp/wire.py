"""A socket to a relay, plain or TLS: read whole replies, write bytes, count those that may have left."""

from __future__ import annotations

import select
import socket
import ssl
import time

from newsletter.errors import ConnectionLost, ProtocolError, TransportError
from newsletter.smtp.replies import Reply, ReplyReader

_RECEIVE_BYTES = 65536
_TLS_RECORD_BYTES = 16384


class Wire:
    """One TCP connection, plain or under TLS. Its errors are ConnectionLost and ProtocolError.

    `left` is how many bytes of the last `write` may have reached the relay. It is exact on a plain socket,
    where a failed send has sent nothing. Under TLS it may be too high, but never too low.
    """

    def __init__(self, sock: socket.socket) -> None:
        # Without this, the end of each message waits 40 ms for the relay's delayed ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._reader = ReplyReader()
        self.left = 0

    @classmethod
    def connect(cls, host: str, port: int, seconds: float) -> Wire:
        """Connect to the first address of `host` that answers. Raises TransportError."""
        try:
            return cls(socket.create_connection((host, port), timeout=seconds))
        except OSError as error:
            raise TransportError(f"{host}:{port} cannot be reached: {_words(error)}") from error

    @property
    def encrypted(self) -> bool:
        """Whether TLS is on."""
        return isinstance(self._socket, ssl.SSLSocket)

    def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Start TLS on this connection. Raises TransportError with the fault.

        Plain text after the reply to STARTTLS may come from an attacker on the network. We must not read it
        as if TLS had protected it (CVE-2021-38371 and similar).
        """
        if not self._reader.idle:
            raise ProtocolError("there is plain text after the answer to STARTTLS; it may not be the relay's")
        try:
            self._socket.settimeout(seconds)
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise TransportError(
                f"the certificate of {host} cannot be trusted: {error.verify_message}"
            ) from error
        except OSError as error:
            raise TransportError(f"TLS with {host} failed: {_words(error)}") from error

    def write(self, data: bytes, seconds: float) -> None:
        """Send all of `data`, waiting up to `seconds` for each piece."""
        self.left = 0
        sent, view = 0, memoryview(data)
        try:
            self._socket.settimeout(seconds)
            while sent < len(data):
                if self.encrypted:
                    # One TLS record at a time: if this send fails, the records after it have not left.
                    piece = view[sent : sent + _TLS_RECORD_BYTES]
                    self.left = sent + len(piece)
                    sent += self._socket.send(piece)
                else:
                    sent += self._socket.send(view[sent:])
                    self.left = sent
        except OSError as error:
            raise ConnectionLost(f"the connection broke while sending: {_words(error)}") from error

    def reply(self, seconds: float) -> Reply:
        """Return the next reply, waiting up to `seconds` for the whole of it."""
        reply = self._reader.take()
        if reply is None:
            deadline = time.monotonic() + seconds
            while reply is None:
                self._receive(deadline - time.monotonic(), seconds)
                reply = self._reader.take()
        return reply

    def expect_silence(self) -> None:
        """Raise if the relay sent anything that we did not ask for.

        It may announce that it closes (421), or its replies may be out of step with our commands. Then its
        next reply would be taken for another message.
        """
        if self._reader.idle:
            return
        reply = self._reader.take()
        if reply is not None and reply.code == 421:
            raise ConnectionLost(f"the relay ends the conversation: {reply}")
        raise ProtocolError(f"the relay said something unasked: {reply or 'part of a reply'}")

    def stale(self) -> bool:
        """Whether the relay has closed an idle connection: between messages it sends nothing but its end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close at once, without the TLS close message, which could flush bytes that must not leave."""
        self._socket.close()

    def _receive(self, remaining: float, seconds: float) -> None:
        if remaining <= 0:
            raise ConnectionLost(f"no answer in {seconds:g} s")
        try:
            self._socket.settimeout(remaining)
            data = self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError as error:
            raise ConnectionLost(f"no answer in {seconds:g} s") from error
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {_words(error)}") from error
        if not data:
            raise ConnectionLost("the relay closed the connection")
        self._reader.feed(data)


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
