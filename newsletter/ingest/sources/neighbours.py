"""Decide whether an item was removed from its source, or only became too old for the list. Pure.

A feed lists its newest items, so the oldest ones leave it as new ones come. An item was removed if most of
the items that stood beside it are still listed, and an older one among them.
"""

from __future__ import annotations

from collections.abc import Collection

# An item was removed if this many lists have its neighbours and not the item.
MISSES = 2


def is_missing(item: int, neighbours: Collection[int], listed: Collection[int]) -> bool:
    """Return whether a list shows that an item was removed.

    Items are numbered by age, the oldest first. `neighbours` stood beside the item in the last list that had
    it. `listed` is the present list.
    """
    beside = [each for each in neighbours if each != item]
    still = [each for each in beside if each in listed]
    return 2 * len(still) > len(beside) and any(each < item for each in still)
