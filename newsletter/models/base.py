"""The declarative base, the column types every table shares, and how a database is opened."""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import stat
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Integer,
    MetaData,
    Select,
    Text,
    create_engine,
    event,
    func,
    literal,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, Connection
from sqlalchemy.orm import DeclarativeBase, ORMExecuteState, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

# How long a writer waits for another one on SQLite, which has a single writer.
BUSY_SECONDS = 30

# An error would quote what was being stored, an address for instance, and end up in a log.
ENGINE_OPTIONS = {"hide_parameters": True}

# Names that a later migration can drop by (SQLite cannot drop what has no name).
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The plain base of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; refuses naive ones, which are always a mistake somewhere else."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime cannot be stored: {value!r}")
        value = value.astimezone(UTC)
        # SQLite keeps text and compares it as text, so every value has the same, offset-free form.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite gives its own row ids only to columns declared INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


def choice(enum: type[Any], name: str) -> Enum:
    """Return a column type that stores a string enum by its values, checked by a constraint."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


def new_public_id() -> str:
    """Return a fresh id that may be seen in a URL: 12 characters, 72 bits, not guessable.

    It never begins with a hyphen: a command would take such an id for an option.
    """
    while (made := secrets.token_urlsafe(9)).startswith("-"):
        pass
    return made


class WebSession(FlaskSession):
    """The session of a request: one that only reads takes no write lock and may not write."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        bind = super().get_bind(*args, **kwargs)
        if not isinstance(bind, Engine) or not self.info.get("writes"):
            return bind
        # One and the same object for each session: with a new one at every call, the second
        # statement would open a second connection and wait for the lock of the first.
        if "writer" not in self.info:
            self.info["writer"] = bind.execution_options(sqlite_begin="IMMEDIATE")
        return cast("Engine", self.info["writer"])


def insert_new(
    session: Session, model: type[Base], select_from: tuple[list[str], Select[Any]] | None = None
) -> Any:
    """Return an INSERT for `model` that leaves a row alone when it is there already.

    The same words on both databases: ON CONFLICT DO NOTHING, whatever the unique constraint.
    `select_from` are columns and the query that fills them.
    """
    dialect = session.get_bind().dialect.name
    statement = (sqlite_insert if dialect == "sqlite" else postgresql_insert)(model)
    if select_from is not None:
        statement = statement.from_select(*select_from)
    return statement.on_conflict_do_nothing()


def is_one_of(session: Session, column: Any, ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that `column` is among `ids`: one parameter, and one statement, for any number."""
    if session.get_bind().dialect.name == "sqlite":
        given = func.json_each(json.dumps(list(ids))).table_valued("value")
        return cast("ColumnElement[bool]", column.in_(select(given.c.value)))
    array = func.unnest(literal(list(ids), ARRAY(BigInteger()))).column_valued("id")
    return cast("ColumnElement[bool]", column.in_(select(array)))


def rows_as_table(
    session: Session, types: Mapping[str, type[int] | type[str]], rows: Sequence[Sequence[int | str | None]]
) -> Any:
    """Return `rows` as a table in a statement: one parameter (a column, on PostgreSQL) for thousands of rows.

    `types` name its columns and say what they hold.
    """
    kinds: dict[type, TypeEngine[Any]] = {int: BigInteger(), str: Text()}
    if session.get_bind().dialect.name == "sqlite":
        source = func.json_each(json.dumps(rows)).table_valued("value")
        columns = [
            sql_cast(func.json_extract(source.c.value, f"$[{at}]"), kinds[kind]).label(name)
            for at, (name, kind) in enumerate(types.items())
        ]
        return select(*columns).subquery("rows_given")
    arrays = [
        literal([row[at] for row in rows], ARRAY(kinds[kind])) for at, kind in enumerate(types.values())
    ]
    return func.unnest(*arrays).table_valued(*types).render_derived(name="rows_given")


db = SQLAlchemy(
    model_class=Base,
    disable_autonaming=True,
    session_options={"class_": WebSession},
    engine_options=ENGINE_OPTIONS,
)


@event.listens_for(WebSession, "before_flush")
def _refuse_writes_of_readers(session: Session, *_: object) -> None:
    # Link scanners and prefetchers follow every GET: one that writes is our fault, found at once.
    if not session.info.get("writes") and (session.new or session.dirty or session.deleted):
        raise RuntimeError("a request that only reads tried to write")


@event.listens_for(WebSession, "do_orm_execute")
def _refuse_statements_of_readers(state: ORMExecuteState) -> None:
    if not state.session.info.get("writes") and (state.is_insert or state.is_update or state.is_delete):
        raise RuntimeError("a request that only reads tried to write")


def open_engine(url: str | URL) -> Engine:
    """Return an engine for `url` whose transactions take SQLite's write lock at their beginning.

    For workers and the command line, whose sessions nearly all write. A transaction that reads
    first and writes later would fail at once when another writer came between (SQLITE_BUSY_SNAPSHOT).
    """
    return tune(create_engine(url, **ENGINE_OPTIONS)).execution_options(sqlite_begin="IMMEDIATE")


def _keep_private(database: str | None) -> None:
    """Take the rights of everybody else from SQLite's files, whoever made them and under whatever umask.

    SQLite gives the files beside the database the database's own mode.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):  # it is not there, or somebody else's
            path = Path(f"{database}{suffix}")
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                path.chmod(mode & 0o700)


def tune(engine: Engine) -> Engine:
    """Make SQLite durable and patient; return the same engine. Other databases are left alone."""
    if engine.dialect.name != "sqlite":
        return engine

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the "begin" event below begins, not the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # What is erased is overwritten. Debian's SQLite does so anyway; others do not.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()
        _keep_private(engine.url.database)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine
