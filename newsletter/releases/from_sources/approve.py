"""Releases of sources that need approval: list those that wait, and approve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, selectinload

from newsletter import audit
from newsletter.errors import StateConflict
from newsletter.models import HoldReason, Release, ReleaseHold, ReleaseTopic, Source, SourceItem
from newsletter.notices import NoticeKind, open_notices, settle
from newsletter.releases.editing.edit import find_release
from newsletter.releases.holds import end_hold, lock_release


def waiting_for_approval(session: Session, limit: int = 200) -> Sequence[Release]:
    """Return the releases that wait for approval, the one that has waited longest first."""
    topics = selectinload(Release.topic_links).selectinload(ReleaseTopic.topic)
    query = (
        select(Release)
        .join(ReleaseHold, ReleaseHold.release_id == Release.id)
        .where(ReleaseHold.reason == HoldReason.APPROVAL, Release.deleted_at.is_(None))
        .options(selectinload(Release.holds), topics)
        .order_by(ReleaseHold.created_at, Release.id)
        .limit(limit)
    )
    return session.scalars(query).all()


def count_waiting(session: Session) -> int:
    """Return how many releases wait for approval."""
    query = select(func.count()).select_from(ReleaseHold).join(Release, Release.id == ReleaseHold.release_id)
    waits = ReleaseHold.reason == HoldReason.APPROVAL
    return session.scalar(query.where(waits, Release.deleted_at.is_(None))) or 0


def count_of_source(session: Session, source_id: int) -> int:
    """Return how many releases of a source wait for approval."""
    query = (
        select(func.count(SourceItem.release_id.distinct()))
        .join(ReleaseHold, ReleaseHold.release_id == SourceItem.release_id)
        .where(SourceItem.source_id == source_id, ReleaseHold.reason == HoldReason.APPROVAL)
    )
    return session.scalar(query) or 0


def names_of_sources(session: Session, releases: Sequence[Release]) -> Mapping[int, str]:
    """Return the name of the first source of each of these releases, by the release's id."""
    query = (
        select(SourceItem.release_id, func.coalesce(func.nullif(Source.name, ""), Source.url))
        .join(Source, Source.id == SourceItem.source_id)
        .where(SourceItem.release_id.in_([each.id for each in releases]))
        .order_by(SourceItem.id.desc())
    )
    return {release_id: name for release_id, name in session.execute(query)}


def approve(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """Approve a release; it becomes ready if no other hold is left. Commit at once, as after `make_ready`.

    Raises NotFound, and StateConflict if it does not wait for approval.
    """
    release = lock_release(session, find_release(session, public_id).id)
    if all(each.reason is not HoldReason.APPROVAL for each in release.holds):
        raise StateConflict(f"Release {public_id} does not wait for approval.")
    audit.record(session, actor, "release.approve", public_id, now)
    _settle_notices(session, release.id, now)
    end_hold(session, release, HoldReason.APPROVAL, now)
    return release


def _settle_notices(session: Session, approved: int, now: datetime) -> None:
    """Close the notice of each source of which no other release waits, so that the next batch is told."""
    for notice in open_notices(session, NoticeKind.APPROVALS_WAIT):
        others = exists().where(
            SourceItem.source_id == Source.id,
            SourceItem.release_id != approved,
            ReleaseHold.release_id == SourceItem.release_id,
            ReleaseHold.reason == HoldReason.APPROVAL,
        )
        waits = select(Source.id).where(Source.public_id == notice.subject, others)
        if session.scalar(waits) is None:
            settle(session, NoticeKind.APPROVALS_WAIT, notice.subject, now)
