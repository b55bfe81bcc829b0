"""Every process of a worker sees that one of them was asked to stop."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, time
from newsletter.service.processes.stop_flag import ask_to_stop, stopping
assert not stopping()
child = os.fork()
if not child:
    until = time.monotonic() + 30
    while not stopping() and time.monotonic() < until:
        time.sleep(0.01)
    os._exit(0 if stopping() else 1)
ask_to_stop()
assert stopping()
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_sees_the_request_of_its_parent():
    # In a program of its own, because nothing clears the flag of this process.
    assert subprocess.run([sys.executable, "-c", PROGRAM], check=False, timeout=60).returncode == 0
