"""The gunicorn worker class of the web server: gunicorn runs the processes, waitress reads the requests.

A thread gets a request once it is complete, so it never waits for a client. One loop holds half-sent requests
and half-read responses, and closes those that take too long (docs/decisions/0008).
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import resource
import time
import weakref
from types import FrameType
from typing import Any, ClassVar

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

# Our own limit for a form is half of this. A form over that limit gets an error page.
MOST_BODY_BYTES = 128 * 1024
# A form with an image has more. Few are accepted at the same time, each in a temporary file, because a server
# reads a body before it knows who sends it.
MOST_UPLOAD_BYTES = 11 * 1024 * 1024
MOST_UPLOADS = 4
# Providers post their reports in batches (web/webhooks). The application's limit is a little lower.
WEBHOOKS = "/webhooks/"
MOST_WEBHOOK_BYTES = 1024 * 1024 + 1024
MOST_WEBHOOK_CALLS = 32
MOST_HEAD_BYTES = 32 * 1024
# For one process. At this limit, the oldest half-sent request is closed to accept the next connection.
MOST_CONNECTIONS = 1000
# Open files for listening sockets, the database and stored responses.
OTHER_FILES = 200

HEAD_SECONDS = 15.0
BODY_SECONDS = 30.0
UPLOAD_SECONDS = 120.0
# For a client that does not read its response.
STALLED_SECONDS = 30.0
IDLE_SECONDS = 60.0
# How long an ending process waits for a request that a client may be sending on a kept connection.
LINGER_SECONDS = 1.0
_WITH_IMAGE = re.compile(r"/admin/releases/(?:new|preview|[A-Za-z0-9_-]{1,40}/edit)$")


def sends_too_long(seconds: float, *, head_read: bool, is_upload: bool = False) -> bool:
    """Return whether a request that began this long ago is given up. Slow bytes do not prolong it."""
    if is_upload:
        return seconds > UPLOAD_SECONDS
    return seconds > (BODY_SECONDS if head_read else HEAD_SECONDS)


def waits_too_long(seconds: float, *, stalled: bool) -> bool:
    """Return whether a connection is closed after this time without traffic.

    It is `stalled` if the client has not read its response.
    """
    return seconds > (STALLED_SECONDS if stalled else IDLE_SECONDS)


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Reads a request. Some may have a large body, if few others have one at this moment.

    These are forms of a release, and calls of webhooks.
    """

    adj: Adjustments
    is_upload = False
    # Those that are being received or answered.
    _uploads: ClassVar[weakref.WeakSet[Parser]] = weakref.WeakSet()
    _webhook_calls: ClassVar[weakref.WeakSet[Parser]] = weakref.WeakSet()

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head. It says whether the body may be large."""
        super().parse_header(header_plus)
        is_large = MOST_BODY_BYTES <= self.content_length < MOST_UPLOAD_BYTES
        # A person who is signed in has a cookie. The application checks it when it has the whole request.
        is_upload = is_large and takes_upload(self.command, self.path) and "COOKIE" in self.headers
        if is_upload and len(self._uploads) < MOST_UPLOADS:
            self._uploads.add(self)
            self.is_upload = True
            self.adj = _with_body(self.adj, MOST_UPLOAD_BYTES)
        is_call = (is_large or self.chunked) and self.path.startswith(WEBHOOKS)
        if is_call and len(self._webhook_calls) < MOST_WEBHOOK_CALLS:
            self._webhook_calls.add(self)
            self.adj = _with_body(self.adj, MOST_WEBHOOK_BYTES)


def takes_upload(command: str, path: str) -> bool:
    """Return whether this is the address of a form with an image."""
    return command == "POST" and _WITH_IMAGE.search(path) is not None


def _with_body(adjustments: Adjustments, most_bytes: int) -> Adjustments:
    """Return the same limits, with another one for the body."""
    made = copy.copy(adjustments)
    made.max_request_body_size = most_bytes
    return made


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection, with the time at which its current request began."""

    parser_class = Parser
    began_at: float | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.active_at = time.monotonic()

    def received(self, data: bytes) -> bool:
        """Process received bytes. waitress passes a request to a thread once it is complete."""
        before = self.request
        taken = bool(super().received(data))
        self.active_at = time.monotonic()
        if self.request is None:
            self.began_at = None
        elif self.request is not before:
            self.began_at = self.active_at
        return taken

    def handle_write(self) -> None:
        """Send what the socket accepts."""
        before = self.total_outbufs_len
        super().handle_write()
        if self.total_outbufs_len < before:
            self.active_at = time.monotonic()

    @property
    def works(self) -> bool:
        """Whether a thread has, or will get, a request of this connection."""
        return bool(self.requests)

    def is_overdue(self, now: float) -> bool:
        """Return whether the client has taken too long to send a request or to read a response."""
        if self.works:
            return False
        if self.request is None or self.began_at is None:
            return waits_too_long(now - self.active_at, stalled=bool(self.total_outbufs_len))
        return sends_too_long(
            now - self.began_at, head_read=self.request.headers_finished, is_upload=self.request.is_upload
        )


