"""The database's version: what it is, what it should be, and how it gets there."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from newsletter.errors import ServiceError
from newsletter.mail.redact import without_addresses
from newsletter.models import open_engine
from newsletter.runtime import data_folder


def newest_version() -> str:
    """Return the number of the newest migration; they are numbered and have one head."""
    return max(
        path.name.partition("_")[0] for path in (data_folder("migrations") / "versions").glob("[0-9]*.py")
    )


def version(engine: Engine) -> str | None:
    """Return the number of the last migration that was applied, None for an empty database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)


def require_current(engine: Engine) -> None:
    """Raise ServiceError when the database is not there, or not of this program's version."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        # Asking would make an empty file.
        raise ServiceError(f"There is no database at {url.database} yet: run `newsletter db upgrade`.")
    found = _reach(engine)
    if found is None:
        raise ServiceError("The database is empty: run `newsletter db upgrade`.")
    if found < newest_version():
        raise ServiceError("The database is of an older version: run `newsletter db upgrade`.")
    if found > newest_version():
        raise ServiceError("The database is of a newer version than this program: upgrade the program.")


def upgrade(url: str | URL) -> tuple[str | None, str]:
    """Bring the database at `url` up to date; return the versions before and after.

    Raises ServiceError when it cannot be reached.
    """
    from alembic import command  # noqa: PLC0415 (slow to import, and seldom needed)
    from alembic.config import Config  # noqa: PLC0415

    if make_url(url).get_backend_name() == "sqlite":
        Path(make_url(url).database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_engine(url)
    before = _reach(engine)
    if before != newest_version():
        config = Config()
        config.set_main_option("script_location", str(data_folder("migrations")).replace("%", "%%"))
        config.attributes["engine"] = engine
        command.upgrade(config, "head")
    engine.dispose()
    return before, newest_version()


def _reach(engine: Engine) -> str | None:
    try:
        return version(engine)
    except OperationalError as fault:
        place = engine.url.render_as_string(hide_password=True)
        raise ServiceError(f"The database {place} cannot be reached: {fault.orig}") from fault


def database_fault(fault: DBAPIError) -> ServiceError:
    """Return what went wrong in the database, as a sentence that says what to do. Names no value."""
    words = str(fault.orig).strip().splitlines()[0] if str(fault.orig).strip() else type(fault).__name__
    if "disk is full" in words or "No space left" in words or "disk I/O error" in words:
        advice = "make room on the disk that holds the database, then start again"
    elif "locked" in words:
        advice = "another process has been writing for half a minute; try again"
    elif "no such table" in words or "UndefinedTable" in type(fault.orig).__name__:
        advice = "run: newsletter db upgrade"
    else:
        advice = "look at the database, then start again"
    return ServiceError(
        f"the database could not do this: {without_addresses(words)}. Nothing is lost: {advice}."
    )
