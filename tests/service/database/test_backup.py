"""Back up the database while it is used, and restore it: whole, checked, and with digests that wait."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from house import NOON, House, make_house, make_settings, make_upgraded
from outbox.processes import Fleet, environ_of, until
from servers.programs import run_program
from sqlalchemy import select

from newsletter.errors import ServiceError
from newsletter.models import Delivery, DeliveryState, Release
from newsletter.outbox import copies
from newsletter.service.database.backup import back_up, restore
from newsletter.service.heartbeat import beat


@pytest.fixture
def house(tmp_path: Path) -> House:
    settings = make_settings(tmp_path / "data")
    make_upgraded(settings.database)
    return make_house(settings)


def titles(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {title for (title,) in connection.execute("SELECT title FROM release")}


def place(house: House) -> Path:
    return Path(house.runtime.settings.database.database)


def backed_up(house: House, name: str = "backup.sqlite3") -> Path:
    """Return a backup of a database with one release; afterwards the database has a second one."""
    house.topic("energy")
    house.release("A new energy cable")
    file = place(house).parent.parent / name
    back_up(house.runtime.settings, file)
    house.release("The energy cable is late")
    house.runtime.engine.dispose()
    return file


def test_a_backup_has_what_was_committed_and_is_private(house: House):
    file = backed_up(house)

    assert titles(file) == {"A new energy cable"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {each.name for each in file.parent.iterdir()} == {file.name, "data"}


def test_a_backup_replaces_no_file(house: House, tmp_path: Path):
    file = tmp_path / "letters.txt"
    file.write_text("keep me")

    with pytest.raises(ServiceError, match="exists already"):
        back_up(house.runtime.settings, file)

    assert file.read_text() == "keep me"


def test_a_restore_brings_the_backup_keeps_the_old_file_and_lets_digests_wait(house: House):
    file = backed_up(house)

    restored = restore(house.runtime.settings, file, NOON)

    assert titles(place(house)) == {"A new energy cable"}
    assert restored.kept is not None
    assert titles(restored.kept) == {"A new energy cable", "The energy cable is late"}
    assert stat.S_IMODE(place(house).stat().st_mode) == 0o600
    with house.runtime.reading() as session:
        assert (
            copies.held_because(session) == "The database is older than the data folder, as after a restore."
        )
        assert session.scalars(select(Release.title)).all() == ["A new energy cable"]
    assert titles(file) == {"A new energy cable"}


def test_digests_go_again_after_a_person_confirms(house: House):
    restore(house.runtime.settings, backed_up(house), NOON)

    with house.runtime.session() as session:
        copies.send_from_here(session, house.runtime.settings.data_dir, "ed", NOON)
        session.commit()

    assert not copies.is_held(
        house.runtime.reading, house.runtime.session, house.runtime.settings.data_dir, NOON
    )


def test_digests_that_were_being_sent_at_the_backup_are_uncertain_whatever_a_journal_says(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("A new energy cable")
    house.prepare(house.open())
    with house.runtime.session() as session:
        (row,) = session.scalars(select(Delivery))
        row.state, row.leased_by, row.attempt = DeliveryState.LEASED, "host-1-0", 1
        session.commit()
    file = place(house).parent.parent / "backup.sqlite3"
    back_up(house.runtime.settings, file)
    house.runtime.engine.dispose()

    restored = restore(house.runtime.settings, file, NOON)

    assert restored.uncertain == 1
    with house.runtime.reading() as session:
        assert session.scalars(select(Delivery.state)).all() == [DeliveryState.UNCERTAIN]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("cut", "damaged|malformed|cannot be copied|no database"),
        ("text", "not a database|cannot be copied"),
        ("foreign", "not a database of this program"),
        ("newer", "newer version"),
    ],
)
def test_a_file_that_is_no_good_backup_changes_nothing(house: House, harm: str, said: str):
    file = backed_up(house)
    if harm == "cut":
        os.truncate(file, file.stat().st_size // 2 // 4096 * 4096)
    elif harm == "text":
        file.write_text("a letter " * 2000)
    elif harm == "foreign":
        file.unlink()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE letters (id INTEGER)")
            connection.commit()
    else:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.commit()

    with pytest.raises(ServiceError, match=said):
        restore(house.runtime.settings, file, NOON)

    assert titles(place(house)) == {"A new energy cable", "The energy cable is late"}
    assert not [each.name for each in place(house).parent.iterdir() if "restor" in each.name]


def test_a_restore_refuses_while_a_process_has_the_database_open_or_was_just_seen(house: House):
    file = backed_up(house)
    settings = house.runtime.settings
    with house.runtime.reading() as session:
        session.scalars(select(Release.title)).all()
        with pytest.raises(ServiceError, match=r"in use.*Stop the service first"):
            restore(settings, file, NOON)
    with house.runtime.session() as session:
        beat(session, "host web 1", "web", NOON, NOON)
        session.commit()
    house.runtime.engine.dispose()

    with pytest.raises(ServiceError, match="host web 1 was seen within the last minute"):
        restore(settings, file, NOON)

    assert titles(place(house)) == {"A new energy cable", "The energy cable is late"}


def test_the_real_service_is_backed_up_while_it_runs_and_refuses_a_restore(
    house: House, tmp_path: Path, free_port: int
):
    file = tmp_path / "backup.sqlite3"
    environ = environ_of(house, NEWSLETTER_BIND=f"127.0.0.1:{free_port}", NEWSLETTER_WEB_WORKERS="1")
    house.topic("energy")
    house.release("A new energy cable")
    house.runtime.engine.dispose()

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return run_program("--env-file", "", "db", *words, env=environ, text=True, timeout=120)

    with Fleet(environ, tmp_path / "log") as fleet:
        service = fleet.start("run")
        until(lambda: _beats(place(house)))
        told = run("backup", str(file))
        assert told.returncode == 0, told.stderr
        refused = run("restore", "--yes", str(file))
        assert refused.returncode == 1
        assert "Stop the service first" in refused.stderr
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0

        told = run("restore", "--yes", str(file))

    assert told.returncode == 0, told.stderr
    assert "newsletter digest send-from-here" in told.stdout
    assert titles(place(house)) == {"A new energy cable"}


def _beats(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as connection:
        return bool(connection.execute("SELECT count(*) FROM heartbeat").fetchone()[0])
