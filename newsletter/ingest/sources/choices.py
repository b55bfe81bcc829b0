"""What an editor chooses for a source: which old items are mailed, and numbers within their limits. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta

from newsletter.errors import InputError
from newsletter.ingest.feeds.feed import Item

INTERVAL_MINUTES = range(5, 7 * 24 * 60 + 1)
SETTLE_MINUTES = range(121)
_BACKLOG = re.compile(r"none|all|[1-9]\d{0,3}d?")


def check_backlog(choice: str) -> str:
    """Return a choice of old items to mail: none, all, 3 (the last 3) or 7d (7 days). Raises InputError."""
    made = choice.strip().lower()
    if not _BACKLOG.fullmatch(made):
        raise InputError(f"{choice!r} is not none, all, a number such as 3, or days such as 7d.")
    return made


def kept_back(choice: str, items: Sequence[Item], today: date) -> list[bool]:
    """Return for each item of a first fetch whether it is kept back. An item without a date counts as new."""
    if choice in {"none", "all"}:
        return [choice == "none"] * len(items)
    if choice.endswith("d"):
        first = today - timedelta(days=int(choice[:-1]))
        return [each.published is not None and each.published < first for each in items]
    order = sorted(range(len(items)), key=lambda at: (_age(items[at], today), at))
    mailed = set(order[: int(choice)])
    return [at not in mailed for at in range(len(items))]


def _age(item: Item, today: date) -> float:
    """Return how old an item is, in seconds. Among equal dates, feeds list the newest first."""
    days = (today - (item.published or today)).days
    if item.published_at is None:
        return days * 86400.0
    moment = item.published_at
    return days * 86400.0 - (moment.hour * 3600 + moment.minute * 60 + moment.second) / 86400.0
