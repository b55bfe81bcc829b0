"""A PostgreSQL on this machine that keeps what it is told, with installations to measure in it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from servers import postgresql as servers

from benchmarks.installations import step
from benchmarks.measure import cpu_seconds
from benchmarks.versions import CACHE, THIS, Version

# As installed, but for the memory that any handbook gives it. Nothing here makes a commit less durable.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "256MB",
    "max_connections": "60",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Server:
    """A running server."""

    server: servers.PostgreSQL
    pid: int

    @classmethod
    @contextlib.contextmanager
    def start(cls) -> Iterator[Server]:
        """Run a new server until the block ends."""
        with (
            servers.run_postgresql(OPTIONS) as server,
            psycopg.connect(_plain(server.url("postgres"))) as asked,
        ):
            # Its processes are children of the first one.
            backend = asked.info.backend_pid
            yield cls(server, _parent(backend))

    def installation(self, kind: str, readers: int, version: Version = THIS) -> str:
        """Return the database of an installation of `version` whose issue is ready to be sent."""
        name = self.server.create_database()
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            for words in (("fill", kind, str(readers)), ("prepare",)):
                step(*words, data_dir=Path(folder), database_url=self.server.url(name), version=version)
        self._run(name, "VACUUM ANALYZE")
        return name

    @contextlib.contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """Give the URL of a copy of a database, all of it on the disk."""
        name = self.server.create_database(template)
        self._run(name, "CHECKPOINT")
        yield self.server.url(name)
        self.server.drop_database(name)

    def cpu_seconds(self) -> float:
        """Return what the server has used so far, all its processes together."""
        return cpu_seconds(self.pid)

    def _run(self, database: str, statement: str) -> None:
        with psycopg.connect(_plain(self.server.url(database)), autocommit=True) as connection:
            connection.execute(statement.encode())


def _plain(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
