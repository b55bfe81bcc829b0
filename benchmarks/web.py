"""Run our web server and the bare application for a benchmark, and make the forms sent to them."""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from servers.processes import LOOPBACK, free_port, running

from benchmarks.installations import DATABASE, environ
from benchmarks.versions import CACHE, THIS, Version

WORKERS = 2
THREADS = 8
# Each network may send sixty forms in ten minutes. This many stay well below that limit.
PER_NETWORK = 40


@dataclass(frozen=True)
class Server:
    """A running web server: its port, its first process, and its database file."""

    port: int
    pid: int
    database: Path

    def page(self, path: str = "/") -> tuple[dict[str, str], str]:
        """Open a page with a form; return its hidden fields and the cookie."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}") as answer:
            text, cookie = answer.read().decode(), (answer.headers["Set-Cookie"] or "").split(";")[0]
        hidden = {}
        for tag in re.findall(r"<input[^>]*>", text):
            found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            if found.get("type") == "hidden":
                hidden[found["name"]] = found.get("value", "")
        return hidden, cookie

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(count)

    def forms(self, fields: Mapping[str, str], prefix: str, start: int = 0) -> Iterator[bytes]:
        """Yield requests without end: the form of one page, each with a new address and visitor."""
        hidden, cookie = self.page()
        fixed = (
            urlencode({**hidden, **fields, "email": ""}).replace("email=", "").strip("&").replace("&&", "&")
        )
        for number in itertools.count(start):
            yield self.form(fixed, cookie, f"{prefix}{number}@example.net", number)

    def form(self, fixed: str, cookie: str, email: str, number: int) -> bytes:
        """Return one request. `fixed` is the body without the address; `number` selects the IP address."""
        body = f"{fixed}&email={email.replace('@', '%40')}".encode()
        network, host = divmod(number, PER_NETWORK)
        visitor = f"{11 + (network >> 16) % 200}.{network >> 8 & 255}.{network & 255}.{host + 1}"
        head = (
            f"POST / HTTP/1.1\r\nHost: {LOOPBACK}:{self.port}\r\nCookie: {cookie}\r\n"
            f"X-Forwarded-For: {visitor}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextlib.contextmanager
def serve_ours(version: Version = THIS, **settings: str) -> Iterator[Server]:
    """Run the web server of `version` on a new installation with three topics."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE) as name:
        folder = Path(name)
        given = {
            "public_url": f"http://{LOOPBACK}:{port}",
            "trusted_proxies": f"{LOOPBACK}/32",
            "bind": f"{LOOPBACK}:{port}",
            "web_workers": str(WORKERS),
            **settings,
        }
        env = environ(folder, version=version) | {
            f"NEWSLETTER_{key.upper()}": value for key, value in given.items()
        }
        ours = [version.python, "-m", "newsletter", "--env-file", ""]
        made = [["db", "upgrade"]]
        made += [["topic", "add", each, each.title(), "--words", each] for each in TOPICS]
        for words in made:
            subprocess.run([*ours, *words], env=env, cwd=folder, check=True, capture_output=True)  # noqa: S603
        # The service's own command, because another version may run another web server.
        with run_server(port, [*ours, "web"], env, folder) as pid:
            yield Server(port, pid, folder / DATABASE)


TOPICS = ("energy", "harbour", "health")


@contextlib.contextmanager
def serve_bare() -> Iterator[Server]:
    """Run the bare application."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE) as name:
        folder = Path(name)
        env = environ(folder) | {"BARE_DATABASE": str(folder / DATABASE)}
        command = [
            sys.executable, "-m", "gunicorn", "--config", "python:newsletter.service.web_server",
            "--bind", f"{LOOPBACK}:{port}", "--workers", str(WORKERS), "--worker-class", "gthread",
            "--threads", str(THREADS), "--log-level", "warning", "--no-control-socket",
            "benchmarks.peers.bare_signup:make_application()",
        ]  # fmt: skip
        with run_server(port, command, env, folder) as pid:
            yield Server(port, pid, folder / DATABASE)


@contextlib.contextmanager
def run_server(port: int, command: Sequence[str], env: Mapping[str, str], folder: Path) -> Iterator[int]:
    """Run a web server until the block ends; return its first process."""

    def ready() -> bool:
        try:
            urllib.request.urlopen(f"http://{LOOPBACK}:{port}/", timeout=5).close()
        except OSError:
            return False
        return True

    with running(command, folder=folder, ready=ready, env=env, timeout_seconds=90) as process:
        # Before anything is timed, every process should have answered once.
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            ready()
        yield process.pid
