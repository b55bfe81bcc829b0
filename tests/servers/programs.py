"""Start the program `newsletter` in a moment: it is imported once, and each command is a fork of that.

An import takes more than a second of CPU time, and the tests start the program hundreds of times. The forked
process is the real one in all else: it has its own id, environment, folder and streams, and runs
`newsletter/__main__.py`.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from servers.processes import adopt_orphans

TESTS = Path(__file__).resolve().parents[1]
_ONE_AT_A_TIME = threading.Lock()


class Program(subprocess.Popen[Any]):
    """A process that runs `newsletter` with these words. Use it like `subprocess.Popen`."""

    def __init__(self, *words: str, **options: Any) -> None:
        """Start it. It gets SIGTERM when the tests end."""
        super().__init__(words, **options)

    def _execute_child(self, *given: Any) -> None:
        """Let the fork server start the process, in place of fork and exec."""
        named = inspect.signature(subprocess.Popen._execute_child).bind(self, *given).arguments  # type: ignore[attr-defined]
        assert named["preexec_fn"] is None, "a forked program has no preexec_fn"
        asked = {
            "words": [os.fsdecode(each) for each in named["args"]],
            "environ": dict(os.environ if named["env"] is None else named["env"]),
            "folder": str(named["cwd"] or Path.cwd()),
            "umask": named["umask"],
        }
        pipes = [named[each] for each in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if pipe == -1 else pipe for number, pipe in enumerate(pipes)]
        with _ONE_AT_A_TIME:
            channel = _fork_server()
            socket.send_fds(channel, [json.dumps(asked).encode()], streams)
            answer = channel.recv(20)
        assert answer, "the fork server has ended; its standard error says why"
        self.pid = int(answer)
        self._child_created = True
        rest = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(named[each] for each in rest))  # type: ignore[attr-defined]


def run_program(
    *words: str, given: Any = None, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run `newsletter` with these words, and `given` on standard input; return what both streams said."""
    pipe = subprocess.PIPE
    with Program(*words, stdin=pipe, stdout=pipe, stderr=pipe, **options) as process:
        try:
            told, faults = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, told, faults)


@functools.cache
def _fork_server() -> socket.socket:
    """Start the fork server of these tests, and return the socket to it. The server ends with the socket."""
    adopt_orphans()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "servers.fork_server", str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return ours
