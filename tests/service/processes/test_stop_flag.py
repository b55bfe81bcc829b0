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

OF_ITS_OWN = """
import os
from newsletter.service.processes import stop_flag
child = os.fork()
if not child:
    stop_flag.begin()
    stop_flag.ask_to_stop()
    os._exit(0 if stop_flag.stopping() else 1)
assert os.waitpid(child, 0)[1] == 0
assert not stop_flag.stopping()
"""


def test_a_forked_process_sees_the_request_of_its_parent():
    # In a program of its own, because nothing clears the flag of this process.
    assert subprocess.run([sys.executable, "-c", PROGRAM], check=False, timeout=60).returncode == 0


def test_a_worker_that_begins_a_flag_of_its_own_stops_no_other():
    assert subprocess.run([sys.executable, "-c", OF_ITS_OWN], check=False, timeout=60).returncode == 0
