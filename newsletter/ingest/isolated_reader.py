"""Read feeds and pages in a process of their own, so that none can hold up or fill the process that polls."""

from __future__ import annotations

from datetime import date

from newsletter.errors import FeedUnreadable, ReleaseUnreadable
from newsletter.ingest.feeds.feed import Feed, Item, feed_from_record, item_from_record
from newsletter.isolation.process import SECONDS, IsolatedProcess, ProcessOwner


class IsolatedReader(ProcessOwner):
    """Reads documents in a child process, for one thread at a time."""

    def __init__(self, seconds: float = SECONDS) -> None:
        super().__init__(IsolatedProcess("newsletter.ingest.read_document", seconds))

    def read(self, data: bytes, content_type: str, url: str) -> Feed:
        """Return the feed in `data`. Raises FeedUnreadable, also when a limit was reached."""
        return self._read_feed(data, {"what": "feed", "content_type": content_type, "url": url})

    def read_page(self, data: bytes, content_type: str, url: str, today: date | None = None) -> Item:
        """Return the release on a page. Raises ReleaseUnreadable, also when a limit was reached."""
        day = today.isoformat() if today else ""
        answer = self._process.ask(
            data, {"what": "page", "content_type": content_type, "url": url, "today": day}
        )
        if answer.unreadable:
            raise ReleaseUnreadable(url, answer.unreadable)
        return item_from_record(answer.facts)

    def read_list(self, data: bytes, content_type: str, url: str, selector: str, pattern: str) -> Feed:
        """Return the releases that a page lists. Raises FeedUnreadable, also when a limit was reached."""
        rules = {"selector": selector, "pattern": pattern}
        return self._read_feed(data, {"what": "list", "content_type": content_type, "url": url, **rules})

    def _read_feed(self, data: bytes, request: dict[str, str]) -> Feed:
        answer = self._process.ask(data, request)
        if answer.unreadable:
            raise FeedUnreadable(answer.unreadable)
        return feed_from_record(answer.facts)
