"""Clients that send half a request and wait, and a small application, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
HALF_HEAD = _POST + b"Content-Le"
HALF_BODY = _POST + b"Content-Length: 1000\r\n\r\nemail=ada%40example.org"
HALF_CHUNK = _POST + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\nemail=ada%40"
NOTHING = b""
HALVES = (HALF_HEAD, HALF_BODY, HALF_CHUNK, NOTHING)


@contextmanager
def half_sent(port: int, count: int, parts: tuple[bytes, ...] = HALVES) -> Iterator[list[socket.socket]]:
    """Hold `count` connections open, each with one of `parts` sent, in turn."""
    held = []
    try:
        for number in range(count):
            each = socket.create_connection(("127.0.0.1", port), timeout=30)
            each.sendall(parts[number % len(parts)])
            held.append(each)
        yield held
    finally:
        for each in held:
            each.close()


def is_open(held: socket.socket) -> bool:
    """Return whether the server has neither answered nor closed."""
    held.setblocking(False)
    try:
        held.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def ask(port: int, request: bytes, timeout: float = 30.0) -> bytes:
    """Send bytes; return everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as line:
        line.sendall(request)
        answer = b""
        # A client that sends more than the server reads may get a connection reset after the response.
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(65536):
                answer += part
        return answer


def make_application() -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Return an application: /slow takes a second, /large is 3 MB, any other path returns the request."""
    running = threading.Semaphore(1000)

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path, body = environ["PATH_INFO"], environ["wsgi.input"].read()
        with running:
            if path == "/slow":
                time.sleep(1.0)
            said = [environ["REQUEST_METHOD"], path, environ["REMOTE_ADDR"], str(len(body))]
            said += [environ.get("HTTP_X_FORWARDED_FOR", "-"), environ["wsgi.url_scheme"]]
            answer = b"x" * 3_000_000 if path == "/large" else " ".join(said).encode()
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
        return [answer]

    return application