class Server(TcpWSGIServer):  # type: ignore[misc]
    """One listening socket and its connections."""

    channel_class = Channel

    def __init__(self, *arguments: Any, most_connections: int, **options: Any) -> None:
        self._most_connections = most_connections
        super().__init__(*arguments, **options)

    def maintenance(self, _now: float) -> None:
        """Close the overdue connections. waitress calls this about once a second."""
        now = time.monotonic()
        for channel in list(self.active_channels.values()):
            if channel.is_overdue(now):
                channel.handle_close()

    def handle_accept(self) -> None:
        """Accept a connection. If there are too many, first close one that no thread works for."""
        if len(self.active_channels) >= self._most_connections:
            self._make_room()
        super().handle_accept()

    def _make_room(self) -> None:
        waiting = [each for each in self.active_channels.values() if not each.works]
        if waiting:
            # Close the oldest half-sent request. If there is none, close the oldest idle connection.
            oldest = min(waiting, key=lambda each: (each.request is None, each.began_at or each.active_at))
            oldest.handle_close()

    def stop_listening(self) -> None:
        """Accept no new connections. Open ones continue."""
        self.del_channel()
        self.socket.close()


class WebWorker(Worker):  # type: ignore[misc]
    """A gunicorn process whose connections waitress handles."""

    def run(self) -> None:
        """Serve until told to stop, then until the running requests are answered."""
        self._map: dict[int, Any] = {}
        most = _room_for_connections()
        adjustments = Adjustments(
            threads=self.cfg.threads,
            ident="",
            clear_untrusted_proxy_headers=False,  # web/http/security.py reads those of trusted proxies
            connection_limit=most * 2,  # never reached: the server closes a connection before
            cleanup_interval=1,
            max_request_header_size=MOST_HEAD_BYTES,
            max_request_body_size=MOST_BODY_BYTES,
            inbuf_overflow=MOST_BODY_BYTES * 2,  # keeps forms in memory, not in temporary files
            log_socket_errors=False,
        )
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(self.cfg.threads)
        dispatcher.queue_logger.setLevel("ERROR")  # it logs each request that waits for a thread
        self._servers = [
            Server(
                self.wsgi,
                self._map,
                True,
                listener.sock,
                most_connections=most,
                dispatcher=dispatcher,
                adj=adjustments,
                sockinfo=(listener.sock.family, listener.sock.type, listener.sock.proto, None),
                bind_socket=False,
            )
            for listener in self.sockets
        ]
        while self.alive and self.ppid == os.getppid():
            self._turn()
        self._finish()
        dispatcher.shutdown(timeout=0)

    def _turn(self) -> None:
        self.notify()
        wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)

    def _finish(self) -> None:
        for server in self._servers:
            server.stop_listening()
        now = time.monotonic()
        linger, deadline = now + LINGER_SECONDS, now + float(self.cfg.graceful_timeout)
        while (now := time.monotonic()) < deadline:
            channels = [each for server in self._servers for each in server.active_channels.values()]
            busy = any(each.works or each.total_outbufs_len for each in channels)
            if not busy and (not channels or now > linger):
                break
            self.notify()
            wasyncore.loop(timeout=0.1, use_poll=True, map=self._map, count=1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to end, and wake the loop, which may be waiting."""
        super().handle_exit(sig, frame)
        for server in getattr(self, "_servers", ()):
            server.pull_trigger()


def _room_for_connections() -> int:
    """Return how many connections this process can have, after raising its limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS * 2 + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(50, min(MOST_CONNECTIONS, soft - OTHER_FILES))
