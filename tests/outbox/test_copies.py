"""Digests of a restored copy wait. Each test makes a real copy of a database, a data folder or both."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from house import NOON, House, make_house, make_settings
from servers.postgresql import PostgreSQL

from newsletter.errors import StateConflict
from newsletter.models import Notice
from newsletter.outbox.copies import (
    CopySign,
    Mark,
    find_sign,
    held_because,
    is_held,
    read_file,
    send_from_here,
    tick,
    write_file,
)

DATABASE = "newsletter.sqlite3"


def run_clock(house: House, minutes: int = 1) -> None:
    parts = house.runtime
    for _ in range(minutes):
        house.clock.pass_(minutes=1)
        tick(parts.reading, parts.session, parts.settings.data_dir, house.clock(), by_clock=True)


def held(house: House) -> bool:
    parts = house.runtime
    return is_held(parts.reading, parts.session, parts.settings.data_dir, house.clock())


def confirm(house: House) -> None:
    with house.runtime.session() as session:
        send_from_here(session, house.runtime.settings.data_dir, "test", house.clock())
        session.commit()


def back_up(house: House, to: Path) -> None:
    """Copy a running SQLite database as `sqlite3 .backup` does."""
    with sqlite3.connect(house.runtime.settings.data_dir / DATABASE) as source, sqlite3.connect(to) as copy:
        source.backup(copy)


def open_folder(folder: Path, like: House) -> House:
    made = make_house(make_settings(folder))
    made.clock.moment = like.clock()
    return made


def why(house: House) -> str | None:
    with house.runtime.reading() as session:
        return held_because(session)


def test_a_new_database_and_a_running_clock_are_no_copy(either_house: House):
    assert not held(either_house)

    run_clock(either_house, 3)

    assert not held(either_house)
    assert read_file(either_house.runtime.settings.data_dir) == 3


def test_an_older_backup_in_the_same_folder_waits_until_a_person_confirms(house: House, tmp_path: Path):
    run_clock(house)
    back_up(house, tmp_path / "backup")
    run_clock(house, 2)
    house.runtime.engine.dispose()
    for each in tmp_path.glob(f"{DATABASE}*"):
        each.unlink()
    shutil.copy(tmp_path / "backup", tmp_path / DATABASE)

    restored = open_folder(tmp_path, house)

    assert held(restored)
    assert "older than the data folder" in (why(restored) or "")
    (notice,) = restored.all(Notice)
    assert notice.kind == "restored_copy"
    confirm(restored)
    assert not held(restored)
    run_clock(restored)
    assert not held(restored)
    assert [each.settled_at is not None for each in restored.all(Notice)] == [True]


def test_a_database_without_its_folder_waits(house: House, tmp_path: Path):
    run_clock(house)
    (tmp_path / "elsewhere").mkdir()
    back_up(house, tmp_path / "elsewhere" / DATABASE)

    copy = open_folder(tmp_path / "elsewhere", house)

    assert held(copy)
    assert "without its data folder" in (why(copy) or "")


def test_a_whole_folder_waits_when_it_is_started_a_day_later(house: House, tmp_path: Path):
    run_clock(house)
    (tmp_path / "elsewhere").mkdir()
    back_up(house, tmp_path / "elsewhere" / DATABASE)
    shutil.copy(tmp_path / "clock-mark", tmp_path / "elsewhere")

    copy = open_folder(tmp_path / "elsewhere", house)
    copy.clock.pass_(hours=25)

    assert held(copy)
    assert "more than a day" in (why(copy) or "")


def test_a_new_host_and_one_that_was_off_are_no_copies(big_house: House, tmp_path: Path):
    run_clock(big_house, 5)
    settings = replace(big_house.runtime.settings, data_dir=tmp_path / "second host")
    second = make_house(settings)
    second.clock.moment = big_house.clock()

    assert not held(second)
    run_clock(second)
    run_clock(big_house)
    big_house.clock.moment = second.clock()
    run_clock(second, 3)

    assert not held(big_house)
    assert read_file(big_house.runtime.settings.data_dir) < read_file(settings.data_dir)
    second.runtime.engine.dispose()


def test_a_copied_postgresql_database_waits(big_house: House, postgresql: PostgreSQL, tmp_path: Path):
    run_clock(big_house)
    big_house.runtime.engine.dispose()
    name = postgresql.create_database(big_house.runtime.settings.database.database)
    settings = replace(
        big_house.runtime.settings, data_dir=tmp_path / "copy", database_url=postgresql.url(name)
    )
    copy = make_house(settings)
    copy.clock.moment = big_house.clock()

    assert held(copy)
    assert not held(big_house)
    assert "another name" in (why(copy) or "")
    confirm(copy)
    assert not held(copy)
    copy.runtime.engine.dispose()
    postgresql.drop_database(name)


def test_after_a_confirmation_the_file_of_another_host_is_not_ahead(big_house: House, tmp_path: Path):
    run_clock(big_house)
    other = tmp_path / "other"
    write_file(other, 5_000)  # this host raised the counter before the database was restored
    second = make_house(replace(big_house.runtime.settings, data_dir=other))
    second.clock.moment = big_house.clock()
    assert held(second)
    assert held(big_house)

    confirm(big_house)

    assert not held(second)
    assert not held(big_house)
    second.runtime.engine.dispose()


def test_only_a_held_installation_can_be_confirmed(house: House):
    with pytest.raises(StateConflict):
        confirm(house)


def test_a_drain_without_a_clock_may_be_a_week_apart(house: House):
    parts = house.runtime
    tick(parts.reading, parts.session, parts.settings.data_dir, house.clock(), by_clock=False)
    house.clock.pass_(days=7)

    assert not held(house)


def test_the_signs():
    mark = Mark(7, NOON, by_clock=True, database="1:2")
    late = NOON + timedelta(hours=25)

    assert find_sign(None, None, "", NOON, is_sqlite=True) is None
    assert find_sign(None, 3, "", NOON, is_sqlite=True) is CopySign.OLDER
    assert find_sign(mark, 7, "1:2", NOON, is_sqlite=False) is None
    assert find_sign(mark, 6, "1:2", NOON, is_sqlite=False) is None
    assert find_sign(mark, 8, "1:2", NOON, is_sqlite=False) is CopySign.OLDER
    assert find_sign(mark, None, "1:2", NOON, is_sqlite=False) is None
    assert find_sign(mark, None, "1:2", NOON, is_sqlite=True) is CopySign.NO_FILE
    assert find_sign(mark, 7, "1:3", NOON, is_sqlite=False) is CopySign.OTHER_DATABASE
    assert find_sign(mark, 7, "1:2", late, is_sqlite=False) is CopySign.SILENT


def test_a_damaged_file_counts_as_none(tmp_path: Path):
    (tmp_path / "clock-mark").write_bytes(b"\xff\x00")

    assert read_file(tmp_path) is None
