"""An HTTP client with many connections in one thread, for load tests.

It costs little, because it shares the machine with the server that it measures. Requests are prepared bytes,
and responses are read by their Content-Length.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.measure import BenchmarkFailed

LOOPBACK = "127.0.0.1"
# Nothing we measure takes this long. A request that does will never be answered.
PATIENCE_SECONDS = 60.0


@dataclass
class Load:
    """The result of some requests: the number of each status, the total time, and each one's milliseconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of responses."""
        return len(self.milliseconds)

    @property
    def rate(self) -> float:
        """Responses a second."""
        return self.count / self.seconds

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of the responses arrived."""
        return sorted(self.milliseconds)[min(self.count - 1, int(self.count * share))]


class _Line:
    """One connection with at most one open request. It connects again if the server has closed it."""

    def __init__(self, port: int, poll: select.epoll, lines: dict[int, _Line]) -> None:
        self._port, self._poll, self._lines = port, poll, lines
        self._socket: socket.socket | None = None
        self.sent_at = 0.0
        self.busy = False
        self._request = b""
        self._data = b""
        self._fresh = True

    def send(self, request: bytes) -> None:
        self._request, self._data, self.busy = request, b"", True
        self.sent_at = time.perf_counter()
        if self._socket is None:
            self._connect()
        assert self._socket is not None
        try:
            self._socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            self._again()

    def close(self) -> None:
        if self._socket is not None:
            self._poll.unregister(self._socket.fileno())
            del self._lines[self._socket.fileno()]
            self._socket.close()
            self._socket = None

    def read(self) -> int | None:
        """Read what is there; return the status once the response is complete."""
        assert self._socket is not None
        try:
            part = self._socket.recv(65536)
        except ConnectionResetError:
            part = b""
        if part:
            self._data += part
            return self._status()
        if not self.busy:
            self.close()
        elif self._data or self._fresh:
            raise BenchmarkFailed("the server hung up in the middle of an answer")
        else:
            self._again()  # the server closed the idle connection while the request was on its way
        return None

    def _again(self) -> None:
        self.close()
        self._connect()
        assert self._socket is not None
        self._socket.sendall(self._request)

    def _connect(self) -> None:
        self._socket = socket.create_connection((LOOPBACK, self._port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines[self._socket.fileno()] = self
        self._poll.register(self._socket.fileno(), select.EPOLLIN)
        self._fresh = True

    def _status(self) -> int | None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return None
        at = self._data.lower().find(b"\r\ncontent-length:", 0, end)
        length = int(self._data[at + 17 : self._data.index(b"\r\n", at + 2)]) if at >= 0 else 0
        if len(self._data) < end + 4 + length:
            return None
        self.busy = self._fresh = False
        return int(self._data[9:12])


def drive(port: int, requests: Iterator[bytes], *, connections: int, seconds: float | None = None) -> Load:
    """Send `requests` over `connections` connections, each the next one after a response.

    Ends when there are no more, or after `seconds`. Requests that are open then are still awaited.
    """
    load, poll, by_number = Load(), select.epoll(), {}
    waiting = deque(_Line(port, poll, by_number) for _ in range(connections))
    started = time.perf_counter()
    until = float("inf") if seconds is None else started + seconds
    under_way = 0
    while True:
        while waiting and time.perf_counter() < until:
            request = next(requests, None)
            if request is None:
                until = 0.0
                break
            waiting.popleft().send(request)
            under_way += 1
        if not under_way:
            break
        events = poll.poll(PATIENCE_SECONDS)
        if not events:
            raise BenchmarkFailed(f"{under_way} requests were not answered in {PATIENCE_SECONDS:.0f} s")
        for number, _ in events:
            line = by_number[number]
            status = line.read()
            if status is not None:
                load.milliseconds.append((time.perf_counter() - line.sent_at) * 1000)
                load.statuses[status] += 1
                under_way -= 1
                waiting.append(line)
    load.seconds = time.perf_counter() - started
    for line in waiting:
        line.close()
    return load
