"""Store and read the result of the last relay check (service/relay_check.py)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter.models import RelayCheck
from newsletter.outbox.pacing.setup_wait import end_wait, settings_mark, try_now
from newsletter.outbox.pacing.standings import relay_key
from newsletter.settings import Settings

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"


def keep_check(session: Session, settings: Settings, report: Mapping[str, Any], now: datetime) -> None:
    """Store a report. If sending waited for settings that pass now, let it continue. Commits nothing."""
    found = session.get(RelayCheck, relay_key(settings)) or RelayCheck(key=relay_key(settings))
    found.checked_at, found.settings = now, settings_mark(settings)
    found.verdict, found.report = report["verdict"], dict(report)
    session.add(found)
    session.flush()
    if report["sent"]:
        end_wait(session, settings, now)
    elif report["verdict"] == PASSED:
        try_now(session, settings, now)


def last_check(session: Session, settings: Settings) -> RelayCheck | None:
    """Return the last check of our relay, or None when these settings were never checked."""
    found = session.get(RelayCheck, relay_key(settings))
    return found if found is not None and found.settings == settings_mark(settings) else None


def failures_of(check: RelayCheck) -> list[str]:
    """Return the sentences about the parts that failed."""
    return [each["words"] for each in check.report["findings"] if each["verdict"] == FAILED]
