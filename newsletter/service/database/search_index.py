"""Fill the search index with the releases that are not in it yet, and rebuild it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Engine

from newsletter.releases.search.index import index_again, index_missing

# This many releases are indexed in one transaction, so that others can write between two of them.
AT_ONCE = 200


def fill_index(engine: Engine, stopping: Callable[[], bool] = lambda: False) -> int:
    """Index the releases that have no place in the index; return how many. Commits each batch.

    An interrupted run loses nothing: the next one continues.
    """
    total = 0
    while not stopping():
        with engine.begin() as connection:
            done = index_missing(connection, AT_ONCE)
        if not done:
            break
        total += done
    return total


def rebuild_index(engine: Engine, at_once: int = AT_ONCE) -> Iterator[int]:
    """Index every release again; yield how many are done after each batch. Search works meanwhile."""
    last, total = 0, 0
    while True:
        with engine.begin() as connection:
            ids = index_again(connection, last, at_once)
        if not ids:
            return
        last, total = ids[-1], total + len(ids)
        yield total
