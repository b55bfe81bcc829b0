"""Store and read the result of the last relay check (service/checks/relay_check.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.models import RelayCheck
from newsletter.outbox.pacing.setup.wait import end_wait, outdated_waits, settings_mark, try_now
from newsletter.outbox.pacing.standings import sender_key

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"
# The step about the DKIM key.
SIGNATURE = "signature"
# How long the result of a check stays that nobody repeats.
KEPT = timedelta(days=365)


def keep_check(session: Session, sender: Sender, report: Mapping[str, Any], now: datetime) -> None:
    """Store a report. If sending waited for settings that pass now, let it continue. Commits nothing.

    A check with other settings than the service's leaves the result for those alone, and ends no wait.
    """
    key, settings = sender_key(sender), settings_mark(sender)
    session.execute(delete(RelayCheck).where(RelayCheck.key == key, RelayCheck.checked_at < now - KEPT))
    found = session.get(RelayCheck, (key, settings)) or RelayCheck(key=key, settings=settings)
    found.checked_at, found.verdict, found.report = now, report["verdict"], dict(report)
    session.add(found)
    session.flush()
    if outdated_waits(session, [sender], now):
        return
    if report["sent"]:
        end_wait(session, sender, now)
    elif report["verdict"] == PASSED:
        try_now(session, sender, now)


def last_checks(session: Session, senders: Sequence[Sender]) -> list[tuple[Sender, RelayCheck]]:
    """Return the last check of each sender that was checked with the settings that it has now."""
    found = ((each, session.get(RelayCheck, (sender_key(each), settings_mark(each)))) for each in senders)
    current = [(sender, row) for sender, row in found if row is not None]
    return sorted(current, key=lambda each: each[0].newsletter_id)


def failures_of(check: RelayCheck) -> list[str]:
    """Return the sentences about what the relay refuses."""
    found = check.report["findings"]
    return [each["words"] for each in found if each["verdict"] == FAILED and each["step"] != SIGNATURE]
