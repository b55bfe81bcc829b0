"""The pages of a source's items as they were read last, and which of them are read again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.ingest.feeds.feed import Item, item_from_record
from newsletter.models import FullText, SourceKind, SourcePage

# The page of a list's item is read again for this long after it was first read, and this often.
YOUNG = timedelta(hours=48)
AGAIN_AFTER = timedelta(hours=1)
# A page that is not listed any more is forgotten after this time.
KEPT = timedelta(days=30)
# An item is gone after this many answers 404 or 410 for its own page.
MISSES = 2
# A feed's item with less text than this, or that ends with one of these marks, has only a teaser.
FULL_TEXT = 500
_CUT = ("…", "...", "[…]", "[...]", "→", "»")


@dataclass(frozen=True)
class KnownPage:
    """A page as it was read last. `item` is None if nothing could be read."""

    key: str
    url: str
    listed_hash: str
    item: Item | None = None
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    misses: int = 0
    first_at: datetime | None = None
    read_at: datetime | None = None


def needs_page(item: Item, kind: SourceKind, full_text: FullText) -> bool:
    """Return whether the text of an item is taken from its page. Pure."""
    if kind is SourceKind.PAGE:
        return True
    if kind is SourceKind.FOLDER or full_text is FullText.NEVER or not item.url:
        return False
    return full_text is FullText.ALWAYS or len(item.body) < FULL_TEXT or item.body.rstrip().endswith(_CUT)


def is_due(
    listed_hash: str, known: KnownPage | None, kind: SourceKind, now: datetime, *, waits: bool
) -> bool:
    """Return whether a page is read now. `waits`: its release settles or is gone. Pure.

    A page is read once for each text that the list has for it. The page of a list's item is read again while
    it is young, because a list shows no change of a text.
    """
    if known is None or known.read_at is None or waits or known.listed_hash != listed_hash:
        return True
    if kind is not SourceKind.PAGE or known.first_at is None:
        return False
    return now - known.first_at <= YOUNG and now - known.read_at >= AGAIN_AFTER


def listed_hash(item: Item) -> str:
    """Return a hash of what a list says about an item."""
    words = "\n".join([item.url, item.title, str(item.published), item.body])
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()


def with_page(item: Item, page: Item | None, kind: SourceKind) -> Item:
    """Return an item of a list with what was read on its page. Pure.

    A feed's title, date and publisher stay. The page gives its text only if it has most of the teaser's
    words, because a page may show a login or another text instead.
    """
    if page is None:
        return item
    if kind is SourceKind.PAGE:
        return page.completed(title=item.title, published=item.published)
    if len(page.body) <= len(item.body) or not _has_teaser(item.body, page.body):
        return item
    return item.with_text_of(page)


def _has_teaser(teaser: str, text: str) -> bool:
    words = set(teaser.casefold().split())
    return 2 * len(words & set(text.casefold().split())) >= len(words)


def load_pages(session: Session, source_id: int, keys: Collection[str]) -> Mapping[str, KnownPage]:
    """Return the known pages of a source by the key of their item."""
    found: dict[str, KnownPage] = {}
    wanted = list(keys)
    for at in range(0, len(wanted), 500):
        mine = select(SourcePage).where(SourcePage.source_id == source_id)
        for row in session.scalars(mine.where(SourcePage.key.in_(wanted[at : at + 500]))):
            item = item_from_record(row.item) if row.item else None
            found[row.key] = KnownPage(
                row.key, row.url, row.listed_hash, item, row.etag, row.last_modified, row.body_hash,
                row.misses, row.first_at, row.read_at,
            )  # fmt: skip
    return found


def store_pages(session: Session, source_id: int, pages: Iterable[KnownPage], now: datetime) -> None:
    """Store pages that were read, and forget those that have not been listed for a month. Commits nothing."""
    pages = list(pages)
    mine = select(SourcePage).where(SourcePage.source_id == source_id)
    stored = {
        row.key: row for row in session.scalars(mine.where(SourcePage.key.in_([each.key for each in pages])))
    }
    for each in pages:
        row = stored.get(each.key)
        if row is None:
            row = SourcePage(source_id=source_id, key=each.key, first_at=now)
            session.add(row)
        row.url, row.listed_hash, row.misses, row.read_at = each.url, each.listed_hash, each.misses, now
        row.etag, row.last_modified, row.body_hash = each.etag, each.last_modified, each.body_hash
        row.item = each.item.as_record() if each.item else None
    old = delete(SourcePage).where(SourcePage.source_id == source_id, SourcePage.read_at < now - KEPT)
    session.execute(old)
    session.flush()
