"""A forked program has its own session, environment, streams and signals, and no file of its parent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

# Forks a program that runs this code, prints its output and its exit status.
SCRIPT = """
import os, signal, sys
from functools import partial
from newsletter.service.processes.forked import ForkedProgram
signal.signal(signal.SIGTERM, lambda *_: print("handler of the parent", flush=True))
kept = os.open(__file__ if "__file__" in globals() else "/dev/null", os.O_RDONLY)
os.environ["SECRET"] = "of the parent"
process = ForkedProgram(partial(exec, sys.argv[1], {"kept": kept}), {"NAME": "value"})
said = b""
while part := os.read(process.output, 65536):
    said += part
    if b"end me" in said:
        process.terminate()
        said = said.replace(b"end me", b"")
print(said.decode(), end="")
print(process.wait(), process.runs)
"""


def forked(code: str) -> list[str]:
    """Return the lines that the program printed, and the line with its exit status."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, code], check=True, timeout=120, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.splitlines()


def test_it_has_its_own_session_environment_and_standard_input() -> None:
    lines = forked(
        "import json, os, sys\n"
        "own = os.getsid(0) == os.getpgid(0) == os.getpid()\n"
        "print(json.dumps([own, dict(os.environ), sys.stdin.read()]))"
    )

    own, environ, given = json.loads(lines[0])
    assert own
    assert environ == {"NAME": "value"}
    assert given == ""


def test_no_file_of_the_parent_stays_open_in_it() -> None:
    assert forked("import os\ntry: os.fstat(kept)\nexcept OSError as fault: print(fault.strerror)") == [
        "Bad file descriptor",
        "0 False",
    ]


def test_both_streams_are_one_pipe_and_nothing_waits_in_a_buffer() -> None:
    code = "import os, sys; print('one'); sys.stderr.write('two\\n'); print('three', end=''); os._exit(0)"

    assert forked(code) == ["one", "two", "three0 False"]


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("import sys; sys.exit(3)", "3 False"),
        ("import sys; sys.exit()", "0 False"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", f"{-signal.SIGKILL} False"),
        ("raise ValueError('a fault')", "1 False"),
    ],
)
def test_its_exit_status_is_known(code: str, end: str) -> None:
    assert forked(code)[-1] == end


def test_what_went_wrong_is_said() -> None:
    assert "ValueError: a fault" in forked("raise ValueError('a fault')")


def test_a_request_to_stop_ends_it_whatever_its_parent_does_with_that_signal() -> None:
    assert forked("import time; print('end me'); time.sleep(1000)")[-1] == f"{-signal.SIGTERM} False"


def test_a_signal_of_the_first_moment_is_not_lost() -> None:
    # The program is asked to end before it has signal handlers of its own.
    script = SCRIPT.replace('said = b""', 'process.terminate(); said = b""')
    code = "import time; time.sleep(1000)"

    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", script, code], check=True, timeout=120, stdout=subprocess.PIPE, text=True
        )
        assert done.stdout == f"{-signal.SIGTERM} False\n"
