"""End the holds whose time has come."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.models import HoldReason, Release, ReleaseHold, ReleaseState
from newsletter.releases.duplicates.judge import end_settling
from newsletter.releases.holds import lock_release, make_ready

_AT_ONCE = 100


def end_due_holds(session: Session, now: datetime) -> int:
    """End the holds whose time has come, and make releases ready that have no other; return how many ended.

    At most 100 end in one call. Call it again until it returns 0, and commit after each call. A release that
    settles has a call of its own, because it may be merged, which takes sequences.
    """
    query = select(ReleaseHold.release_id, ReleaseHold.reason).where(ReleaseHold.until <= now)
    found = session.execute(query.order_by(ReleaseHold.until, ReleaseHold.id).limit(_AT_ONCE)).all()
    settling = sorted({release_id for release_id, reason in found if reason is HoldReason.SETTLING})
    others = sorted({release_id for release_id, _ in found} - set(settling))
    if settling and not others:
        end_settling(session, settling[0], now)
        return 1
    ended = 0
    ready: list[Release] = []
    for release_id in others:
        release = lock_release(session, release_id)
        due = [each for each in release.holds if each.until is not None and each.until <= now]
        for each in due:
            release.holds.remove(each)
        ended += len(due)
        if due and not release.holds and release.state is ReleaseState.HELD:
            audit.record(session, "date", "release.ready", release.public_id, now)
            ready.append(release)
    session.flush()
    for release in ready:
        make_ready(session, release, now)
    return ended
