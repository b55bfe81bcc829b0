"""Run a function in a process forked from this one, as a program of its own.

The child has imported the whole service already, and shares that memory with its parent.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping

from newsletter.service.processes.end_with_parent import tied_to_parent

_FORK = multiprocessing.get_context("fork")


class ForkedProgram:
    """A process that runs `main` in its own session and environment. `output` is the pipe of what it prints.

    It gets SIGTERM when this process ends. Make it in the main thread of a process without other threads.
    """

    def __init__(self, main: Callable[[], object], environ: Mapping[str, str]) -> None:
        self.output, writer = os.pipe()
        # A signal that comes before the child has handlers of its own waits until then.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            # A daemon is ended at the latest when this process exits.
            self._process = _FORK.Process(
                target=_become, args=(main, environ, writer, tied_to_parent(), unblocked), daemon=True
            )
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            os.close(writer)

    @property
    def pid(self) -> int:
        """The id of the process, and of its group."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process.exitcode is None

    def terminate(self) -> None:
        """Ask the process to end, with SIGTERM."""
        self._process.terminate()

    def wait(self) -> int:
        """Wait for the end; return the exit status, or minus the number of the signal that ended it."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


def _become(
    main: Callable[[], object],
    environ: Mapping[str, str],
    writer: int,
    tie: Callable[[], None],
    unblocked: set[signal.Signals],
) -> None:
    """Make this forked process independent of its parent but for `tie`, and run `main`."""
    # A session of its own, so that Ctrl-C in the terminal reaches the parent only.
    os.setsid()
    tie()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (1, 2):
        os.dup2(writer, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # A lock that stayed open here would be held for as long as this process lives. Without a limit of open
    # files, sysconf says -1.
    os.closerange(3, max(os.sysconf("SC_OPEN_MAX"), 1 << 16))
    os.environ.clear()
    os.environ.update(environ)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (open until the process ends)
    sys.stdout, sys.stderr = _writer(1, sys.stdout), _writer(2, sys.stderr)
    signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
    main()


def _writer(number: int, like: object) -> io.TextIOWrapper:
    """Return an unbuffered text stream to a file descriptor, in the encoding of another stream."""
    assert isinstance(like, io.TextIOWrapper)
    file = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115 (open until the process ends)
    return io.TextIOWrapper(file, like.encoding, like.errors, write_through=True)
