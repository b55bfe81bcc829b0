"""Make a table append-only by database triggers, so that no program and no person can change its rows.

A session also refuses to change or delete an entry, before the database does. Tables made from the models get
their triggers when they are made. Installed databases get them by a migration, which has its own copy of the
SQL. A guard test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, event
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Session

# On SQLite, REPLACE deletes a row without running the delete trigger, so inserting over a row is refused too.
_SQLITE = (
    (
        "CREATE TRIGGER {table}_keeps_rows BEFORE DELETE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    ),
    (
        "CREATE TRIGGER {table}_keeps_places BEFORE INSERT ON {table} "
        "WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    ),
    (
        "CREATE TRIGGER {table}_keeps_words BEFORE UPDATE ON {table} "
        "WHEN NOT ({allowed}) BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    ),
)

_POSTGRESQL = (
    (
        "CREATE OR REPLACE FUNCTION {table}_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$"
    ),
    (
        "CREATE OR REPLACE FUNCTION {table}_keeps() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN IF {allowed} THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$"
    ),
    (
        "CREATE TRIGGER {table}_keeps_rows BEFORE DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION {table}_refuses()"
    ),
    (
        "CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuses()"
    ),
    (
        "CREATE TRIGGER {table}_keeps_words BEFORE UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION {table}_keeps()"
    ),
)


def keep_append_only(model: type[DeclarativeBase], allowed: dict[str, str] | None = None) -> None:
    """Create the triggers with the table of `model`, and make sessions refuse changes of its rows.

    `allowed` is the SQL condition, by dialect, under which a row may change; by default it never may. Make
    such a change by an `update` statement, because a session never changes an entry.
    """
    conditions = allowed or {"sqlite": "0", "postgresql": "FALSE"}

    @event.listens_for(model.__table__, "after_create")
    def protect(table: Table, connection: Connection, **_more: Any) -> None:
        dialect = connection.dialect.name
        for statement in _SQLITE if dialect == "sqlite" else _POSTGRESQL:
            text = statement.format(table=table.name, allowed=conditions[dialect])
            connection.exec_driver_sql(text)

    @event.listens_for(model, "before_update")
    @event.listens_for(model, "before_delete")
    def refuse(_mapper: Any, _connection: Connection, entry: Any) -> None:
        session = Session.object_session(entry)
        if session is None or entry in session.deleted or session.is_modified(entry):
            raise InvalidRequestError(f"{model.__tablename__} is append-only")
