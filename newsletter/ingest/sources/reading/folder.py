"""Read the press releases in a folder of files. Nothing outside the folder is ever opened."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from newsletter.errors import FetchError, ReleaseUnreadable
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.press.parse import PressRelease, parse_press
from newsletter.ingest.sources.listing import Listed
from newsletter.ingest.text.decode import MAX_RELEASE_BYTES, decode

SUFFIXES = frozenset({".txt", ".text", ".md", ""})
MOST_FILES = 10_000
# A program may still be writing a file that was changed within this time.
QUIET = timedelta(seconds=10)
# Files that arrived this long before the last reading are looked at again, because clocks may differ.
MARGIN = timedelta(minutes=10)


@dataclass(frozen=True)
class FolderContent:
    """The releases of the files that arrived since the last reading, and what could not be read."""

    listed: tuple[Listed, ...]
    problems: tuple[str, ...] = ()
    # Files that are still being written: the folder is read again soon.
    waits: int = 0


def read_folder(place: str, since: datetime | None, now: datetime) -> FolderContent:
    """Return the releases in the files of a folder that arrived after `since`. Raises FetchError.

    Hidden files, other suffixes, links and folders inside it are left out.
    """
    listed: dict[str, Listed] = {}
    problems: list[str] = []
    waits = 0
    try:
        # Files are opened relative to this descriptor: nobody can exchange the folder for a link meanwhile.
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as fault:
        raise FetchError(place, f"the folder cannot be read: {fault.strerror}") from fault
    try:
        names = sorted(_names(folder))
        if len(names) > MOST_FILES:
            problems.append(f"The folder has more than {MOST_FILES:,} files. The others are not read.")
        for name in names[:MOST_FILES]:
            found = _read_file(folder, name, since, now)
            if found is None:
                continue
            if found == "waits":
                waits += 1
            elif isinstance(found, str):
                problems.append(found)
            else:
                listed.setdefault(found.key, found)
    finally:
        os.close(folder)
    return FolderContent(tuple(listed.values()), tuple(problems), waits)


def _names(folder: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield name


def _read_file(folder: int, name: str, since: datetime | None, now: datetime) -> Listed | str | None:
    """Return a file's release, what is wrong with the file, "waits", or None if there is nothing to do."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None  # a link, or a file that was removed meanwhile
    try:
        known = os.fstat(handle)
        if not stat.S_ISREG(known.st_mode):
            return None
        if since is not None and known.st_ctime < (since - MARGIN).timestamp():
            return None
        if known.st_mtime > (now - QUIET).timestamp():
            return "waits"
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(MAX_RELEASE_BYTES + 1)
    finally:
        os.close(handle)
    try:
        press = parse_press(decode(data, name), name, now.date())
    except ReleaseUnreadable as fault:
        return str(fault)
    key = hashlib.sha256(f"file:{name}\0".encode("utf-8", "surrogateescape") + data).hexdigest()
    return Listed(key, _as_item(press))


def _as_item(press: PressRelease) -> Item:
    return Item(
        guid="",
        url="",
        title=press.title,
        publisher=press.publisher,
        published=press.published,
        published_at=None,
        language=press.language,
        body_html="",
        paragraphs=press.paragraphs,
        doubts=press.doubts,
        marks=press.markup,
    )
