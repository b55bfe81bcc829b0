"""Fixtures for tests of running processes: wait, inspect the process table, start and end processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from servers.processes import die_with_parent
from servers.programs import Program

NEWSLETTER = ("-m", "newsletter")


@pytest.fixture
def eventually() -> Callable[..., object]:
    """Return a function that calls its argument until the result is true, and returns it."""

    def wait(look: Callable[[], object], seconds: float = 20.0) -> object:
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"not true after {seconds} s"
            time.sleep(0.02)
        return found

    return wait


@pytest.fixture
def descendants() -> Callable[[int], dict[int, str]]:
    """Return a function from a process id to the processes below it: id -> command line."""

    def look(pid: int) -> dict[int, str]:
        found: dict[int, str] = {}
        for child in _children(pid):
            found[child] = _command(child)
            found |= look(child)
        return found

    return look


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Return a function that says whether a process runs. A zombie does not."""

    def look(pid: int) -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        return False

    return look


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts Python with these arguments. The test ends what still runs.

    `-m newsletter` is a fork of the imported program, unless `imports` says that it begins by its imports.
    """
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, imports: bool = False, **options: Any) -> subprocess.Popen[str]:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        if arguments[:2] == NEWSLETTER and not imports:
            process: subprocess.Popen[str] = Program(*arguments[2:], **options)
        else:
            tie = die_with_parent(signal.SIGTERM)
            process = subprocess.Popen([sys.executable, *arguments], preexec_fn=tie, **options)  # noqa: PLW1509 (as the servers do)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return [
            int(child)
            for thread in Path(f"/proc/{pid}/task").iterdir()
            for child in (thread / "children").read_text().split()
        ]
    return []


def _command(pid: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""
