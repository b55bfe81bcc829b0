"""Read feeds and pages in a process of their own, so that none can hold up or fill the process that polls.

A parser may need minutes or gigabytes for a document that was made for it. The child process ends by itself
at its limits, and the next feed gets a new one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import date
from types import TracebackType
from typing import Any, Self

from newsletter.errors import FeedUnreadable, ReleaseUnreadable
from newsletter.ingest.feeds.feed import Feed, Item, feed_from_record, item_from_record

# The address space of the child process: Python and its libraries take about 70 MB of it.
MEMORY_BYTES = 240 * 1024 * 1024
# Of the processor's time for one feed, so that a busy machine refuses no feed.
SECONDS = 8.0
# Whatever else it waits for.
WAITED_SECONDS = 60.0
# The child needs no setting and no secret of this process.
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")


class IsolatedReader:
    """Reads one document after another in a child process. Threads wait for each other."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def read(self, data: bytes, content_type: str, url: str) -> Feed:
        """Return the feed in `data`. Raises FeedUnreadable, also when a limit was reached."""
        answer = self._ask(data, {"what": "feed", "content_type": content_type, "url": url})
        if "unreadable" in answer:
            raise FeedUnreadable(answer["unreadable"])
        return feed_from_record(answer["feed"])

    def read_page(self, data: bytes, content_type: str, url: str, today: date | None = None) -> Item:
        """Return the release on a page. Raises ReleaseUnreadable, also when a limit was reached."""
        day = today.isoformat() if today else ""
        answer = self._ask(data, {"what": "page", "content_type": content_type, "url": url, "today": day})
        if "unreadable" in answer:
            raise ReleaseUnreadable(url, answer["unreadable"])
        return item_from_record(answer["page"])

    def read_list(self, data: bytes, content_type: str, url: str, selector: str, pattern: str) -> Feed:
        """Return the releases that a page lists. Raises FeedUnreadable, also when a limit was reached."""
        rules = {"selector": selector, "pattern": pattern}
        answer = self._ask(data, {"what": "list", "content_type": content_type, "url": url, **rules})
        if "unreadable" in answer:
            raise FeedUnreadable(answer["unreadable"])
        return feed_from_record(answer["feed"])

    def _ask(self, data: bytes, request: dict[str, str]) -> dict[str, Any]:
        """Return what the child process answers. It has no answer if it reaches a limit."""
        head = json.dumps({**request, "size": len(data)}).encode()
        with self._lock:
            child = self._started()
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                child.stdin.write(head + b"\n" + data)
                child.stdin.flush()
                line = child.stdout.readline()
            except OSError:
                line = b""
            if not line.endswith(b"\n"):
                self._end()
                return {"unreadable": "Reading it takes too long or too much memory."}
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def pid(self) -> int | None:
        """The id of the child process, if one was started."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end()
            self._child = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [sys.executable, "-m", "newsletter.ingest.feeds.child", str(self._seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
        child.wait()
