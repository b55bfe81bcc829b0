"""Tell a restored copy from the original, so that a copy does not send digests again.

The clock raises a counter each minute, in the database and in a file of the data folder. After a restore, the
file is ahead of the database. A new host has no file, and a host that was off has a lower one. Neither is a
copy. Digests of a copy wait until a person confirms. Other emails do not wait.
"""

from __future__ import annotations

import enum
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import StateConflict
from newsletter.models import ClockMark, insert_new
from newsletter.notices import NoticeKind, settle, tell_owner

FILE_NAME = "clock-mark"
MINUTE = timedelta(minutes=1)
# A clock that was silent for longer may have been stopped, copied and restored in that time.
LONGEST_SILENCE = timedelta(hours=24)
# A confirmation raises the counter by two years of minutes. So no other host's file is ahead of it.
LEAP = 2 * 366 * 24 * 60
_ONLY = 1


class CopySign(enum.StrEnum):
    """Why this installation may be a copy."""

    OLDER = "older"
    NO_FILE = "no_file"
    OTHER_DATABASE = "other_database"
    SILENT = "silent"


IN_WORDS: Mapping[CopySign, str] = {
    CopySign.OLDER: "The database is older than the data folder, as after a restore.",
    CopySign.NO_FILE: "The database was copied without its data folder.",
    CopySign.OTHER_DATABASE: "The database was copied to another name or another PostgreSQL server.",
    CopySign.SILENT: "The clock has not run for more than a day.",
}


@dataclass(frozen=True)
class Mark:
    """What the database says: the counter, when and by what it was raised, and which database it is."""

    ticks: int
    ticked_at: datetime
    by_clock: bool
    database: str


def find_sign(
    mark: Mark | None, in_file: int | None, database: str, now: datetime, *, is_sqlite: bool
) -> CopySign | None:
    """Return the sign that this is a copy, or None. Pure.

    `in_file` is the counter of the data folder, None without a file. A database without a mark is new.
    """
    if in_file is not None and in_file > (mark.ticks if mark else 0):
        return CopySign.OLDER
    if mark is None:
        return None
    if is_sqlite and in_file is None:
        return CopySign.NO_FILE
    if mark.database != database:
        return CopySign.OTHER_DATABASE
    if mark.by_clock and now - mark.ticked_at > LONGEST_SILENCE:
        return CopySign.SILENT
    return None


def is_held(
    reading: Callable[[], Session], writing: Callable[[], Session], folder: Path, now: datetime
) -> bool:
    """Return whether digests wait because this may be a copy. The first time, tell the owner. It commits."""
    with reading() as session:
        row = session.get(ClockMark, _ONLY)
        if row is not None and row.copy_sign is not None:
            return True
        sign = _sign(session, row, folder, now)
    if sign is None:
        return False
    with writing() as session:
        _hold(session, sign, now)
        session.commit()
    return True


def tick(
    reading: Callable[[], Session],
    writing: Callable[[], Session],
    folder: Path,
    now: datetime,
    *,
    by_clock: bool,
) -> None:
    """Raise the counter if a minute has passed and this is no copy. It commits. Several hosts may call it."""
    if is_held(reading, writing, folder, now):
        return
    with reading() as session:
        row = session.get(ClockMark, _ONLY)
        if row is not None and row.by_clock == by_clock and now - row.ticked_at < MINUTE:
            return
        database = _database(session)
    if row is None:
        # Before the row, so that a process that is killed in between leaves no row without a file.
        write_file(folder, 0)
    first = {"id": _ONLY, "ticks": 0, "ticked_at": now, "by_clock": by_clock, "database": database}
    with writing() as session:
        session.execute(insert_new(session, ClockMark).values(first))
        raised = (
            update(ClockMark)
            .where(ClockMark.id == _ONLY, ClockMark.copy_sign.is_(None))
            .values(ticks=ClockMark.ticks + 1, ticked_at=now, by_clock=by_clock)
        )
        ticks = session.scalar(raised.returning(ClockMark.ticks))
        session.commit()
    if ticks is not None:
        # After the commit: a file that is ahead of the database is the sign of a copy.
        write_file(folder, ticks)


def hold_restored(session: Session, now: datetime) -> None:
    """Let digests of a database that was just restored wait until a person confirms. Commits nothing."""
    _hold(session, CopySign.OLDER, now)


def send_from_here(session: Session, folder: Path, actor: str, now: datetime) -> None:
    """Let digests go from this installation, because `actor` says so. Commits nothing.

    Raises StateConflict if digests do not wait for that.
    """
    chosen = select(ClockMark).where(ClockMark.id == _ONLY, ClockMark.copy_sign.is_not(None))
    row = session.scalar(chosen.with_for_update())
    if row is None:
        raise StateConflict("Digests do not wait for this. The installation is no restored copy.")
    ticks = max(row.ticks, read_file(folder) or 0) + LEAP
    row.ticks, row.ticked_at, row.by_clock = ticks, now, False
    row.database, row.copy_sign = _database(session), None
    settle(session, NoticeKind.RESTORED_COPY, "", now)
    audit.record(session, actor, "installation.send_from_here", "", now)
    session.flush()
    # The file may be ahead until the commit. If the commit fails, digests go on waiting.
    write_file(folder, ticks)


def held_because(session: Session) -> str | None:
    """Return in words why digests wait as those of a copy, or None if they do not."""
    row = session.get(ClockMark, _ONLY)
    return None if row is None or row.copy_sign is None else _words(row.copy_sign)


def read_file(folder: Path) -> int | None:
    """Return the counter in the data folder, or None if there is no file that can be read."""
    try:
        return int((folder / FILE_NAME).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def write_file(folder: Path, ticks: int) -> None:
    """Write the counter into the data folder, whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{FILE_NAME}-", delete=False) as file:
        file.write(f"{ticks}\n")
    Path(file.name).replace(folder / FILE_NAME)


def _sign(session: Session, row: ClockMark | None, folder: Path, now: datetime) -> CopySign | None:
    mark = None if row is None else Mark(row.ticks, row.ticked_at, row.by_clock, row.database)
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return find_sign(mark, read_file(folder), _database(session), now, is_sqlite=is_sqlite)


def _hold(session: Session, sign: CopySign, now: datetime) -> None:
    values = {"id": _ONLY, "ticks": 0, "ticked_at": now, "by_clock": False, "database": ""}
    session.execute(insert_new(session, ClockMark).values(values))
    session.execute(update(ClockMark).where(ClockMark.id == _ONLY).values(copy_sign=sign.value))
    tell_owner(session, NoticeKind.RESTORED_COPY, "", now, what=IN_WORDS[sign])


def _words(sign: str) -> str:
    # Another version may have written a sign that this one does not know.
    return IN_WORDS[CopySign(sign)] if sign in set(CopySign) else "It may be a restored copy."


def _database(session: Session) -> str:
    """Return what identifies a PostgreSQL database: the cluster's identifier and the database's oid."""
    if session.get_bind().dialect.name == "sqlite":
        return ""
    oid = session.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    try:
        with session.begin_nested():
            cluster = session.scalar(text("SELECT system_identifier FROM pg_control_system()"))
    except SQLAlchemyError:  # a hosted database may not allow this function
        cluster = 0
    return f"{cluster}:{oid}"
