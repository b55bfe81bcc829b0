"""Tests of a folder of files as a source."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from house import NOON, House
from press_site import Desk, desk_of

from newsletter.errors import FetchError, InputError
from newsletter.ingest.sources.reading.folder import read_folder
from newsletter.models import FetchOutcome, SourceKind

TEXT = "Harbour opens new quay {name}\n\nHAMBURG, 3 March 2026 - The port opened quay {name}, it said.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "releases"
    made.mkdir()
    return made


def write(folder: Path, name: str, text: str = TEXT, *, age: float = 60) -> Path:
    """Write a file that was changed this many seconds before the tests' present."""
    path = folder / name
    path.write_text(text.format(name=path.stem))
    moment = NOON.timestamp() - age
    os.utime(path, (moment, moment))
    return path


def titles(folder: Path, since: datetime | None = None) -> list[str]:
    return [each.item.title for each in read_folder(str(folder), since, NOON).listed]


def test_each_text_file_is_a_release(folder: Path):
    write(folder, "a.txt")
    write(folder, "b.md")
    write(folder, "c")
    write(folder, ".hidden.txt")
    write(folder, "d.pdf")
    (folder / "sub").mkdir()
    write(folder / "sub", "e.txt")

    assert titles(folder) == [f"Harbour opens new quay {name}" for name in "abc"]


def test_nothing_outside_the_folder_is_opened(folder: Path, tmp_path: Path):
    secret = write(tmp_path, "secret.txt")
    (folder / "link.txt").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.txt")

    assert titles(folder) == []


def test_a_folder_that_became_a_link_is_not_read(folder: Path, tmp_path: Path):
    write(folder, "a.txt")
    link = tmp_path / "link"
    link.symlink_to(folder)

    with pytest.raises(FetchError, match="cannot be read"):
        read_folder(str(link), None, NOON)
    with pytest.raises(FetchError, match="cannot be read"):
        read_folder(str(tmp_path / "missing"), None, NOON)


def test_a_file_that_is_being_written_waits(folder: Path):
    write(folder, "a.txt", age=3)

    content = read_folder(str(folder), None, NOON)

    assert (content.listed, content.waits) == ((), 1)


def test_only_files_that_arrived_since_the_last_reading_are_read(folder: Path):
    """The time of arrival is the system's, which no program can set back."""
    write(folder, "a.txt")
    now = datetime.now(UTC)

    assert len(titles(folder, now - timedelta(hours=1))) == 1
    assert titles(folder, now + timedelta(hours=1)) == []


def test_a_file_that_is_no_release_is_named(folder: Path):
    (folder / "bad.txt").write_bytes(b"%PDF-1.7 \x00\x01")
    os.utime(folder / "bad.txt", (0, 0))
    write(folder, "good.txt")

    content = read_folder(str(folder), None, NOON)

    assert len(content.listed) == 1
    assert content.problems[0].startswith("bad.txt: ")


@pytest.fixture
def desk(either_house: House):
    return desk_of(either_house)


def test_a_file_is_stored_once_and_does_not_settle(desk: Desk, folder: Path):
    desk.house.topic("quay")
    write(folder, "a.txt")
    source = desk.add(str(folder), kind=SourceKind.FOLDER)
    desk.poll()
    write(folder, "b.txt")
    write(folder, "copy-of-a.txt", TEXT.format(name="a"))

    desk.poll(source)
    desk.poll(source)

    assert desk.releases() == {"Harbour opens new quay a": "ready", "Harbour opens new quay b": "ready"}
    assert desk.release("Harbour opens new quay a").topic_links[0].sequence == 1
    assert desk.history(source)[-1].outcome is FetchOutcome.READ


def test_the_first_files_are_kept_back_unless_the_editor_says_so(desk: Desk, folder: Path):
    desk.house.topic("quay")
    write(folder, "a.txt")
    source = desk.add(str(folder), kind=SourceKind.FOLDER, backlog="none")
    desk.poll()
    write(folder, "b.txt")
    desk.poll(source)

    found = {title: desk.release(title).is_kept_back for title in desk.releases()}
    assert found == {"Harbour opens new quay a": True, "Harbour opens new quay b": False}


def test_what_is_no_folder_is_no_source(desk: Desk, folder: Path, tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(folder)

    for place in (link, tmp_path / "missing", write(folder, "a.txt")):
        with pytest.raises(InputError, match="not a folder"):
            desk.add(str(place), kind=SourceKind.FOLDER)
