"""A relay that keeps a ledger: recipients of accepted messages in order, and connections that broke."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

END = b"\r\n.\r\n"
EHLO = b"250-ledger.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


@dataclass(eq=False)
class _Client:
    socket: socket.socket
    waiting: bytes = b""
    recipient: str = ""
    in_content: bool = False
    left: bool = False


@dataclass
class Ledger:
    """A relay in a thread of the test, so that it stays when processes are killed.

    A recipient is entered when the message's last byte is read, before the 250 is written. So if a recipient
    is missing, the relay never accepted the message. If a recipient is there twice, they got it twice.
    """

    port: int = 0
    taken: list[str] = field(default_factory=list)
    connections: int = 0
    # Connections that ended without QUIT, as those of a killed process do.
    cut: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.taken)

    def serve(self, selector: selectors.BaseSelector, stop: threading.Event) -> None:
        while not stop.is_set():
            for key, _ in selector.select(0.1):
                if key.data is None:
                    sock, _ = key.fileobj.accept()
                    self.connections += 1
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    sock.sendall(b"220 ledger.test\r\n")
                    selector.register(sock, selectors.EVENT_READ, _Client(sock))
                elif not self._read(key.data):
                    selector.unregister(key.data.socket)
                    key.data.socket.close()
                    self.cut += not key.data.left

    def _read(self, client: _Client) -> bool:
        """Read what arrived and reply; return whether the client is still connected."""
        try:
            data = client.socket.recv(1 << 18)
            if not data:
                return False
            client.waiting += data
            replies = b"".join(self._replies(client))
            if replies:
                client.socket.sendall(replies)
        except OSError:
            return False
        return not client.left

    def _replies(self, client: _Client) -> Iterator[bytes]:
        while True:
            content, found, rest = client.waiting.partition(END if client.in_content else b"\r\n")
            if not found:
                return
            client.waiting = rest
            if client.in_content:
                client.in_content = False
                self.taken.append(client.recipient)
                yield b"250 2.0.0 entered\r\n"
                continue
            verb = content[:4].upper()
            if verb == b"RCPT":
                client.recipient = content.partition(b"<")[2].partition(b">")[0].decode()
            client.in_content = verb == b"DATA"
            client.left = verb == b"QUIT"
            yield {b"EHLO": EHLO, b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n")


@contextlib.contextmanager
def keep_ledger(port: int = 0) -> Iterator[Ledger]:
    """Run a relay on this port, or a free one, until the block ends."""
    with socket.create_server(("127.0.0.1", port), backlog=128) as server:
        ledger = Ledger(server.getsockname()[1])
        selector, stop = selectors.DefaultSelector(), threading.Event()
        selector.register(server, selectors.EVENT_READ)
        thread = threading.Thread(target=ledger.serve, args=(selector, stop), daemon=True)
        thread.start()
        try:
            yield ledger
        finally:
            stop.set()
            thread.join(5)
            for key in list(selector.get_map().values()):
                key.fileobj.close()
            selector.close()
