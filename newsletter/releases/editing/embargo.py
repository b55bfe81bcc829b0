"""Put a release under embargo until a time, and lift an embargo."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import InputError, StateConflict
from newsletter.models import HoldReason, Release, ReleaseState
from newsletter.releases.editing.edit import find_release
from newsletter.releases.holds import hold_for_embargo, is_embargoed, make_ready


def embargo_moment(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment of a local time such as 2026-12-01T09:00. Pure. Raises InputError.

    A time with an offset has its own zone. When clocks go back, a time comes twice: the second one is meant,
    so that no embargo ends early.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError("Write the end of the embargo as 2026-12-01T09:00.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=1)).astimezone(UTC)


def read_zone(name: str) -> ZoneInfo:
    """Return the time zone with an IANA name such as Europe/Berlin. Raises InputError."""
    try:
        return ZoneInfo(name.strip())
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise InputError("There is no such time zone. Write it as Europe/Berlin.") from None


def set_embargo(session: Session, public_id: str, until: datetime, actor: str, now: datetime) -> Release:
    """Hide a release until `until`, and hold it. It becomes ready then if it has no other hold.

    Nothing of it is public meanwhile, also if it was before. It leaves every delivery that is not leased
    (messages/digests/recompose.py). A second call changes the end. Raises NotFound, and InputError for a
    time that is not in the future. Commits nothing.
    """
    release = find_release(session, public_id)
    if until <= now:
        raise InputError("The end of an embargo has to be in the future.")
    if release.embargo_until == until and is_embargoed(release, now):
        return release
    release.embargo_until = until
    hold_for_embargo(release, actor, now)
    audit.record(session, actor, "release.embargo", release.public_id, now, until=until.isoformat())
    session.flush()
    return release


def lift_embargo(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """End the embargo of a release now; it becomes ready if it has no other hold. Commit at once.

    Raises NotFound, and StateConflict if it is not under embargo.
    """
    release = find_release(session, public_id)
    if not is_embargoed(release, now):
        raise StateConflict(f"Release {public_id} is not under embargo.")
    release.embargo_until = None
    release.holds = [each for each in release.holds if each.reason is not HoldReason.EMBARGO]
    audit.record(session, actor, "release.free", release.public_id, now)
    session.flush()
    if release.state is ReleaseState.HELD and not release.holds:
        make_ready(session, release, now)
    return release
