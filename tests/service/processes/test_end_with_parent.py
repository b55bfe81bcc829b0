"""A child process ends when its parent is killed, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

FORKED = """
import os, signal, time
from newsletter.service.processes.end_with_parent import end_with_parent
child = os.fork()
if not child:
    end_with_parent()
    os.kill(os.getpid(), signal.SIGHUP)  # the parent lives, so this is ignored
    print(os.getpid(), flush=True)
    time.sleep(600)
os.waitpid(child, 0)
"""
STARTED = """
import subprocess, sys
from newsletter.service.processes.end_with_parent import tied_to_parent
program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
subprocess.run([sys.executable, "-c", program], preexec_fn=tied_to_parent())
"""


@pytest.mark.parametrize("program", [FORKED, STARTED], ids=["forked", "started"])
def test_a_child_ends_with_its_killed_parent(program, alive, eventually):
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    eventually(lambda: not alive(child))
    parent.stdout.close()
