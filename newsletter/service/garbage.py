"""How often a process that works for long looks for garbage."""

from __future__ import annotations

import gc

# Objects made between two looks. A request, or a message, makes thousands that die with it by themselves.
BETWEEN_LOOKS = 20_000


def look_less_often() -> None:
    """Leave what is loaded by now out of every later look for garbage, and look less often.

    The application is a hundred thousand objects that stay: by default up to a tenth of the time goes into
    finding that out again and again. Before a fork, it also leaves those pages shared.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(BETWEEN_LOOKS, 20, 20)
