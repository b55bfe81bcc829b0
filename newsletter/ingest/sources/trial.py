"""Try an address before it is a source: a feed, a page that names one, or a page that lists releases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.errors import FeedUnreadable, FetchError, InputError
from newsletter.ingest.feeds.feed import Feed, Item
from newsletter.ingest.feeds.find import FoundFeed, find_feeds
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.charset import is_page
from newsletter.ingest.pages.link_rules import PAGE, check_rules
from newsletter.ingest.retrieve import Retrieved, Retriever
from newsletter.ingest.sources.identity import each_once
from newsletter.ingest.sources.listing import as_listed
from newsletter.ingest.sources.reading.fetch import ACCEPT
from newsletter.ingest.sources.reading.read_pages import PageReader
from newsletter.models import FullText, SourceKind

# An editor waits for a trial, so only the pages of the first releases are read.
PAGES_TRIED = 3


@dataclass(frozen=True)
class Trial:
    """What a source at this address would bring.

    `url` is the address of the feed, `asked` the one that was tried.
    """

    asked: str
    url: str
    title: str
    site_url: str
    kind: str
    items: tuple[Item, ...]
    # All feeds that the page names, if a page was tried.
    found: tuple[FoundFeed, ...] = ()
    # A sentence for each page of a list that could not be read.
    problems: tuple[str, ...] = ()

    @property
    def is_page(self) -> bool:
        """Whether it is a page with links, and not a feed."""
        return self.kind == PAGE


def try_address(retriever: Retriever, url: str) -> Trial:
    """Return what a feed has, or the first feed that a page names, or the releases that a page lists.

    Raises InputError with the reason.
    """
    url = _complete(url)
    with _get(retriever, url) as answer, IsolatedReader() as reader:
        data = answer.read()
        content_type = answer.headers.get("content-type", "")[:200]
        try:
            return _trial(url, _final(answer), reader.read(data, content_type, answer.url))
        except FeedUnreadable as fault:
            found = find_feeds(data, content_type, answer.url) if b"<" in data[:4096] else ()
            if not found and is_page(data):
                return _list_trial(retriever, reader, url, answer, "", "")
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


def try_page(retriever: Retriever, url: str, selector: str = "", pattern: str = "") -> Trial:
    """Return the releases that a page lists, although it may name a feed. Raises InputError."""
    selector, pattern = selector.strip(), pattern.strip()
    check_rules(selector, pattern)
    url = _complete(url)
    with _get(retriever, url) as answer, IsolatedReader() as reader:
        return _list_trial(retriever, reader, url, answer, selector, pattern)


def _list_trial(
    retriever: Retriever, reader: IsolatedReader, url: str, answer: Retrieved, selector: str, pattern: str
) -> Trial:
    """Return the links of a list, the first few with the texts of their pages."""
    content_type = answer.headers.get("content-type", "")[:200]
    feed = reader.read_list(answer.read(), content_type, answer.url, selector, pattern)
    if not feed.items:
        raise InputError(
            "No releases were found on this page, and it names no feed."
            " Say by a CSS selector or a URL pattern which links lead to releases."
        )
    listed = as_listed(each_once(feed.items)[0])
    pages = PageReader(retriever, reader, SourceKind.PAGE, FullText.AUTO)
    read = pages.read(listed[:PAGES_TRIED], {}, (), datetime.now(UTC), most=PAGES_TRIED)
    texts = {each.key: each.item for each in read.listed}
    items = tuple(texts.get(each.key, each.item) for each in listed)
    return Trial(
        url, _final(answer), feed.title, feed.site_url, feed.kind, items, problems=tuple(read.problems)
    )


def _complete(url: str) -> str:
    url = url.strip()
    return url if "://" in url else f"https://{url}"


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
