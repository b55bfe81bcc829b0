"""Change a stored release: hold it, exclude it, make it ready, pin or unpin it, correct what was doubtful."""

from __future__ import annotations

import enum
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import InputError, NotFound
from newsletter.models import HoldReason, Release, ReleaseState
from newsletter.releases.decide import Candidate, published_moment
from newsletter.releases.holds import doubtful_fields, hold, make_ready
from newsletter.releases.store import hold_for_date, match_topics


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


def change_release(
    session: Session, public_id: str, action: ReleaseAction, actor: str, now: datetime
) -> Release:
    """Do `action` to a release and add an audit entry. A repeated action changes nothing. Raises NotFound.

    A release that becomes ready gets sequences. Taking them is the last write, so commit at once. If it was
    ready before, it gets new sequences for the topics it had, because issues may have been sent without it
    meanwhile. Selection leaves out subscribers who have got it. It gets no sequence for a topic that was
    added to it later.
    """
    release = find_release(session, public_id)
    was = (release.state, release.pinned)
    release.pinned = _PINNED.get(action, release.pinned)
    if action is ReleaseAction.HOLD:
        release.state = ReleaseState.HELD
        hold(release, HoldReason.EDITOR, actor, now)
    elif action is ReleaseAction.EXCLUDE:
        release.state = ReleaseState.EXCLUDED
    becomes_ready = action is ReleaseAction.READY and release.state is not ReleaseState.READY
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
    title = " ".join(title.split())
    if not any(map(str.isalnum, title)):
        raise InputError("The title is empty. Write the headline of the release.")
    if not doubtful_fields(release):
        raise NotFound(f"Release {public_id} is not held for a doubtful field.")
    candidate = Candidate(title, publisher.strip(), release.body_text)
    same = select(Release.id).where(Release.content_hash == candidate.content_hash, Release.id != release.id)
    if session.scalar(same) is not None:
        raise InputError("A release with this title, publisher and text is stored already.")
    release.title, release.publisher = title, candidate.publisher[:300]
    release.published_on, release.published_at = published, published_moment(published, now)
    release.content_hash = candidate.content_hash
    match_topics(session, release, candidate)
    release.holds = [each for each in release.holds if each.reason is HoldReason.EDITOR]
    hold_for_date(session, release, (), published, now)
    audit.record(session, actor, "release.correct", release.public_id, now)
    session.flush()
    if not release.holds:
        make_ready(session, release, now)
    return release
