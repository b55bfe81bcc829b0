"""The version of the database schema: read it, require it, wait for it and upgrade it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from newsletter.errors import ServiceError
from newsletter.mail.redact import without_addresses
from newsletter.models import applied_version, newest_version, open_engine
from newsletter.runtime import data_folder
from newsletter.service.database.fingerprints import fill_fingerprints
from newsletter.service.database.search_index import fill_index

# How long a starting process waits for a database or a broker that may start at the same time.
AWAIT_SECONDS = 30.0

log = logging.getLogger(__name__)


def newest() -> str:
    """Return the number of the newest migration of this program."""
    return newest_version(data_folder("migrations"))


def version(engine: Engine) -> str | None:
    """Return the number of the last applied migration, None for an empty database."""
    with engine.connect() as connection:
        return applied_version(connection)


def require_current(engine: Engine) -> None:
    """Raise ServiceError if the database does not exist, or is not at this program's version."""
    _refuse_newer(require_served(engine))


def require_served(engine: Engine) -> str:
    """Return the database's version. A newer one is accepted: hosts are upgraded one after the other.

    Raises ServiceError if the database does not exist, or lacks a migration that this program needs.
    """
    url = engine.url
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        # Connecting would create an empty file.
        raise ServiceError(f"There is no database at {url.database} yet: run `newsletter db upgrade`.")
    found = _reach(engine)
    if found is None:
        raise ServiceError("The database is empty: run `newsletter db upgrade`.")
    if found < newest():
        raise ServiceError("The database has an older version: run `newsletter db upgrade`.")
    return found


def _refuse_newer(found: str | None) -> None:
    if found is not None and found > newest():
        raise ServiceError("The database has a newer version than this program: upgrade the program.")


def require_reachable(engine: Engine) -> None:
    """Raise ServiceError if a database server cannot be reached. For SQLite nothing is checked."""
    if engine.url.get_backend_name() != "sqlite":
        _reach(engine)


def await_database(
    url: str | URL, require: Callable[[Engine], object] = require_served, seconds: float = AWAIT_SECONDS
) -> None:
    """Call `require` with the database until it raises no ServiceError, for up to `seconds`.

    Raises the last error of `require` when the time is over.
    """
    engine = open_engine(url)
    try:
        patiently(lambda: require(engine), "database", seconds)
    finally:
        engine.dispose()


def patiently(attempt: Callable[[], object], what: str, seconds: float) -> None:
    """Call `attempt` once a second until it raises no ServiceError. After `seconds`, raise the last one."""
    deadline = time.monotonic() + seconds
    waits = False
    while True:
        try:
            attempt()
        except ServiceError as fault:
            if time.monotonic() >= deadline:
                raise
            if not waits:
                log.warning("event=waiting for=%s seconds=%g fault=%s", what, seconds, fault)
            waits = True
            time.sleep(max(0.0, min(1.0, deadline - time.monotonic())))
        else:
            return


def upgrade(url: str | URL) -> tuple[str | None, str]:
    """Upgrade the database at `url` to this program's version; return the versions before and after.

    Raises ServiceError if it cannot be made or reached, or is newer than this program.
    """
    from alembic import command  # noqa: PLC0415 (slow to import, and seldom needed)
    from alembic.config import Config  # noqa: PLC0415

    if make_url(url).get_backend_name() == "sqlite":
        _make_folder(Path(make_url(url).database or "").parent)
    engine = open_engine(url)
    before = _reach(engine)
    _refuse_newer(before)
    if before != newest():
        config = Config()
        config.set_main_option("script_location", str(data_folder("migrations")).replace("%", "%%"))
        config.attributes["engine"] = engine
        command.upgrade(config, "head")
    # Not in the migration: so each batch is a short transaction, and an interrupted upgrade continues here.
    fill_index(engine)
    fill_fingerprints(engine)
    engine.dispose()
    return before, newest()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise ServiceError(
            f"The folder {folder} of the database cannot be made: {fault.strerror}. "
            "Choose another with NEWSLETTER_DATA_DIR or NEWSLETTER_DATABASE_URL."
        ) from fault


def _reach(engine: Engine) -> str | None:
    try:
        return version(engine)
    except DBAPIError as fault:
        url = engine.url
        place = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
        # The error of PostgreSQL's client has several lines. It never contains the password.
        words = " ".join(str(fault.orig).split())
        raise ServiceError(f"The database {place} cannot be reached: {words}") from fault


def database_fault(fault: DBAPIError) -> ServiceError:
    """Return an error that says what failed in the database and what to do. It contains no email address."""
    words = str(fault.orig).strip().splitlines()[0] if str(fault.orig).strip() else type(fault).__name__
    if "disk is full" in words or "No space left" in words or "disk I/O error" in words:
        advice = "free space on the disk of the database, then start again"
    elif "locked" in words:
        advice = "another process has been writing for half a minute; try again"
    elif "no such table" in words or "UndefinedTable" in type(fault.orig).__name__:
        advice = "run: newsletter db upgrade"
    else:
        advice = "check the database, then start again"
    return ServiceError(f"the database failed: {without_addresses(words)}. Nothing is lost: {advice}.")
