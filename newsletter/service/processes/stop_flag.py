"""A flag that asks the processes of one worker to stop.

Celery waits for running tasks but does not tell them to stop, so a drain would run for its whole minute. The
flag is one byte of memory, shared by the main process with those it forks.
"""

from __future__ import annotations

import mmap

_asked = mmap.mmap(-1, 1)


def begin() -> None:
    """Give this process a flag of its own, which it does not share with its parent."""
    global _asked  # noqa: PLW0603
    _asked = mmap.mmap(-1, 1)


def stopping() -> bool:
    """Return whether the worker that this process belongs to has been asked to stop."""
    return _asked[0] != 0


def ask_to_stop() -> None:
    """Ask this process and those forked from it to stop as soon as their work in progress is recorded."""
    _asked[0] = 1
