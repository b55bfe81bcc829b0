"""What a parent process does once, so that its children need not do it each."""

from __future__ import annotations

import gc

from sqlalchemy.orm import configure_mappers

# A batch of a thousand deliveries is several thousand objects that live until its outcomes are recorded. With
# Python's 700, they would be visited again and again.
OBJECTS_BEFORE_COLLECTION = 20_000


def prepare_to_fork() -> None:
    """Configure the models, and let the children's garbage collector visit less.

    What is loaded by now lives until the end, so it is left out of their garbage collections.
    """
    configure_mappers()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    gc.freeze()
