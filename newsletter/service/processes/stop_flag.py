"""A flag that tells the processes of one worker to stop.

Celery waits for running tasks but does not tell them, and a drain would go on until its minute
is over. One byte of memory, shared by the main process with those it forks, is enough.
"""

from __future__ import annotations

import mmap

_asked = mmap.mmap(-1, 1)


def stopping() -> bool:
    """Return whether the worker that this process belongs to has been asked to stop."""
    return _asked[0] != 0


def ask_to_stop() -> None:
    """Let the work of this process and those forked from it end at its next good moment."""
    _asked[0] = 1
