"""Try an address before it is a source: fetch it, find the feed that a page names, and read its items."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.errors import FeedUnreadable, FetchError, InputError
from newsletter.ingest.feeds.feed import Feed, Item
from newsletter.ingest.feeds.find import FoundFeed, find_feeds
from newsletter.ingest.feeds.isolated import IsolatedReader
from newsletter.ingest.retrieve import Retrieved, Retriever
from newsletter.ingest.sources.fetch import ACCEPT
from newsletter.ingest.sources.identity import each_once


@dataclass(frozen=True)
class Trial:
    """What would come in. `url` is the address of the feed, `asked` the one that was tried."""

    asked: str
    url: str
    title: str
    site_url: str
    kind: str
    items: tuple[Item, ...]
    # All feeds that the page names, if a page was tried.
    found: tuple[FoundFeed, ...] = ()


def try_address(retriever: Retriever, url: str) -> Trial:
    """Return what a feed has, or the first feed that a page names. Raises InputError with the reason."""
    url = url.strip()
    if "://" not in url:
        url = f"https://{url}"
    with _get(retriever, url) as answer, IsolatedReader() as reader:
        data = answer.read()
        content_type = answer.headers.get("content-type", "")[:200]
        try:
            return _trial(url, _final(answer), reader.read(data, content_type, answer.url))
        except FeedUnreadable as fault:
            found = find_feeds(data, content_type, answer.url) if b"<" in data[:4096] else ()
            if not found:
                raise InputError(str(fault)) from fault
        place = found[0].url
        with _get(retriever, place) as second:
            data = second.read()
            content_type = second.headers.get("content-type", "")[:200]
            try:
                feed = reader.read(data, content_type, second.url)
            except FeedUnreadable as fault:
                raise InputError(f"The page names {place}, but: {fault}") from fault
            return _trial(url, _final(second), feed, found)


def _final(answer: Retrieved) -> str:
    """Return where to fetch the feed from now on: a temporary redirect is not the feed's address."""
    return answer.moved_to or answer.asked


def _get(retriever: Retriever, url: str) -> Retrieved:
    try:
        answer = retriever.get(url, {"Accept": ACCEPT})
    except FetchError as fault:
        raise InputError(f"{fault.url[:200]} cannot be fetched: {fault.reason}.") from fault
    if answer.status != 200:
        answer.close()
        raise InputError(f"{url[:200]} answers with status {answer.status}.")
    return answer


def _trial(asked: str, url: str, feed: Feed, found: tuple[FoundFeed, ...] = ()) -> Trial:
    items, _ = each_once(feed.items)
    return Trial(asked, url, feed.title, feed.site_url, feed.kind, tuple(items), found)
