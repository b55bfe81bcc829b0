"""The newest migration in a folder, and the last one applied to a database."""

from __future__ import annotations

from pathlib import Path

from newsletter.models import open_engine
from newsletter.models.schema import applied_version, newest_version
from newsletter.runtime import data_folder
from newsletter.service.database.schema import upgrade


def test_the_newest_migration_has_the_highest_number(tmp_path: Path):
    versions = tmp_path / "versions"
    versions.mkdir()
    for name in ("0002_second.py", "0010_tenth.py", "0009_ninth.py", "notes.py"):
        (versions / name).touch()

    assert newest_version(tmp_path) == "0010"


def test_an_upgraded_database_has_the_newest_version_and_an_empty_one_has_none(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'news.sqlite3'}"
    engine = open_engine(url)

    with engine.connect() as connection:
        before = applied_version(connection)
    upgrade(url)
    with engine.connect() as connection:
        after = applied_version(connection)
    engine.dispose()

    assert before is None
    assert after == newest_version(data_folder("migrations"))
