"""Keeps a table append-only: by triggers in the database itself, whatever a program or a person tries.

Sessions refuse to change or delete an entry before the database has to. Tables made from the models
get their triggers as they are made; an installed database by a migration, which carries its own copy.
A guard test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, event
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import DeclarativeBase, Session

# On SQLite a REPLACE deletes without asking the delete trigger, so inserting over a row is refused too.
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
    """Give the table of `model` its triggers as soon as it is made, and have sessions refuse changes.

    `allowed` is the SQL condition, by dialect, under which a row may change; never by default. What is
    allowed is done by statements (`update`): an entry in a session is only read.
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
