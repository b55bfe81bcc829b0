"""A scripted relay on loopback: replies exactly as a test says, and records what it received."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from newsletter.settings import Relay, RelaySecurity
from newsletter.smtp.endpoint import Endpoint, Timeouts

LOOPBACK = "127.0.0.1"
EHLO = ("relay.test", "PIPELINING", "8BITMIME", "SIZE 1000000", "SMTPUTF8", "DSN")
QUICK = Timeouts(connect=2, greeting=2, sign_in=2, mail=2, rcpt=2, data=2, block=2, content=2, quit=1)


class Drop(Exception):
    """Close the connection now."""


@dataclass
class Transcript:
    """What the relay received on one connection."""

    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    partial: bytes = b""
    received: bytes = b""


@dataclass
class ScriptedRelay:
    """Replies as `answers` says, and accepts everything else.

    The keys of `answers` are commands: "MAIL", "RCPT <a@b>", "DATA", "EHLO", "greeting" and others, and "."
    for the end of a content. The values are lists. Each time the next item is used, and the last one is
    repeated. Text is sent as a reply, bytes are sent unchanged. "drop" closes the connection, "reset" closes
    it with RST, "stall" sends nothing. A callable is called with the session.
    """

    answers: dict[str, object] = field(default_factory=dict)
    ehlo: tuple[str, ...] = EHLO
    context: ssl.SSLContext | None = None
    implicit_tls: bool = False
    bytewise: bool = False
    drop_in_content_after: int | None = None
    delay: float = 0
    port: int = 0
    sessions: list[Transcript] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.answers = {k: list(v) if isinstance(v, list) else v for k, v in self.answers.items()}

    @property
    def contents(self) -> list[bytes]:
        return [content for transcript in self.sessions for content in transcript.contents]

    @property
    def commands(self) -> list[str]:
        return [command for transcript in self.sessions for command in transcript.commands]

    def endpoint(self, **changes: object) -> Endpoint:
        security = changes.pop("security", RelaySecurity.NONE)
        host = changes.pop("host", LOOPBACK)
        username, password = changes.pop("username", None), changes.pop("password", None)
        relay = Relay(host, self.port, security, username, password)
        return Endpoint(relay, **({"timeouts": QUICK, "local_name": "us.test"} | changes))

    def answer_to(self, *keys: str) -> object:
        with self.lock:
            for key in keys:
                if key in self.answers:
                    answer = self.answers[key]
                    if isinstance(answer, list):
                        return answer.pop(0) if len(answer) > 1 else answer[0]
                    return answer
        return None


class Session:
    def __init__(self, script: ScriptedRelay, sock: socket.socket) -> None:
        self.script = script
        self.socket = sock
        self.transcript = Transcript()
        self.buffer = b""
        with script.lock:
            script.sessions.append(self.transcript)

    def serve(self) -> None:
        with contextlib.suppress(Drop, OSError):
            if self.script.implicit_tls:
                self.start_tls()
            self.act("220 relay.test ESMTP", "greeting")
            while True:
                self.command(self.line())
        with contextlib.suppress(OSError):
            self.socket.close()

    def command(self, line: str) -> None:
        verb = line.partition(" ")[0].partition(":")[0].upper()
        self.transcript.commands.append(line)
        address = line.partition("<")[2].rpartition(">")[0]
        if verb == "EHLO":
            lines = self.script.ehlo
            default = "\r\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{x}" for i, x in enumerate(lines))
            self.act(default, "EHLO")
        elif verb == "DATA":
            if self.act("354 go on", "DATA").startswith("354"):
                self.content()
        elif verb == "QUIT":
            self.act("221 2.0.0 bye", "QUIT")
            raise Drop
        elif verb == "STARTTLS":
            answer = self.act("220 2.0.0 ready", "STARTTLS")
            if answer.startswith("220"):
                self.start_tls()
        else:
            self.act("250 2.0.0 ok", f"{verb} <{address}>", verb)

    def content(self) -> None:
        data = b""
        limit = self.script.drop_in_content_after
        while True:
            if limit is not None and len(data) >= limit:
                self.transcript.partial = data
                self.reset()
            line = self.line(raw=True)
            if line == b".\r\n":
                break
            data += line
            self.transcript.partial = data
        self.transcript.contents.append(data)
        self.transcript.partial = b""
        self.act("250 2.0.0 queued", ".")

    def act(self, default: str, *keys: str) -> str:
        answer = self.script.answer_to(*keys)
        if answer is None:
            answer = default
        if callable(answer):
            answer = answer(self)
        if answer == "drop":
            raise Drop
        if answer == "reset":
            self.reset()
        if answer == "stall":
            self.script.gone.wait(20)
            raise Drop
        if self.script.delay:
            self.script.gone.wait(self.script.delay)
        data = answer if isinstance(answer, bytes) else f"{answer}\r\n".encode()
        if self.script.bytewise:
            for i in range(len(data)):
                self.socket.sendall(data[i : i + 1])
        else:
            self.socket.sendall(data)
        if data.startswith(b"421"):
            raise Drop
        return data.decode("latin-1")

    def reset(self) -> None:
        """Close with RST, so that unread bytes are lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        raise Drop

    def line(self, raw: bool = False):
        while b"\r\n" not in self.buffer:
            data = self.socket.recv(65536 if self.script.drop_in_content_after is None else 512)
            if not data:
                raise Drop
            self.transcript.received += data
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line + b"\r\n" if raw else line.decode("utf-8")

    def start_tls(self) -> None:
        if self.script.context is None:
            raise Drop
        self.socket = self.script.context.wrap_socket(self.socket, server_side=True)

    def waiting_bytes(self) -> bool:
        """Whether more bytes have arrived than were read, because they came in the same write."""
        return bool(self.buffer) or bool(select.select([self.socket], [], [], 0)[0])


@contextlib.contextmanager
def scripted_relay(**options: object) -> Iterator[ScriptedRelay]:
    script = ScriptedRelay(**options)
    threads: list[threading.Thread] = []
    with socket.create_server((LOOPBACK, 0), backlog=64) as server:
        script.port = server.getsockname()[1]

        def listen() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                if script.gone.is_set():
                    sock.close()
                    return
                sock.settimeout(20)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=Session(script, sock).serve, daemon=True)
                threads.append(thread)
                thread.start()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield script
        finally:
            script.gone.set()
            with contextlib.suppress(OSError):
                socket.create_connection((LOOPBACK, script.port), timeout=1).close()
            listener.join(5)


Action = Callable[[Session], object]
