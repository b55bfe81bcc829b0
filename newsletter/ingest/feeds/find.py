"""Find the feeds that a web page names in its head (autodiscovery). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

from newsletter.ingest.html.to_text import one_line
from newsletter.ingest.pages.charset import decode_page
from newsletter.mail.clean_html import absolute

KINDS = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/feed+json", "application/json"}
)
MOST = 20
# Feeds are named in the head, so the rest of a large page is not read.
READ_BYTES = 512 * 1024


@dataclass(frozen=True)
class FoundFeed:
    """A feed that a page names."""

    url: str
    title: str
    kind: str


def find_feeds(data: bytes, content_type: str, url: str) -> tuple[FoundFeed, ...]:
    """Return the feeds that a page names, in its order, at most 20."""
    reader = _Links(url)
    reader.feed(decode_page(data[:READ_BYTES], content_type))
    return tuple(dict.fromkeys(reader.found))[:MOST]


class _Links(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = url
        self.found: list[FoundFeed] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base" and given.get("href"):
            self._base = absolute(given["href"], self._base) or self._base
        if tag != "link" or "alternate" not in given.get("rel", "").lower().split():
            return
        kind = given.get("type", "").partition(";")[0].strip().lower()
        place = absolute(given.get("href", ""), self._base)
        # WordPress names its REST API with application/json, which is no feed.
        if kind in KINDS and place and "/wp-json/" not in place:
            self.found.append(FoundFeed(place, one_line(given.get("title", ""))[:200], kind))
