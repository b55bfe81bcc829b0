"""Run migrations on the engine in the config's attributes, or on the database of `alembic -x url=...`."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection, Engine, create_engine

from newsletter.models import Base
from newsletter.models.base import UTCDateTime

# A lock number that only this program uses. Two hosts that start at once migrate one after the other.
MIGRATION_LOCK = 7_305_411_889


def run_migrations() -> None:
    engine: Engine = context.config.attributes.get("engine") or create_engine(
        context.get_x_argument(as_dictionary=True)["url"]
    )
    with engine.connect() as connection:
        # Batch mode drops a table and renames its copy, and foreign keys would make that fail.
        set_foreign_keys(connection, "OFF")
        try:
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=True,
                compare_server_default=True,
                process_revision_directives=number_revision,
                render_item=render_item,
                include_name=has_a_model,
            )
            with context.begin_transaction():
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                context.run_migrations()
        finally:
            connection.rollback()
            set_foreign_keys(connection, "ON")


def set_foreign_keys(connection: Connection, state: str) -> None:
    """Turn SQLite's foreign keys on or off. Call it outside a transaction.

    Inside a transaction SQLite ignores the pragma, and SQLAlchemy begins one before each statement. So the
    statement goes to the driver.
    """
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(f"PRAGMA foreign_keys = {state}")


def has_a_model(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave out tables without a model: the search index of SQLite makes its own."""
    return kind != "table" or name in Base.metadata.tables


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    """Write our own column types as plain SQLAlchemy types: migrations must not need the models."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def number_revision(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Number revisions 0001, 0002, ... in order."""
    if directives:
        made = len(list(context.script.walk_revisions()))
        directives[0].rev_id = f"{made + 1:04d}"


run_migrations()
