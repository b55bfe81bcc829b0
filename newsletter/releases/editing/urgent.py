"""Mark a release as urgent, and undo that. A job opens the issue (digest/urgent.py)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import StateConflict
from newsletter.models import HoldReason, Issue, Release, ReleaseState
from newsletter.notices import NoticeKind, settle
from newsletter.releases.editing.edit import find_release, is_merged
from newsletter.releases.holds import end_hold


def mark_urgent(session: Session, public_id: str, people: int, actor: str, now: datetime) -> Release:
    """Let a release be sent at once to all subscribers of its topics, whatever their frequency.

    It need not settle. While another hold is left, the mark waits: the issue is opened when the last hold
    ends. `people` is the number that the editor typed. Marking it again answers the question whether it is
    too late (digest/urgent.py). Raises NotFound, and StateConflict if it cannot be sent, or was sent urgently
    before. Commit at once: taking sequences is the last write.
    """
    release = find_release(session, public_id)
    if refused := why_not_urgent(session, release):
        raise StateConflict(refused)
    waits = [each for each in release.holds if each.reason is not HoldReason.SETTLING]
    ends = [each.until for each in waits if each.until is not None]
    release.urgent, release.urgent_asked_at = True, None
    release.urgent_from, release.urgent_by = max([now, *ends]), actor[:320]
    settle(session, NoticeKind.URGENT_ASKS, public_id, now)
    audit.record(session, actor, "release.urgent", public_id, now, people=people)
    session.flush()
    end_hold(session, release, HoldReason.SETTLING, now)
    return release


def why_not_urgent(session: Session, release: Release) -> str:
    """Return why a release cannot be sent urgently, "" if it can."""
    refused = {
        "The release is deleted. Bring it back first.": release.deleted_at is not None,
        "The release is merged into another one. Undo that first.": is_merged(session, release),
        "The release is excluded. Make it ready first.": release.state is ReleaseState.EXCLUDED,
        "The release was old when its source was added. Send it after all first.": release.is_kept_back,
        "The release was sent urgently before.": was_sent_urgently(session, release),
        "The release has no topic, so nobody would get it.": not release.topic_links,
    }
    return next((words for words, applies in refused.items() if applies), "")


def unmark_urgent(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """Undo the mark of a release whose urgent issue is not open yet. Commits nothing.

    Raises NotFound, and StateConflict if it is not marked.
    """
    release = find_release(session, public_id)
    if not release.urgent:
        raise StateConflict(f"Release {public_id} does not wait to be sent urgently.")
    release.urgent, release.urgent_asked_at = False, None
    settle(session, NoticeKind.URGENT_ASKS, public_id, now)
    audit.record(session, actor, "release.not_urgent", public_id, now)
    session.flush()
    return release


def was_sent_urgently(session: Session, release: Release) -> bool:
    """Return whether an urgent issue of a release was opened."""
    return session.scalar(select(Issue.id).where(Issue.urgent_release_id == release.id).limit(1)) is not None
