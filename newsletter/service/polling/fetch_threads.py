"""Threads that fetch sources. They wait for servers, and return what came in a queue."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from newsletter.ingest.sources.lease import Claimed
from newsletter.ingest.sources.reading.fetch import Fetched
from newsletter.models import FetchOutcome

# A source and the result of its fetch.
Done = tuple[Claimed, Fetched]

log = logging.getLogger(__name__)


class FetchThreads:
    """Threads that fetch. They are daemons: a fetch that is under way never keeps the process alive."""

    def __init__(self, fetch: Callable[[Claimed], Fetched], count: int) -> None:
        self._fetch = fetch
        self._jobs: queue.SimpleQueue[Claimed | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._count = count
        self._threads: list[threading.Thread] = []
        self._running: dict[int, Claimed] = {}

    def __enter__(self) -> FetchThreads:
        return self

    def __exit__(self, *_: object) -> None:
        for _thread in self._threads:
            self._jobs.put(None)

    @property
    def running(self) -> int:
        """How many sources are being fetched."""
        return len(self._running)

    @property
    def slow(self) -> int:
        """How many of them were slow the last time."""
        return sum(each.is_slow for each in self._running.values())

    @property
    def claimed(self) -> list[Claimed]:
        """The sources that are being fetched."""
        return list(self._running.values())

    def start(self, sources: Sequence[Claimed]) -> None:
        """Fetch these sources."""
        for each in sources:
            self._running[each.id] = each
            self._jobs.put(each)
            if len(self._threads) < min(self._count, self.running):
                thread = threading.Thread(target=self._work, daemon=True)
                self._threads.append(thread)
                thread.start()

    def next(self, seconds: float, most: int) -> list[Done]:
        """Return up to `most` sources that were fetched. Wait for the first one for some time."""
        found: list[Done] = []
        try:
            found.append(self._done.get(timeout=seconds))
            while len(found) < most:
                found.append(self._done.get_nowait())
        except queue.Empty:
            pass
        for claimed, _ in found:
            self._running.pop(claimed.id, None)
        return found

    def _work(self) -> None:
        while (claimed := self._jobs.get()) is not None:
            try:
                fetched = self._fetch(claimed)
            except Exception as fault:
                log.exception("event=fetch_failed source=%s", claimed.public_id)
                fetched = Fetched(FetchOutcome.FAILED, f"Not fetched: {type(fault).__name__}.")
            self._done.put((claimed, fetched))
