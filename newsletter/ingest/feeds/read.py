"""Read a feed of any kind from its bytes. Pure.

Run it on documents from outside by `isolated_reader`, which bounds its time and memory.
"""

from __future__ import annotations

import re

from newsletter.errors import FeedUnreadable
from newsletter.ingest.feeds.feed import Feed
from newsletter.ingest.feeds.find import find_feeds
from newsletter.ingest.feeds.json_feed import read_json_feed
from newsletter.ingest.feeds.rss_atom import read_rss_atom

_HTML = re.compile(rb"\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def read_feed(data: bytes, content_type: str, url: str) -> Feed:
    """Return the feed in `data`, fetched from `url`. Raises FeedUnreadable with words for people."""
    start = data[:4096]
    for mark in _BOMS:
        start = start.removeprefix(mark)
    if not start.strip(b" \t\r\n\0"):
        raise FeedUnreadable("It is empty.")
    if start.lstrip()[:1] in {b"{", b"["}:
        return read_json_feed(data, url)
    if _HTML.match(start):
        found = find_feeds(data, content_type, url)
        more = f" It names a feed: {found[0].url}" if found else ""
        raise FeedUnreadable(f"It is a web page, not a feed.{more}")
    return read_rss_atom(data, content_type, url)
