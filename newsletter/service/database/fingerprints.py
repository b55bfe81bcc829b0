"""Store the fingerprints of the releases that have none yet."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from newsletter.releases.duplicates.find import index_missing_bands

# This many releases in one transaction, so that others can write between two of them.
AT_ONCE = 200


def fill_fingerprints(engine: Engine, stopping: Callable[[], bool] = lambda: False) -> int:
    """Store the fingerprints that are missing; return how many. Commits each batch.

    An interrupted run loses nothing: the next one continues.
    """
    total, last = 0, 0
    while not stopping():
        with engine.begin() as connection:
            ids = index_missing_bands(connection, last, AT_ONCE)
        if not ids:
            break
        total, last = total + len(ids), ids[-1]
    return total
