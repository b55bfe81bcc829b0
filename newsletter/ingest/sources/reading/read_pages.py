"""Fetch the pages of a source's items, each by a conditional request, within limits of number and time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from newsletter.errors import FetchError, ReleaseUnreadable
from newsletter.images.encoder import EncodedImage
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.document import ACCEPT
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.listing import Listed
from newsletter.ingest.sources.reading.known_pages import (
    MISSES,
    KnownPage,
    is_due,
    listed_hash,
    needs_page,
    with_page,
)
from newsletter.models import FullText, SourceKind

# For one source, at one fetch. What is left follows a minute later.
MOST_PAGES = 25
MOST_SECONDS = 60.0


@dataclass
class PagesRead:
    """The items of a list with the texts of their pages.

    `lost` has the keys of items whose own page answered 404 or 410 twice. `unread` counts the pages that are
    left for the next fetch, and their items are not listed yet.
    """

    listed: list[Listed] = field(default_factory=list)
    pages: list[KnownPage] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    unread: int = 0
    # Images that were fetched, and addresses that gave none, by the keys of their items (read_images.py).
    images: dict[str, EncodedImage] = field(default_factory=dict)
    imageless: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageReader:
    """Reads the pages of one source."""

    retriever: Retriever
    reader: IsolatedReader
    kind: SourceKind
    full_text: FullText
    clock: Callable[[], float] = time.monotonic

    def read(
        self,
        listed: Sequence[Listed],
        known: Mapping[str, KnownPage],
        waiting: Collection[str],
        now: datetime,
        *,
        most: int = MOST_PAGES,
    ) -> PagesRead:
        """Return the items with their texts. `waiting` has the keys of items that settle or are gone."""
        found = PagesRead()
        until = self.clock() + MOST_SECONDS
        for each in listed:
            if not needs_page(each.item, self.kind, self.full_text):
                found.listed.append(each)
                continue
            page, mark = known.get(each.key), listed_hash(each.item)
            if is_due(mark, page, self.kind, now, waits=each.key in waiting):
                if len(found.pages) >= most or self.clock() >= until:
                    found.unread += 1
                    if page is None:
                        continue
                else:
                    page = self._look(each, page, mark, now.date(), found)
                    found.pages.append(page)
            if page is not None and page.misses >= MISSES:
                found.lost.add(each.key)
            text = page.item if page else None
            if text is not None or self.kind is not SourceKind.PAGE:
                found.listed.append(Listed(each.key, with_page(each.item, text, self.kind)))
        return found

    def _look(
        self, listed: Listed, known: KnownPage | None, mark: str, today: date, found: PagesRead
    ) -> KnownPage:
        """Fetch one page. What cannot be read keeps what was read before."""
        url = listed.item.url
        page = known or KnownPage(listed.key, url, mark)
        # If the page is at a new address, the marks of the old one mean nothing.
        page = replace(
            page if page.url == url else KnownPage(listed.key, url, mark, page.item), listed_hash=mark
        )
        headers = {"Accept": ACCEPT}
        if page.item is not None and page.etag:
            headers["If-None-Match"] = page.etag
        if page.item is not None and page.last_modified:
            headers["If-Modified-Since"] = page.last_modified
        try:
            with self.retriever.get(url, headers) as answer:
                if answer.status == 304:
                    return replace(page, misses=0)
                if answer.status in {404, 410}:
                    found.problems.append(f"{url[:200]} answers {answer.status}")
                    return replace(page, misses=page.misses + 1)
                if answer.status != 200:
                    found.problems.append(f"{url[:200]} answers {answer.status}")
                    return page
                return self._take(answer.read(), answer.headers, answer.url, page, today)
        except FetchError as fault:
            found.problems.append(f"{url[:200]}: {fault.reason}")
        except ReleaseUnreadable as fault:
            found.problems.append(f"{url[:200]}: {fault.reason}")
        return page

    def _take(
        self, data: bytes, headers: Mapping[str, str], url: str, page: KnownPage, today: date
    ) -> KnownPage:
        body_hash = hashlib.sha256(data).hexdigest()
        page = replace(
            page,
            misses=0,
            etag=headers.get("etag", "")[:1000],
            last_modified=headers.get("last-modified", "")[:80],
        )
        if body_hash == page.body_hash and page.item is not None:
            return page
        item = self.reader.read_page(data, headers.get("content-type", "")[:200], url, today)
        return replace(page, item=item, body_hash=body_hash)
