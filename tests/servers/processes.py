"""Start server processes that never outlive the test run, and find ports for them."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class ServerFailed(RuntimeError):
    """A test server did not start. Its log is part of the message."""


def free_port() -> int:
    """Return a TCP port of the loopback interface on which nothing listens at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def unprivileged_user() -> str | None:
    """Return the user for servers that refuse to run as root; None if we are not root."""
    return "nobody" if os.geteuid() == 0 else None


def reachable_by_all(path: Path) -> bool:
    """Return whether every user can reach `path`: all folders above it have the x bit for others."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


def short_folder(prefix: str) -> Path:
    """Make a temporary folder that any user can reach.

    The name stays short, because the path of a UNIX socket has at most 107 bytes.
    """
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    for parent in candidates:
        if parent.is_dir() and reachable_by_all(parent / "x") and len(str(parent)) < 50:
            return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    raise ServerFailed(f"no temporary folder that every user can reach among {candidates}")


def die_with_parent(signum: signal.Signals, parent: int | None = None) -> Callable[[], None]:
    """Return a `preexec_fn` that makes the kernel send `signum` when the parent's thread ends.

    It has to run after the change of user, which clears the setting. subprocess does it in this order.
    `parent` is the process that calls this, unless it is given.
    """
    parent = parent or os.getpid()

    def arm() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return arm


def adopt_orphans() -> None:
    """Make this process the parent of each process below it whose own parent has ended."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    folder: Path,
    ready: Callable[[], bool],
    stop_signal: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 60,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in `folder` until the block ends; enter the block once `ready()` is true.

    Its output goes to `folder`/server.log. Raises ServerFailed with that log if it ends early or is not ready
    in time.
    """
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user,
            group=group_of(user),
            extra_groups=[] if user else None,
            env=dict(env) if env is not None else None,
            preexec_fn=die_with_parent(stop_signal),  # noqa: PLW1509 (three system calls, no lock)
        )
    try:
        _await_ready(process, ready, log, timeout_seconds)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(stop_signal)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running_on_a_free_port(
    command: Callable[[int], Sequence[str | Path]], *, answers: Callable[[int], bool], **how: Any
) -> Iterator[int]:
    """Run `command(port)` like `running`; yield the port.

    Tries another port if some process takes the first one between the search and the bind.
    """
    for tries_left in (2, 1, 0):
        port = free_port()
        with ExitStack() as stack:
            try:
                stack.enter_context(running(command(port), ready=partial(answers, port), **how))
            except ServerFailed as error:
                if not tries_left or "Address already in use" not in str(error):
                    raise
                continue
            yield port
            return


def _await_ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, timeout_seconds: float
) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if process.poll() is not None:
            raise ServerFailed(f"{process.args!r} ended with {process.returncode}:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"{process.args!r} not ready after {timeout_seconds} s:\n{_tail(log)}")
        time.sleep(0.02)


def group_of(user: str | None) -> int | None:
    """Return the number of the primary group of `user`, None for None."""
    if user is None:
        return None
    return pwd.getpwnam(user).pw_gid


def give_to(user: str | None, paths: Iterable[Path]) -> None:
    """Make `user` the owner of `paths`. Do nothing if it is None."""
    if user is not None:
        for path in paths:
            shutil.chown(path, user, group_of(user))


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-4000:]
