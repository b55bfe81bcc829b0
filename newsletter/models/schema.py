"""The schema version: the newest migration of this program, and the last one applied to a database."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text


@lru_cache
def newest_version(migrations: Path) -> str:
    """Return the number of the newest migration in a folder. Migrations are numbered and have one head."""
    return max(path.name.partition("_")[0] for path in (migrations / "versions").glob("[0-9]*.py"))


def applied_version(connection: Connection) -> str | None:
    """Return the number of the last migration applied, or None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)
