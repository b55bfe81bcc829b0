"""A subscriber changes a frequency between any two statements of preparing their chunk (PostgreSQL)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from servers.postgresql import PostgreSQL

from lives.beginnings import postgresql_database
from lives.databases import PostgreSQLDatabase
from lives.world import World


@pytest.fixture(scope="module")
def database(postgresql: PostgreSQL) -> Iterator[PostgreSQLDatabase]:
    with postgresql_database(postgresql) as made:
        yield made


@pytest.mark.parametrize("statements", range(0, 22, 3))
def test_a_chunk_marks_no_row_that_it_did_not_read(
    statements: int, database: PostgreSQLDatabase, tmp_path: Path
):
    database.begin()
    world = World(database, tmp_path, (0, 0), strict=False)
    world.add(0, ["beta"], held=False, days_ago=0)
    world.add(0, ["alpha"], held=False, days_ago=0)
    world.open(0, ["daily"], chunks=0)

    weekly_to_daily = partial(world.choose, 0, 2, {"alpha": "daily", "beta": "daily"})
    world.race([partial(world.prepare, 0, 0, 1), weekly_to_daily], [False] * statements + [True] * 60)
    world.live_to_the_end()

    assert world.oracle.fault is None, "\n".join([world.oracle.fault or "", *world.story])
