"""An SMTP sink that costs very little and can answer late, so that a benchmark measures the sender.

    python -m benchmarks.fast_sink PORT [--delay-ms MILLISECONDS] [--sample FILE]

It looks for the end of each content and does not parse what is inside. With `--delay-ms` it waits before each
group of replies. It does not read the connection meanwhile, like a relay that is busy writing to disk.

It prints `mesg=COUNT size=BYTES`, the last time when it is told to stop. BYTES counts the contents of all
messages. `--sample` writes the first message to a file.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

READ_BYTES = 1 << 18
END = b"\r\n.\r\n"
OFFERED = b"250-fast-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
REPLIES = {b"EHLO": OFFERED, b"DATA": b"354 go on\r\n", b"QUIT": b"221 2.0.0 bye\r\n"}
OK = b"250 2.0.0 ok\r\n"
COUNT_EVERY = 200


@dataclass(eq=False)
class Client:
    """One connection: received bytes that are not processed yet, and whether they are content."""

    socket: socket.socket
    waiting: bytes = b""
    in_content: bool = False
    passed: int = 0
    leaving: bool = False


@dataclass
class Sink:
    """The sink: counts messages, and accepts every command."""

    delay_seconds: float
    sample: Path | None
    messages: int = 0
    content_bytes: int = 0
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _late: list[tuple[float, int, Client, bytes]] = field(default_factory=list)
    _number: int = 0

    def serve(self, listener: socket.socket) -> None:
        """Serve until an exception, such as SystemExit from a signal handler."""
        self.selector.register(listener, selectors.EVENT_READ)
        while True:
            timeout = max(0.0, self._late[0][0] - time.monotonic()) if self._late else None
            for key, _ in self.selector.select(timeout):
                if key.data is None:
                    self._welcome(listener)
                else:
                    self._read(key.data)
            while self._late and self._late[0][0] <= time.monotonic():
                _, _, client, replies = heapq.heappop(self._late)
                self.selector.register(client.socket, selectors.EVENT_READ, client)
                self._answer(client, replies)

    def say(self) -> None:
        """Print the counters."""
        sys.stdout.write(f"mesg={self.messages} size={self.content_bytes}\n")
        sys.stdout.flush()

    def _welcome(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"220 fast-sink ESMTP\r\n")
        self.selector.register(connection, selectors.EVENT_READ, Client(connection))

    def _read(self, client: Client) -> None:
        try:
            came = client.socket.recv(READ_BYTES)
        except OSError:
            came = b""
        if not came:
            self._part(client)
            return
        client.waiting += came
        replies = self._replies(client)
        if not replies:
            return
        if self.delay_seconds:
            self.selector.unregister(client.socket)
            self._number += 1
            due = time.monotonic() + self.delay_seconds
            heapq.heappush(self._late, (due, self._number, client, replies))
        else:
            self._answer(client, replies)

    def _answer(self, client: Client, replies: bytes) -> None:
        with contextlib.suppress(OSError):
            client.socket.sendall(replies)
        if client.leaving:
            self._part(client)

    def _part(self, client: Client) -> None:
        self.selector.unregister(client.socket)
        client.socket.close()
        self.say()

    def _replies(self, client: Client) -> bytes:
        replies = []
        while True:
            if client.in_content:
                if not self._content_ends(client):
                    break
                replies.append(OK)
                continue
            line, found, rest = client.waiting.partition(b"\r\n")
            if not found:
                break
            verb = line[:4].upper()
            client.leaving = verb == b"QUIT"
            client.in_content = verb == b"DATA"
            # The line break of DATA is kept: an empty content ends with a dot right after it.
            client.waiting = b"\r\n" + rest if client.in_content else rest
            replies.append(REPLIES.get(verb, OK))
        return b"".join(replies)

    def _content_ends(self, client: Client) -> bool:
        at = client.waiting.find(END)
        if at < 0:
            keep = 0 if self.sample else max(0, len(client.waiting) - len(END) + 1)
            client.passed += keep
            client.waiting = client.waiting[keep:]
            return False
        if self.sample:
            self.sample.write_bytes(client.waiting[2 : at + 2])
            self.sample = None
        self.content_bytes += client.passed + at
        self.messages += 1
        client.waiting, client.passed, client.in_content = client.waiting[at + len(END) :], 0, False
        if self.messages % COUNT_EVERY == 0:
            self.say()
        return True


def main() -> None:
    """Read the command line and serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--sample", type=Path)
    words = parser.parse_args()
    sink = Sink(words.delay_ms / 1000, words.sample)

    def stop(*_: object) -> None:
        sink.say()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    with socket.create_server(("127.0.0.1", words.port), backlog=1024) as listener:
        sink.serve(listener)


if __name__ == "__main__":
    main()
