"""Find the releases that have all words of a query, the newest first or those with it in the title first."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.sql.base import ExecutableOption

from newsletter.models import Release, ReleaseState, ReleaseTopic, is_one_of, public_now
from newsletter.models.paging import Page
from newsletter.models.tables.release import first_place, id_of_place
from newsletter.releases.search.words import (
    IN_TITLE,
    newsletter_mark,
    publisher_mark,
    query_words,
    topic_mark,
)

# Nobody reads more. Counts end here, as "1,000+".
MOST_HITS = 1_000
# How many rows of the index are read at a time.
_AT_ONCE = 1_100
_LAST = 2**63 - 1
_WITH_TOPICS = (
    selectinload(Release.topic_links).selectinload(ReleaseTopic.topic),
    selectinload(Release.holds),
)

_MATCH = {
    "sqlite": text(
        "SELECT rowid FROM release_words WHERE release_words MATCH :query"
        " AND rowid >= :lowest AND rowid < :below ORDER BY rowid DESC LIMIT :most"
    ),
    "postgresql": text(
        "SELECT place FROM release_words WHERE words @@ CAST(:query AS tsquery)"
        " AND place >= :lowest AND place < :below ORDER BY place DESC LIMIT :most"
    ),
}


class Order(enum.StrEnum):
    """NEWEST is by date. RELEVANCE has the releases first whose title has all words."""

    NEWEST = "newest"
    RELEVANCE = "relevance"


@dataclass(frozen=True)
class Filters:
    """What hits must have besides the words. Empty fields filter nothing."""

    topic_id: int | None = None
    newsletter_id: int | None = None
    publisher: str = ""
    since: date | None = None
    until: date | None = None
    state: ReleaseState | None = None

    def index_words(self) -> list[str]:
        """Return the words of the index that stand for these filters."""
        marks = [topic_mark(self.topic_id)] if self.topic_id is not None else []
        marks += [newsletter_mark(self.newsletter_id)] if self.newsletter_id is not None else []
        return marks + ([publisher_mark(self.publisher)] if self.publisher.strip() else [])


@dataclass(frozen=True)
class Found:
    """One page of hits. If `is_more`, there are more than `page.total`. `words` are those of the query."""

    page: Page[Release]
    is_more: bool
    words: tuple[str, ...]


def search_releases(
    session: Session,
    query: str,
    filters: Filters = Filters(),
    *,
    public_at: datetime | None = None,
    order: Order = Order.NEWEST,
    page: int = 1,
    per_page: int = 20,
) -> Found:
    """Return one page of the releases that have all words of `query` and match `filters`.

    With `public_at`, only those that are public then; else all that are not deleted. A query without a word
    has no hits.
    """
    words = query_words(query)
    ids: list[int] = []
    if words:
        condition = Release.deleted_at.is_(None) if public_at is None else public_now(public_at)
        if filters.state is not None:
            condition = condition & (Release.state == filters.state)
        ids = _hits(session, words, filters, condition, order)
    is_more = len(ids) > MOST_HITS
    ids = ids[:MOST_HITS]
    page = max(page, 1)
    shown = ids[(page - 1) * per_page : page * per_page]
    return Found(Page(load_releases(session, shown, *_WITH_TOPICS), page, per_page, len(ids)), is_more, words)


def newest_ids(
    session: Session,
    words: Sequence[str],
    filters: Filters,
    condition: ColumnElement[bool],
    most: int = MOST_HITS + 1,
) -> list[int]:
    """Return the ids of the newest `most` releases with all words that meet filters and condition.

    The words are as the index has them. There is at least one, or a filter that the index knows.
    """
    lowest = first_place(filters.since) if filters.since else 0
    below = first_place(filters.until + timedelta(days=1)) if filters.until else _LAST
    query = _WRITE_QUERY[session.get_bind().dialect.name]([*words, *filters.index_words()])
    found: list[int] = []
    for places in _batches(session, {"query": query, "lowest": lowest, "below": below}, most):
        allowed = select(Release.place, Release.id).where(
            is_one_of(session, Release.id, [id_of_place(each) for each in places]), condition
        )
        ids = {place: release_id for place, release_id in session.execute(allowed)}
        found += [ids[place] for place in places if place in ids]
        if len(found) >= most:
            break
    return found[:most]


def _hits(
    session: Session, words: Sequence[str], filters: Filters, condition: ColumnElement[bool], order: Order
) -> list[int]:
    """Return the ids of the hits in their order, at most one more than are counted."""
    in_title: list[int] = []
    if order is Order.RELEVANCE:
        in_title = newest_ids(session, [IN_TITLE + each for each in words], filters, condition)
    known = set(in_title)
    others = (each for each in newest_ids(session, words, filters, condition) if each not in known)
    return [*in_title, *others][: MOST_HITS + 1]


def _batches(session: Session, values: dict[str, str | int], most: int) -> Iterator[Sequence[int]]:
    """Yield the places of the rows that match, the highest first, also of releases that are not shown."""
    statement = _MATCH[session.get_bind().dialect.name]
    at_once = min(_AT_ONCE, most + most // 4 + 10)
    while True:
        places = session.scalars(statement, {**values, "most": at_once}).all()
        if places:
            yield places
        if len(places) < at_once:
            return
        values = {**values, "below": places[-1]}
        at_once = _AT_ONCE


def load_releases(session: Session, ids: Sequence[int], *options: ExecutableOption) -> list[Release]:
    """Return these releases in this order."""
    query = select(Release).where(is_one_of(session, Release.id, ids)).options(*options)
    loaded = {each.id: each for each in session.scalars(query)}
    return [loaded[each] for each in ids if each in loaded]


def _for_sqlite(words: Sequence[str]) -> str:
    return " AND ".join(f'"{word}"' for word in words)


def _for_postgresql(words: Sequence[str]) -> str:
    return " & ".join(f"'{word}'" for word in words)


# No word has a quote or a backslash: words.py removes all characters with a meaning in a query.
_WRITE_QUERY: dict[str, Callable[[Sequence[str]], str]] = {
    "sqlite": _for_sqlite,
    "postgresql": _for_postgresql,
}
