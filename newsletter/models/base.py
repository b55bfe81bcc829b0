"""The declarative base, shared column types, SQL helpers, and how to open a database."""

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
    ForeignKey,
    Integer,
    MetaData,
    Select,
    Text,
    any_,
    create_engine,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, Connection
from sqlalchemy.orm import DeclarativeBase, Mapped, ORMExecuteState, Session, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

# How long a transaction on SQLite waits for the write lock: only one may write at a time.
BUSY_SECONDS = 30

# Without this, a database error would quote its parameters (addresses, for example) in a log.
ENGINE_OPTIONS = {"hide_parameters": True}
# How many database connections an engine may have beyond its pool. A drain uses up to four of them for each
# relay that it serves at the same time (outbox/drain/several_relays.py).
MOST_OVERFLOW = 60

# Constraints get names, because a later migration on SQLite can drop them only by name.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base class of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime. Refuses naive ones, which are always a mistake of the caller."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime cannot be stored: {value!r}")
        value = value.astimezone(UTC)
        # SQLite stores and compares datetimes as text, so all are stored in UTC without an offset.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite assigns ids only to a primary key that is declared INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


def choice(enum: type[Any], name: str) -> Enum:
    """Return a column type that stores the values of a string enum, with a check constraint."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


def newsletter_column(*, index: bool = False) -> Mapped[int]:
    """Return the column that names the newsletter that a row belongs to.

    Its default is in the database. During an upgrade, other hosts run the version before, which inserts rows
    without this column.
    """
    return mapped_column(ForeignKey("newsletter.id"), server_default=text("1"), index=index)


def new_public_id() -> str:
    """Return a new random id for URLs: 12 characters, 72 bits.

    It never begins with a hyphen, because a command would take such an id for an option.
    """
    while (made := secrets.token_urlsafe(9)).startswith("-"):
        pass
    return made


class WebSession(FlaskSession):
    """The session of a web request. A request that only reads takes no write lock and may not write."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        bind = super().get_bind(*args, **kwargs)
        if not isinstance(bind, Engine) or not self.info.get("writes"):
            return bind
        # Keep one engine object for each session. With a new object at every call, the second statement would
        # open a second connection and wait for the write lock of the first.
        if "writer" not in self.info:
            self.info["writer"] = bind.execution_options(sqlite_begin="IMMEDIATE")
        return cast("Engine", self.info["writer"])


def insert_new(
    session: Session, model: type[Base], select_from: tuple[list[str], Select[Any]] | None = None
) -> Any:
    """Return an INSERT for `model` that skips rows that exist already.

    It is ON CONFLICT DO NOTHING, for any unique constraint, on both databases. `select_from` has the columns
    and the query that fills them.
    """
    dialect = session.get_bind().dialect.name
    statement = (sqlite_insert if dialect == "sqlite" else postgresql_insert)(model)
    if select_from is not None:
        statement = statement.from_select(*select_from)
    return statement.on_conflict_do_nothing()


def is_one_of(session: Session, column: Any, ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that `column` is in `ids`. All ids are one parameter, however many there are."""
    if session.get_bind().dialect.name == "sqlite":
        given = func.json_each(json.dumps(list(ids))).table_valued("value")
        return cast("ColumnElement[bool]", column.in_(select(given.c.value)))
    # PostgreSQL finds the rows in one scan of an index. With IN (SELECT unnest(...)) it looks up each id.
    return cast("ColumnElement[bool]", column == any_(literal(list(ids), ARRAY(BigInteger()))))


def rows_as_table(
    session: Session, types: Mapping[str, type[int] | type[str]], rows: Sequence[Sequence[int | str | None]]
) -> Any:
    """Return `rows` as a table for a statement, with one parameter (on PostgreSQL one for each column).

    `types` has the name and the type of each column.
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
def _refuse_writes_when_reading(session: Session, *_: object) -> None:
    # Link scanners and prefetchers follow every link, so a GET must not write. If one does, it is our bug.
    if not session.info.get("writes") and (session.new or session.dirty or session.deleted):
        raise RuntimeError("a request that only reads tried to write")


@event.listens_for(WebSession, "do_orm_execute")
def _refuse_statements_when_reading(state: ORMExecuteState) -> None:
    if not state.session.info.get("writes") and (state.is_insert or state.is_update or state.is_delete):
        raise RuntimeError("a request that only reads tried to write")


def open_engine(url: str | URL) -> Engine:
    """Return an engine for `url` whose transactions take SQLite's write lock when they begin.

    It is for workers and the command line, where nearly all transactions write. Without it, a transaction
    that reads first fails at its first write if another one has written meanwhile (SQLITE_BUSY_SNAPSHOT).
    """
    engine = create_engine(url, **ENGINE_OPTIONS, max_overflow=MOST_OVERFLOW)
    return tune(engine).execution_options(sqlite_begin="IMMEDIATE")


def _keep_private(database: str | None) -> None:
    """Remove the access rights of group and others from SQLite's files, also from existing ones.

    SQLite makes the files beside the database with the mode of the database file.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):  # the file is missing, or another user owns it
            path = Path(f"{database}{suffix}")
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                path.chmod(mode & 0o700)


def tune(engine: Engine) -> Engine:
    """Set SQLite's pragmas for every connection (durability, lock timeout, ...); return the same engine.

    Engines of other databases are not changed.
    """
    if engine.dialect.name != "sqlite":
        return engine

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the "begin" event below begins transactions, not the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # Overwrite deleted data with zeros. Debian's SQLite does this by default, others do not.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()
        _keep_private(engine.url.database)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine
