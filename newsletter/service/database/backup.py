"""Back up a SQLite database while the service runs, and restore such a backup safely.

A restore never changes the database that is there. It makes a new file beside it, checks and upgrades that,
lets digests wait, and then puts it in place in one step. The old database is kept under another name.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import ServiceError
from newsletter.models import Delivery, DeliveryState, Heartbeat, applied_version, open_engine
from newsletter.outbox.copies import hold_restored
from newsletter.outbox.journals.journal import Record
from newsletter.outbox.recover import replay
from newsletter.runtime import Runtime
from newsletter.service.database.schema import newest, upgrade
from newsletter.service.heartbeat import SILENT
from newsletter.settings import Settings

# How many pages are copied at a time. Between two steps, other processes may write.
PAGES = 2000
# Seconds to wait for a process that is just closing the database.
PATIENCE = 5.0


@dataclass(frozen=True)
class Restored:
    """The result of a restore.

    `kept` is the former database, None if there was none. `uncertain` counts the emails that were being sent
    when the backup was made.
    """

    version: str
    kept: Path | None
    uncertain: int


def back_up(settings: Settings, target: Path) -> int:
    """Copy the database to a new file, while the service may run; return its size in bytes.

    Raises ServiceError if it is no SQLite database, or if there is a file of that name.
    """
    source = _sqlite_file(settings)
    if not source.is_file():
        raise ServiceError(f"There is no database at {source} yet: run `newsletter db upgrade`.")
    if target.exists():
        raise ServiceError(f"{target} exists already. Choose another name; a backup never replaces a file.")
    with _new_file(target) as part:
        _copy(source, part)
        _check(part)
        os.link(part, target)
    _sync(target.parent)
    return target.stat().st_size


def restore(settings: Settings, backup: Path, now: datetime) -> Restored:
    """Put a backup in the place of the database, and let digests wait for a person.

    Raises ServiceError, and changes nothing, if the service runs or the backup cannot be used.
    """
    place = _sqlite_file(settings)
    if not backup.is_file():
        raise ServiceError(f"There is no file {backup}.")
    if place.exists() and backup.samefile(place):
        raise ServiceError(
            f"{backup} is the database itself. Name a backup that `newsletter db backup` made."
        )
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _nobody_uses(place, now), _new_file(place.with_name(f"{place.name}.restoring")) as part:
        _copy(backup, part)
        _check(part)
        uncertain = _prepare(settings, part, now)
        kept = _keep_old(place, now)
        part.replace(place)
        for suffix in ("-wal", "-shm"):
            Path(f"{place}{suffix}").unlink(missing_ok=True)
        _sync(place.parent)
    return Restored(newest(), kept, uncertain)


def _sqlite_file(settings: Settings) -> Path:
    url = settings.database
    if url.get_backend_name() != "sqlite":
        raise ServiceError(
            "This is for SQLite only. Back up PostgreSQL with pg_dump, and restore with pg_restore."
        )
    return Path(url.database or "")


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """Yield a file for the copy, which only its owner can read. What is left of it is removed at the end."""
    part = target.with_name(f".{target.name}.part")
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{part}{suffix}").unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
    except OSError as fault:
        raise ServiceError(f"{fault.filename or target}: {fault.strerror}. Nothing was changed.") from fault
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{part}{suffix}").unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> None:
    """Copy a database into an empty file, as of one moment, also while others write to it."""
    try:
        with closing(_open(source)) as read, closing(sqlite3.connect(part)) as written:
            read.backup(written, pages=PAGES, sleep=0.05)
            written.execute("PRAGMA journal_mode = DELETE")
        with part.open("rb") as file:
            os.fsync(file.fileno())
    except sqlite3.Error as fault:
        raise ServiceError(f"{source} cannot be copied: {fault}. Nothing was changed.") from fault


def _open(file: Path) -> sqlite3.Connection:
    # Read-only, so that a file that is no database is not changed.
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)


def _check(part: Path) -> None:
    """Raise ServiceError unless the copy is a whole database of this program or of an older version."""
    try:
        with closing(_open(part)) as connection:
            ((found,), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as fault:
        raise ServiceError(f"This is no database that can be used: {fault}. Nothing was changed.") from fault
    if found != "ok" or broken is not None:
        raise ServiceError(f"The database is damaged ({found}). Nothing was changed.")
    engine = open_engine(f"sqlite:///{part}")
    try:
        with engine.connect() as connection:
            version = applied_version(connection)
    finally:
        engine.dispose()
    if version is None:
        raise ServiceError("This is not a database of this program. Nothing was changed.")
    if version > newest():
        raise ServiceError("The backup has a newer version than this program: upgrade the program first.")


def _prepare(settings: Settings, part: Path, now: datetime) -> int:
    """Upgrade a copy, let its digests wait, and decide its leases; return how many were uncertain."""
    upgrade(f"sqlite:///{part}")
    engine = open_engine(f"sqlite:///{part}")
    maker = Runtime(settings).messages
    try:
        with Session(engine) as session:
            hold_restored(session, now)
            # Their workers went on after the backup. What they sent is not known, whatever a journal says.
            leased = select(Delivery.leased_by).where(Delivery.state == DeliveryState.LEASED).distinct()
            lost = [Record(name or "", {}, frozenset(), complete=False) for name in session.scalars(leased)]
            uncertain = sum(replay(session, maker, each, now) for each in lost)
            session.query(Heartbeat).delete()
            session.commit()
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
            connection.exec_driver_sql("BEGIN")
    finally:
        engine.dispose()
    return uncertain


@contextmanager
def _nobody_uses(place: Path, now: datetime) -> Iterator[None]:
    """Raise ServiceError if a process uses the database; until the end, none can open it."""
    if not place.exists():
        yield
        return
    _refuse_living(place, now)
    with closing(sqlite3.connect(place, timeout=PATIENCE, isolation_level=None)) as connection:
        try:
            # This needs the only connection: with a second one, the database cannot leave WAL mode.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as fault:
            raise ServiceError(f"The database is in use ({fault}). {_STOP}") from fault
        except sqlite3.DatabaseError:
            pass  # a damaged database may be replaced
        yield


_STOP = "Stop the service first: newsletter run, worker, web and beat. Nothing was changed."


def _refuse_living(place: Path, now: datetime) -> None:
    """Raise ServiceError if a process had a heartbeat within the last minute."""
    engine = open_engine(f"sqlite:///{place}")
    try:
        with Session(engine.execution_options(sqlite_begin="DEFERRED")) as session:
            seen = select(Heartbeat.name).where(Heartbeat.seen_at > now - SILENT).order_by(Heartbeat.name)
            name = session.scalars(seen).first()
    except Exception:
        # A damaged database, or one without tables, has no heartbeats and may be replaced.
        return
    finally:
        engine.dispose()
    if name is not None:
        raise ServiceError(
            f"The process {name} was seen within the last minute. {_STOP} After a crash, wait for a minute."
        )


def _keep_old(place: Path, now: datetime) -> Path | None:
    if not place.exists():
        return None
    kept = place.with_name(f"{place.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    # A second name for the same file: so there is a database at its place at every moment.
    os.link(place, kept)
    return kept


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
