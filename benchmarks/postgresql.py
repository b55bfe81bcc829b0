"""A durable PostgreSQL server on this machine, with installations to measure."""

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

# The installed defaults, with the memory that every handbook recommends. Commits stay fully durable.
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
            # The server's processes are children of the process that we look for.
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
        """Yield the URL of a copy of a database, after a checkpoint has written it to disk."""
        name = self.server.create_database(template)
        self._run(name, "CHECKPOINT")
        yield self.server.url(name)
        self.server.drop_database(name)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that all processes of the server have used so far."""
        return cpu_seconds(self.pid)

    def _run(self, database: str, statement: str) -> None:
        with psycopg.connect(_plain(self.server.url(database)), autocommit=True) as connection:
            connection.execute(statement.encode())


def _plain(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
