"""Start the processes of the service, restart them if they end, and stop them together.

Each is forked from this process (service/processes/forked.py). Everything runs in one thread, for two
reasons. A child gets a signal when the thread that forked it ends (service/processes/end_with_parent.py). And
a fork beside other threads could inherit their locks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from newsletter.errors import ServiceError
from newsletter.service.processes.before_fork import prepare_to_fork
from newsletter.service.processes.forked import ForkedProgram

GRACE_SECONDS = 20
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A child that ran this long was healthy: if it ends, the restart pauses begin again at the shortest.
SETTLED_SECONDS = 60.0
# Output is passed on in whole lines. A line longer than this is cut.
LONGEST_LINE_BYTES = 64 * 1024
NAME_WIDTH = 7
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Program:
    """What to run: the name for its lines of output, a function and its whole environment.

    With `once` it is not started again after it has ended.
    """

    name: str
    main: Callable[[], object]
    environ: Mapping[str, str]
    once: bool = False


@dataclass
class _Child:
    program: Program
    process: ForkedProgram | None = None
    started: float = 0.0
    start_again: float = 0.0
    ends_in_a_row: int = 0
    pending: bytes = field(default=b"", repr=False)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.runs


def pause_before_restart(ends_in_a_row: int) -> float:
    """Return the seconds to wait before restarting a child that has ended this many times in a row."""
    return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (ends_in_a_row - 1)))


class Supervisor:
    """Runs programs until it is told to stop by SIGTERM, SIGINT (Ctrl-C) or SIGHUP."""

    def __init__(self, programs: Sequence[Program], grace_seconds: float = GRACE_SECONDS) -> None:
        self._children = [_Child(program) for program in programs]
        self._grace_seconds = grace_seconds
        self._selector = selectors.DefaultSelector()
        self._asked = 0

    def run(
        self, is_ready: Callable[[], bool] | None = None, when_ready: Callable[[], None] = lambda: None
    ) -> None:
        """Start everything, keep it running, and return once all children have ended after a request to stop.

        `is_ready` is called a few times a second until it returns true. Then `when_ready` is called once.
        """
        prepare_to_fork()
        with self._signals():
            while not self._asked:
                self._start_due()
                self._listen(self._patience(0.2 if is_ready else 1.0))
                self._notice_ends()
                if is_ready and is_ready():
                    is_ready = None
                    when_ready()
            self._stop()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Count the requests to stop, and let every signal end the wait in `_listen`."""

        def ask(_signal: int, _frame: FrameType | None) -> None:
            self._asked += 1

        def wake(_signal: int, _frame: FrameType | None) -> None:
            """Do nothing: the signal ends the wait, and the loop then finds the child that ended."""

        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self._selector.register(reader, selectors.EVENT_READ)
        before = {number: signal.signal(number, ask) for number in STOP_SIGNALS}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, wake)
        wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.unregister(reader)
            reader.close()
            writer.close()

    def _start_due(self) -> None:
        for child in self._children:
            if child.process is None and time.monotonic() >= child.start_again:
                self._start(child)

    def _start(self, child: _Child) -> None:
        child.process = ForkedProgram(child.program.main, child.program.environ)
        child.started = time.monotonic()
        os.set_blocking(child.process.output, False)
        self._selector.register(child.process.output, selectors.EVENT_READ, child)

    def _patience(self, seconds: float) -> float:
        """Return how long to wait: up to `seconds`, or less if a child is to be started sooner."""
        waits = [child.start_again - time.monotonic() for child in self._children if child.process is None]
        return max(0.0, min([seconds, *waits]))

    def _listen(self, seconds: float) -> None:
        """Pass on the children's output for up to `seconds`, or until a signal comes."""
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, _Child):
                self._read(key.data)
            else:
                with contextlib.suppress(BlockingIOError):
                    while key.fileobj.recv(512):  # type: ignore[union-attr]
                        pass

    def _read(self, child: _Child) -> None:
        assert child.process is not None
        with contextlib.suppress(BlockingIOError):
            data = os.read(child.process.output, LONGEST_LINE_BYTES)
            if not data:
                self._selector.unregister(child.process.output)
                return
            *lines, child.pending = (child.pending + data).split(b"\n")
            if len(child.pending) > LONGEST_LINE_BYTES:
                lines.append(child.pending)
                child.pending = b""
            for line in lines:
                self._say(child, line)

    def _say(self, child: _Child, line: bytes) -> None:
        # The program that read our output may have ended (`newsletter run | head`). Sending continues.
        with contextlib.suppress(OSError):
            sys.stdout.buffer.write(f"{child.program.name:<{NAME_WIDTH}} | ".encode() + line + b"\n")
            sys.stdout.buffer.flush()

    def _notice_ends(self) -> None:
        for child in self._children:
            if child.process is None or child.runs:
                continue
            code = self._read_last_output(child)
            if child.program.once:
                child.start_again = math.inf
                continue
            lived = time.monotonic() - child.started
            child.ends_in_a_row = 1 if lived > SETTLED_SECONDS else child.ends_in_a_row + 1
            pause = pause_before_restart(child.ends_in_a_row)
            child.start_again = time.monotonic() + pause
            log.warning(
                "event=child_ended name=%s code=%s restart_seconds=%.1f", child.program.name, code, pause
            )

    def _read_last_output(self, child: _Child) -> int:
        """Pass on the last output of a child that has ended; return its exit code."""
        process = child.process
        assert process is not None
        if process.output in self._selector.get_map():
            self._read(child)
            with contextlib.suppress(KeyError):
                self._selector.unregister(process.output)
        if child.pending:
            self._say(child, child.pending)
        child.pending = b""
        os.close(process.output)
        child.process = None
        return process.wait()

    def _stop(self) -> None:
        """Ask every child to end. After the grace period, or at a second request to stop, kill the others."""
        for child in self._children:
            if child.process is not None and child.runs:
                child.process.terminate()
        log.info("event=stopping grace_seconds=%g", self._grace_seconds)
        deadline = time.monotonic() + self._grace_seconds
        while any(child.runs for child in self._children):
            if time.monotonic() > deadline or self._asked > 1:
                self._kill()
                break
            self._listen(0.2)
        for child in self._children:
            if child.process is not None:
                self._read_last_output(child)

    def _kill(self) -> None:
        for child in self._children:
            if child.process is not None and child.runs:
                log.warning("event=child_killed name=%s", child.program.name)
                with contextlib.suppress(ProcessLookupError):
                    # The child leads a process group of its own: this kills what it started, and nothing
                    # else.
                    os.killpg(child.process.pid, signal.SIGKILL)


