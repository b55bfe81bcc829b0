"""The search index: one row for each release, kept up to date with it, and rebuilt by a command.

SQLite has an FTS5 table, PostgreSQL a tsvector. Both hold the words of search/words.py, and nothing else cuts
text. The row's number is the release's place in the order of the archive, so that the newest hits are found
without sorting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import Connection, Table, bindparam, func, select, text, update

from newsletter.models import Release, ReleaseTopic, Topic
from newsletter.models.tables.release import published_place
from newsletter.releases.search.words import (
    INDEXED_BYTES,
    index_words,
    newsletter_mark,
    publisher_mark,
    topic_mark,
)

_INSERT = {
    "sqlite": text("INSERT INTO release_words (rowid, words) VALUES (:place, :words)"),
    "postgresql": text(
        "INSERT INTO release_words (place, words) VALUES (:place, array_to_tsvector(CAST(:words AS text[])))"
    ),
}
_DELETE = {
    "sqlite": text("DELETE FROM release_words WHERE rowid = :place"),
    "postgresql": text("DELETE FROM release_words WHERE place = :place"),
}
_TABLE = cast("Table", Release.__table__)
_PLACE = update(_TABLE).where(_TABLE.c.id == bindparam("release_id")).values(place=bindparam("new_place"))
_COLUMNS = (
    Release.id,
    Release.title,
    Release.publisher,
    # A body can be longer than what is indexed.
    func.substr(Release.body_text, 1, INDEXED_BYTES).label("body"),
    Release.published_on,
    Release.published_at,
    Release.place,
)


def index_releases(connection: Connection, release_ids: Iterable[int]) -> dict[int, int]:
    """Write the index rows of these releases; return the place of each. Commits nothing."""
    # The lock keeps a second transaction from writing the row of an older text after this one.
    query = select(*_COLUMNS).where(Release.id.in_(sorted(release_ids))).order_by(Release.id)
    found = connection.execute(query.with_for_update(key_share=True)).all()
    if not found:
        return {}
    marks = _topic_marks(connection, [row.id for row in found])
    dialect = connection.dialect.name
    gone: set[int] = set()
    rows, places = [], []
    for row in found:
        place = published_place(row.id, row.published_on, row.published_at)
        gone |= {place} if row.place is None else {place, row.place}
        words = (
            index_words(row.title, row.publisher, row.body) | marks[row.id] | {publisher_mark(row.publisher)}
        )
        # Sorted, so that the same release always gives the same row.
        stored = " ".join(sorted(words)) if dialect == "sqlite" else sorted(words)
        rows.append({"place": place, "words": stored})
        places.append({"release_id": row.id, "new_place": place})
    remove(connection, sorted(gone))
    connection.execute(_INSERT[dialect], rows)
    connection.execute(_PLACE, places)
    return {each["release_id"]: each["new_place"] for each in places}


def index_missing(connection: Connection, limit: int) -> int:
    """Index up to `limit` releases that have no place yet; return how many. Commits nothing.

    An upgrade leaves such releases, and hosts that still run the version before it add some.
    """
    query = select(Release.id).where(Release.place.is_(None)).order_by(Release.id).limit(limit)
    return len(index_releases(connection, connection.scalars(query).all()))


def index_again(connection: Connection, after: int, limit: int) -> list[int]:
    """Index up to `limit` releases with an id above `after` again; return their ids. Commits nothing."""
    query = select(Release.id).where(Release.id > after).order_by(Release.id).limit(limit)
    return list(index_releases(connection, connection.scalars(query).all()))


def remove(connection: Connection, places: Sequence[int]) -> None:
    """Remove the index rows at these places."""
    if places:
        connection.execute(_DELETE[connection.dialect.name], [{"place": each} for each in places])


def _topic_marks(connection: Connection, release_ids: Sequence[int]) -> dict[int, set[str]]:
    """Return the words that stand for the topics and newsletters of each release."""
    query = (
        select(ReleaseTopic.release_id, Topic.id, Topic.newsletter_id)
        .join(Topic, Topic.id == ReleaseTopic.topic_id)
        .where(ReleaseTopic.release_id.in_(release_ids))
    )
    marks: dict[int, set[str]] = {each: set() for each in release_ids}
    for release_id, topic_id, newsletter_id in connection.execute(query):
        marks[release_id] |= {topic_mark(topic_id), newsletter_mark(newsletter_id)}
    return marks
