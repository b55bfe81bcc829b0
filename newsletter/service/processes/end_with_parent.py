"""End a child process when its parent ends, for whatever reason.

Linux can send a process a signal when its parent ends (prctl(2), PR_SET_PDEATHSIG). The kernel clears this
setting at fork, so every process that forks has to set it for its own children. On other systems nothing
happens here, and an orphan ends when it next checks its parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from types import FrameType

_PR_SET_PDEATHSIG = 1
# Looked up once, before any fork: between fork and exec a child must not import or allocate much.
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def _ask_for_signal(wanted: signal.Signals) -> None:
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(wanted), 0, 0, 0)


def tied_to_parent(wanted: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """Return a `preexec_fn` that makes a child get the signal `wanted` when this process ends.

    The kernel watches the thread that forks, not the process: start children from the main thread.
    """
    parent = os.getpid()

    def arm() -> None:
        _ask_for_signal(wanted)
        if os.getppid() != parent:  # the parent ended before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return arm


def end_with_parent() -> None:
    """Make this forked process end at once when its parent process ends.

    For pool processes, which a thread may fork. If only that thread ends, the signal comes although the
    parent lives, and is ignored. Call this in the main thread.
    """
    parent = os.getppid()

    def look(_signal: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGHUP, look)
    _ask_for_signal(signal.SIGHUP)