@contextlib.contextmanager
def only_one(data_dir: Path, remedy: str) -> Iterator[None]:
    """Hold the data folder's lock during the block.

    Raises ServiceError, ending with `remedy`, if another service holds it. The kernel frees the lock when its
    process ends for any reason.
    """
    make_folder(data_dir)
    path = data_dir / "run.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() or "?"
            raise ServiceError(f"A service already runs in {data_dir} (process {holder}). {remedy}") from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def make_folder(folder: Path) -> None:
    """Make the data folder, for its owner only. Raises ServiceError if it cannot be made or written to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as fault:
        raise ServiceError(
            f"The data folder {folder} cannot be used: {fault.strerror}. "
            "Choose another with NEWSLETTER_DATA_DIR."
        ) from fault


def check_port(host: str, port: int, remedy: str, patience_seconds: float = 1.0) -> None:
    """Raise ServiceError, ending with `remedy`, if `host`:`port` is not free to listen on.

    Waits a moment: the web server of a service that was just stopped may still be ending.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise ServiceError(f"{_port_problem(fault, host, port)} {remedy}") from fault
        return


def _port_problem(fault: OSError, host: str, port: int) -> str:
    if fault.errno == errno.EADDRINUSE:
        return f"Another program uses port {port} on {host}."
    if fault.errno == errno.EACCES:
        return f"Port {port} is below 1024, and this user may not listen on it."
    return f"This host cannot listen on {host}:{port}: {fault.strerror or fault}."
