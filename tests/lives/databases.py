"""SQLite and PostgreSQL databases for lives, reset quickly from a template before each life."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

from lives.turns import current, stop_here
from newsletter.models import Base, open_engine

LIVES_BETWEEN_VACUUMS = 100


class Database(Protocol):
    """One database, emptied for each life. `engines` are those of the two hosts."""

    @property
    def url(self) -> str: ...
    @property
    def engines(self) -> Sequence[Engine]: ...
    def begin(self) -> None:
        """Reset the database to its template."""

    def query(self, statement: str) -> Sequence[Sequence[Any]]:
        """Run a SELECT on a separate connection."""
        ...

    def run(self, statement: str) -> None:
        """Run a statement, and commit."""


@dataclass
class SQLiteDatabase:
    """A file that is copied from a template."""

    file: Path
    template: Path

    def __post_init__(self) -> None:
        self.url = f"sqlite:///{self.file}"
        self.engines = [open_engine(self.url) for _ in range(2)]
        self._own: sqlite3.Connection | None = None

    def begin(self) -> None:
        for engine in self.engines:
            engine.dispose()
        if self._own is not None:
            self._own.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.template, self.file)
        self._own = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False)
        self._own.execute("PRAGMA synchronous = OFF")

    def query(self, statement: str) -> Sequence[Sequence[Any]]:
        assert self._own is not None
        return self._own.execute(statement).fetchall()

    def run(self, statement: str) -> None:
        assert self._own is not None
        self._own.execute(statement)


@dataclass
class PostgreSQLDatabase:
    """A database whose rows are deleted and written again for each life. Each statement is a stop."""

    url: str

    def __post_init__(self) -> None:
        self.engines = [create_engine(self.url, hide_parameters=True) for _ in range(2)]
        for engine in self.engines:
            event.listen(engine, "before_cursor_execute", _stop_at_statement)
        plain = make_url(self.url)
        self._own = psycopg.connect(
            host=plain.host, port=plain.port, user=plain.username, dbname=plain.database, autocommit=True
        )
        # Append-only tables are written again too.
        self._own.execute("SET session_replication_role = replica")
        self._tables = [each.name for each in Base.metadata.sorted_tables]
        self._rows: list[str] = []
        self._lives = 0

    def keep_as_template(self) -> None:
        """Keep the present rows as the template of each life."""
        self._rows = []
        for table in self._tables:
            rows = self._own.execute(f"SELECT row_to_json(t)::text FROM {table} t".encode()).fetchall()
            for (row,) in rows:
                quoted = row.replace("'", "''")
                values = f"json_populate_record(null::{table}, '{quoted}')"
                self._rows.append(f"INSERT INTO {table} SELECT * FROM {values}")
        # Ids of a life begin after those of the template, so that a life can be replayed.
        for name, last in self._own.execute("SELECT sequencename, last_value FROM pg_sequences"):
            self._rows.append(f"SELECT setval('{name}', {last or 1}, {'true' if last else 'false'})")

    def begin(self) -> None:
        # For so few rows DELETE is ten times as fast as TRUNCATE. It leaves dead rows, which VACUUM removes.
        if self._lives % LIVES_BETWEEN_VACUUMS == 0:
            self._own.execute("VACUUM")
        self._lives += 1
        deletes = [f"DELETE FROM {table}" for table in self._tables]
        self._own.execute(";".join([*deletes, *self._rows]).encode())

    def query(self, statement: str) -> Sequence[Sequence[Any]]:
        return self._own.execute(statement.encode()).fetchall()

    def run(self, statement: str) -> None:
        self._own.execute(statement.encode())

    def is_blocked(self, pid: int) -> bool:
        """Return whether a server process waits for a lock."""
        return bool(self.query(f"SELECT pg_blocking_pids({int(pid)})")[0][0])


def _stop_at_statement(connection: Any, *_: object) -> None:
    strand = current()
    if strand is not None:
        strand.pid = connection.connection.dbapi_connection.info.backend_pid
        stop_here("statement")
