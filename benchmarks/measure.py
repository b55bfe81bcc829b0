"""Run a program and measure its cost; run an SMTP sink and count its messages.

Only the standard library is imported, because a child's peak memory starts with that of its parent process.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.processes import LOOPBACK, die_with_parent, free_port, running, unprivileged_user

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
# After a sender has ended, the sink may still be writing its log.
SETTLE_SECONDS = 10.0

_COUNT = re.compile(rb"mesg=(\d+)(?: size=(\d+))?")


class BenchmarkFailed(Exception):
    """A run that does not count: a process failed, or a message is missing or sent twice."""


def say(text: str) -> None:
    """Print progress to standard error."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Usage:
    """The cost of a program from start to end, with its children. The memory is the largest process's."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def run(command: Sequence[str | Path], environ: Mapping[str, str], folder: Path) -> Usage:
    """Run `command` until it ends. Raises BenchmarkFailed with its output if it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [str(word) for word in command],
            cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            # If the benchmark is killed, its sender ends too.
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 (three system calls, no lock)
        )  # fmt: skip
        # wait4 returns the usage of the process and of every child that it has waited for itself.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read()[-4000:].decode("utf-8", "replace")
            raise BenchmarkFailed(f"{command} ended with {process.returncode}:\n{text}")
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a running process and its children have used so far."""
    total = _cpu_of(pid)
    for child in _children(pid):
        total += cpu_seconds(child)
    return total


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # it has just ended, and its parent's figures include it now
    return sum(int(field) for field in fields[11:15]) / TICKS


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in tasks.read_text().split()]
    return found


@dataclass(frozen=True)
class Sink:
    """An SMTP sink during a measurement, and its counters."""

    port: int
    pid: int
    log: Path

    def counters(self) -> tuple[int, int]:
        """Return how many messages it has counted so far, and their bytes (0 if it does not print them)."""
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 400))
            found = _COUNT.findall(file.read())
        return (int(found[-1][0]), int(found[-1][1] or 0)) if found else (0, 0)

    def expect(self, messages: int) -> None:
        """Raise BenchmarkFailed unless it has counted exactly `messages` in total."""
        until = time.monotonic() + SETTLE_SECONDS
        while self.counters()[0] < messages and time.monotonic() < until:
            time.sleep(0.02)
        counted = self.counters()[0]
        if counted != messages:
            raise BenchmarkFailed(f"the sink counted {counted} messages, not {messages}")


def tool(name: str) -> str:
    """Return the path of one of Postfix's test programs. Raises BenchmarkFailed if it is not installed."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchmarkFailed(
            f"{name} is not installed: on Debian it is in the package postfix "
            "(apt install postfix, 'No configuration'; the benchmark never starts Postfix itself)"
        )
    return found


@contextlib.contextmanager
def smtp_sink() -> Iterator[Sink]:
    """Run Postfix's smtp-sink. It has one thread, which limits the rate that can be measured here."""
    program = tool("smtp-sink")
    with _sink(lambda port: [program, "-c", f"{LOOPBACK}:{port}", "1024"], unprivileged_user()) as sink:
        yield sink


@contextlib.contextmanager
def fast_sink(delay_ms: float = 0, sample: Path | None = None) -> Iterator[Sink]:
    """Run our own sink, which costs less than half of smtp-sink's CPU and can answer late."""
    more = ["--delay-ms", str(delay_ms)] + (["--sample", str(sample)] if sample else [])
    script = str(Path(__file__).with_name("fast_sink.py"))
    with _sink(lambda port: [sys.executable, script, str(port), *more], None) as sink:
        yield sink


@contextlib.contextmanager
def _sink(command: Callable[[int], Sequence[str]], user: str | None) -> Iterator[Sink]:
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="newsletter-sink-") as folder,
        running(command(port), folder=Path(folder), ready=lambda: _listens(port), user=user) as process,
    ):
        yield Sink(port, process.pid, Path(folder) / "server.log")


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True
