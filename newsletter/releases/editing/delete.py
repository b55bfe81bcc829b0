"""Delete a release, and undo it. Its row stays, so that no source brings it again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import StateConflict
from newsletter.models import Release, ReleaseState
from newsletter.releases.editing.edit import find_release
from newsletter.releases.holds import make_ready


def delete_release(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """Delete a release: nothing of it is public, and it leaves deliveries that are not leased.

    It keeps its guid, address and content hash. A second call changes nothing. Raises NotFound. Commits
    nothing.
    """
    release = find_release(session, public_id)
    if release.deleted_at is None:
        release.deleted_at, release.deleted_from = now, release.state
        release.state = ReleaseState.EXCLUDED
        audit.record(session, actor, "release.delete", release.public_id, now)
        session.flush()
    return release


def undo_delete(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """Bring a deleted release back as it was before: ready, held or excluded.

    It becomes ready if it was, or if its last hold ended meanwhile. Then its topics get new sequences,
    because issues may have been sent without it. Commit at once. Raises NotFound, and StateConflict if it is
    not deleted.
    """
    release = find_release(session, public_id)
    if release.deleted_at is None:
        raise StateConflict(f"Release {public_id} is not deleted.")
    before = release.deleted_from or ReleaseState.HELD
    release.deleted_at = release.deleted_from = None
    audit.record(session, actor, "release.undo-delete", release.public_id, now)
    release.state = before
    session.flush()
    if before is not ReleaseState.EXCLUDED:
        release.state = ReleaseState.HELD
        if not release.holds:
            make_ready(session, release, now)
    return release
