"""An HTTP server on loopback that answers with exactly the bytes that a test gives it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LINE_END = b"\r\n"


@dataclass(frozen=True)
class Asked:
    """One request: its path, and its headers with names in lower case."""

    path: str
    headers: Mapping[str, str]


Answer = bytes | Callable[[Asked], "bytes | Iterable[bytes]"]


def answer(
    body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None, *, length: bool = True
) -> bytes:
    """Return the bytes of an answer."""
    lines = [f"HTTP/1.1 {status} Because"]
    given = dict(headers or {})
    if length:
        given.setdefault("Content-Length", str(len(body)))
    lines += [f"{name}: {value}" for name, value in given.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class WebServer:
    """Answers each path with what `answers` has for it; keeps the requests in `asked`."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/") -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self, connection: socket.socket) -> None:
        """Answer one request and close the connection."""
        with connection, suppress(OSError):
            asked = _read(connection)
            self.asked.append(asked)
            found = self.answers.get(asked.path, answer(b"", 404))
            said = found(asked) if callable(found) else found
            for piece in [said] if isinstance(said, bytes) else said:
                if self.ended.is_set():
                    return
                connection.sendall(piece)

    def byte_by_byte(self, start: bytes, seconds: float = 0.2) -> Callable[[Asked], Iterator[bytes]]:
        """Return an answer that sends `start`, and then a space every `seconds` without an end."""

        def send(_asked: Asked) -> Iterator[bytes]:
            yield start
            while not self.ended.wait(seconds):
                yield b" "

        return send


def _read(connection: socket.socket) -> Asked:
    data = b""
    while LINE_END * 2 not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("the client left")
        data += piece
    first, *lines = data.split(LINE_END * 2)[0].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Asked(first.split(" ")[1], {name.strip().lower(): value.strip() for name, _, value in pairs})


@contextmanager
def serving(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[WebServer]:
    """Run a server until the block ends."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=512) as listener:
        server = WebServer(listener.getsockname()[1])

        def serve(connection: socket.socket) -> None:
            try:
                ready = tls.wrap_socket(connection, server_side=True) if tls else connection
            except OSError:
                connection.close()
                return
            server.serve(ready)

        def accept() -> None:
            while not server.ended.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
