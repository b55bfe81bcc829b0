"""Which part of a relay's hourly and daily limits an email may use, by what it belongs to. Pure."""

from __future__ import annotations

import enum

from newsletter.models import Lane
from newsletter.settings import Settings

# Issues may use these percent of an hour's or a day's limit. The rest is kept for single emails.
ISSUES_PERCENT = 95


class Priority(enum.Enum):
    """What an email belongs to: nothing (a single email), an issue that goes first, or any other issue.

    Urgent issues and those as it happens go first (`goes_first` in outbox/lease.py).
    """

    SINGLE = enum.auto()
    FIRST_ISSUE = enum.auto()
    ISSUE = enum.auto()

    @property
    def lane(self) -> Lane:
        """The lane of these emails."""
        return Lane.SINGLE if self is Priority.SINGLE else Lane.BULK

    def share(self, settings: Settings) -> float:
        """Return the part of the hourly and daily limits that these emails may use, from 0 to 1."""
        if self is Priority.SINGLE:
            return 1.0
        kept = settings.first_issues_percent if self is Priority.ISSUE else 0.0
        return (ISSUES_PERCENT - kept) / 100


def of_issue(*, goes_first: bool) -> Priority:
    """Return the priority of an issue's emails."""
    return Priority.FIRST_ISSUE if goes_first else Priority.ISSUE
