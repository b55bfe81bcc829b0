"""Run the stories of tests/data/lives, each of which once lost, doubled or misdirected an email."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lives.beginnings import sqlite_database
from lives.databases import SQLiteDatabase
from lives.stories import STORIES, tell


@pytest.fixture(scope="module")
def database() -> Iterator[SQLiteDatabase]:
    with sqlite_database() as made:
        yield made


@pytest.mark.parametrize("story", sorted(STORIES.glob("*.txt")), ids=lambda path: path.stem)
def test_a_story_that_once_broke_a_rule_breaks_none(story: Path, database: SQLiteDatabase):
    world = tell(database, story.read_text("utf-8").splitlines())

    assert world.oracle.fault is None, "\n".join([world.oracle.fault or "", *world.story])
