"""What a parent process does before it forks its senders."""

from __future__ import annotations

import subprocess
import sys

PRINT_STATE = """
import gc
from newsletter.models import Delivery
from newsletter.service.processes.before_fork import prepare_to_fork
prepare_to_fork()
print(Delivery.__mapper__.configured, gc.get_freeze_count() > 1000, gc.get_threshold()[0] > 700)
"""


def test_models_are_configured_and_the_collector_visits_less_before_a_fork():
    # In a process of its own: the tests must keep Python's usual garbage collection.
    done = subprocess.run([sys.executable, "-c", PRINT_STATE], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "True", "True"]
