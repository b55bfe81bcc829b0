"""Fetch one source, and read its document and the pages of its items. It waits for servers, in a thread."""

from __future__ import annotations

import time

from newsletter.errors import FeedUnreadable
from newsletter.images.encoder import ImageEncoder
from newsletter.ingest.feeds.feed import Feed
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.identity import each_once
from newsletter.ingest.sources.lease import Claimed
from newsletter.ingest.sources.listing import as_listed, waiting_keys
from newsletter.ingest.sources.reading.fetch import Fetched, fetch_feed
from newsletter.ingest.sources.reading.known_pages import load_pages, needs_page
from newsletter.ingest.sources.reading.read_images import ImageReader, known_images
from newsletter.ingest.sources.reading.read_pages import PageReader, PagesRead
from newsletter.models import FetchOutcome, SourceKind
from newsletter.runtime import Runtime

# Problems with pages that the history names.
_NAMED = 2


def read_source(
    runtime: Runtime,
    retriever: Retriever,
    reader: IsolatedReader,
    pages: IsolatedReader,
    encoder: ImageEncoder | None,
    claimed: Claimed,
) -> Fetched:
    """Return the result of a fetch. If it is READ, `feed` and `read` have its items; a folder has neither.

    `pages` reads pages in a process of their own, so that one that takes long does not hold up feeds.
    Without an `encoder`, no images are fetched.
    """
    if claimed.kind is SourceKind.FOLDER:
        return Fetched(FetchOutcome.READ)
    fetched = fetch_feed(retriever, claimed.request, runtime.now())
    if fetched.outcome is FetchOutcome.READ:
        try:
            fetched.feed = _read_document(reader, fetched, claimed)
        except FeedUnreadable as fault:
            fetched.outcome, fetched.message = FetchOutcome.UNREADABLE, str(fault)
        else:
            page_reader = PageReader(retriever, pages, claimed.kind, claimed.full_text)
            _read_items(runtime, page_reader, claimed, fetched)
            if encoder is not None:
                _read_images(runtime, ImageReader(retriever, encoder), claimed, fetched)
            _name_problems(fetched)
    return fetched


def _read_items(runtime: Runtime, pages: PageReader, claimed: Claimed, fetched: Fetched) -> None:
    """Set `fetched.read` to the items of the document, with the texts of their pages."""
    assert fetched.feed is not None
    items, doubles = each_once(fetched.feed.items)
    left_out = {
        "with the identifier of another item": doubles,
        "without a title and a text": fetched.feed.skipped,
    }
    fetched.message = " ".join(f"Left out: {count} {what}." for what, count in left_out.items() if count)
    listed = as_listed(items)
    if not any(needs_page(each.item, claimed.kind, claimed.full_text) for each in listed):
        fetched.read = PagesRead(listed)
        return
    with runtime.reading() as session:
        known = load_pages(session, claimed.id, [each.key for each in listed])
        waiting = waiting_keys(session, claimed.id)
    began = time.monotonic()
    fetched.read = pages.read(listed, known, waiting, runtime.now())
    # A source with many pages counts as a slow one, which few threads serve.
    fetched.milliseconds += round((time.monotonic() - began) * 1000)
    fetched.is_early = fetched.read.unread > 0


def _read_images(runtime: Runtime, images: ImageReader, claimed: Claimed, fetched: Fetched) -> None:
    """Fetch the images of the items that are new, or that have another image now."""
    assert fetched.read is not None
    pictured = [each for each in fetched.read.listed if each.item.image_url]
    if not pictured:
        return
    with runtime.reading() as session:
        known = known_images(session, claimed.id, pictured)
    began = time.monotonic()
    images.read(fetched.read, known)
    fetched.milliseconds += round((time.monotonic() - began) * 1000)
    fetched.is_early |= fetched.read.unread > 0


def _name_problems(fetched: Fetched) -> None:
    """Add to the history of the source which pages and images could not be read."""
    problems = fetched.read.problems if fetched.read else []
    if problems:
        more = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        unread = "Not read: " + "; ".join(problems[:_NAMED]) + more
        fetched.message = f"{fetched.message} {unread}".strip()


def _read_document(reader: IsolatedReader, fetched: Fetched, claimed: Claimed) -> Feed:
    """Return the feed or the list that was fetched. Raises FeedUnreadable."""
    assert fetched.document is not None
    content_type = fetched.document.headers.get("content-type", "")[:200]
    data, url = fetched.document.read(), fetched.document.url
    if claimed.kind is not SourceKind.PAGE:
        return reader.read(data, content_type, url)
    found = reader.read_list(data, content_type, url, claimed.link_selector, claimed.link_pattern)
    if not found.items:
        raise FeedUnreadable(
            "No releases were found on this page. Say by a CSS selector or a URL pattern where."
        )
    return found
