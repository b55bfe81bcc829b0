"""Store and read the result of the last relay check (service/checks/relay_check.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.models import RelayCheck
from newsletter.outbox.pacing.setup.wait import end_wait, settings_mark, try_now
from newsletter.outbox.pacing.standings import sender_key

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"
# The step about the DKIM key.
SIGNATURE = "signature"


def keep_check(session: Session, sender: Sender, report: Mapping[str, Any], now: datetime) -> None:
    """Store a report. If sending waited for settings that pass now, let it continue. Commits nothing."""
    key = sender_key(sender)
    found = session.get(RelayCheck, key) or RelayCheck(key=key)
    found.checked_at, found.settings = now, settings_mark(sender)
    found.verdict, found.report = report["verdict"], dict(report)
    session.add(found)
    session.flush()
    if report["sent"]:
        end_wait(session, sender, now)
    elif report["verdict"] == PASSED:
        try_now(session, sender, now)


def last_checks(session: Session, senders: Sequence[Sender]) -> list[tuple[Sender, RelayCheck]]:
    """Return the last check of each sender that was checked with the settings that it has now."""
    keys = {sender_key(each): each for each in senders}
    rows = session.scalars(select(RelayCheck).where(RelayCheck.key.in_(keys)))
    found = [(keys[row.key], row) for row in rows]
    current = [(sender, row) for sender, row in found if row.settings == settings_mark(sender)]
    return sorted(current, key=lambda each: each[0].newsletter_id)


def failures_of(check: RelayCheck) -> list[str]:
    """Return the sentences about what the relay refuses."""
    found = check.report["findings"]
    return [each["words"] for each in found if each["verdict"] == FAILED and each["step"] != SIGNATURE]
