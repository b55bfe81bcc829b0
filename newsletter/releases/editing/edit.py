"""Change a stored release: hold it, exclude it, make it ready, pin or unpin it, correct what was doubtful."""

from __future__ import annotations

import enum
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import NotFound, StateConflict
from newsletter.models import HoldReason, Release, ReleaseMerge, ReleaseState
from newsletter.releases.decide import published_moment
from newsletter.releases.holds import doubtful_fields, hold, hold_for_embargo, is_embargoed, make_ready
from newsletter.releases.revisions.revise import judge_again, revise
from newsletter.releases.revisions.store import Texts


class ReleaseAction(enum.StrEnum):
    """The actions on a stored release."""

    HOLD = "hold"
    EXCLUDE = "exclude"
    READY = "ready"
    PIN = "pin"
    UNPIN = "unpin"


_PINNED = {ReleaseAction.PIN: True, ReleaseAction.UNPIN: False}


def find_release(session: Session, public_id: str) -> Release:
    """Return a release with a row lock. Raises NotFound."""
    chosen = select(Release).where(Release.public_id == public_id).with_for_update()
    release = session.scalars(chosen).one_or_none()
    if release is None:
        raise NotFound(f"There is no release {public_id}.")
    return release


def is_merged(session: Session, release: Release) -> bool:
    """Return whether a release was merged into another one."""
    return session.get(ReleaseMerge, release.id) is not None


def change_release(
    session: Session, public_id: str, action: ReleaseAction, actor: str, now: datetime
) -> Release:
    """Do `action` to a release and add an audit entry. A repeated action changes nothing. Raises NotFound.

    A release that becomes ready gets sequences. Taking them is the last write, so commit at once. If it was
    ready before, it gets new sequences for the topics it had, because issues may have been sent without it
    meanwhile. Selection leaves out subscribers who have got it. It gets no sequence for a topic that was
    added to it later. An embargo goes on: only its end and `lift_embargo` end it. Raises StateConflict if the
    release is deleted or merged.
    """
    release = find_release(session, public_id)
    if release.deleted_at is not None and action not in _PINNED:
        raise StateConflict(f"Release {public_id} is deleted. Undo that first.")
    if action not in _PINNED and is_merged(session, release):
        raise StateConflict(f"Release {public_id} is merged into another one. Undo that first.")
    was = (release.state, release.pinned)
    release.pinned = _PINNED.get(action, release.pinned)
    if action is ReleaseAction.HOLD:
        release.state = ReleaseState.HELD
        hold(release, HoldReason.EDITOR, actor, now)
    elif action is ReleaseAction.EXCLUDE:
        release.state = ReleaseState.EXCLUDED
    becomes_ready = action is ReleaseAction.READY and release.state is not ReleaseState.READY
    if becomes_ready and is_embargoed(release, now):
        # All other holds end. The embargo ends by its time, or by a decision about the embargo.
        becomes_ready, release.state = False, ReleaseState.HELD
        release.holds = [each for each in release.holds if each.reason is HoldReason.EMBARGO]
        hold_for_embargo(release, actor, now)
    if becomes_ready or (release.state, release.pinned) != was:
        audit.record(session, actor, f"release.{action}", release.public_id, now)
    session.flush()
    if becomes_ready:
        make_ready(session, release, now)
    return release


def correct_release(
    session: Session,
    public_id: str,
    *,
    title: str,
    publisher: str,
    published: date,
    actor: str,
    now: datetime,
) -> Release:
    """Correct the fields of a release that is held for a doubt, and end that hold. Raises NotFound.

    The release becomes ready if it has no other hold. A date in the future holds it until that date. Its
    topics are matched again, because rules look at title and publisher. Raises InputError for a title
    without a word, and for a text that is stored already. Commit at once, as after `change_release`.
    """
    release = find_release(session, public_id)
    if not doubtful_fields(release):
        raise NotFound(f"Release {public_id} is not held for a doubtful field.")
    texts = Texts.of(release)
    if published != release.published_on:
        texts = replace(texts, published_on=published, published_at=published_moment(published, now))
    texts = replace(texts, title=title, publisher=publisher)
    if not revise(session, release, texts, made_by=actor, now=now, action="release.correct"):
        # Nothing was wrong, so only the doubt ends.
        audit.record(session, actor, "release.correct", release.public_id, now)
        judge_again(session, release, (), published, now)
        session.flush()
        if not release.holds:
            make_ready(session, release, now)
    return release
