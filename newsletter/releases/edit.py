"""Change a stored release: hold it, exclude it, make it ready, pin or unpin it."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import NotFound
from newsletter.models import Release, ReleaseState
from newsletter.releases.store import renew_sequences


class ReleaseAction(enum.StrEnum):
    """The actions on a stored release."""

    HOLD = "hold"
    EXCLUDE = "exclude"
    READY = "ready"
    PIN = "pin"
    UNPIN = "unpin"


_STATES = {
    ReleaseAction.HOLD: ReleaseState.HELD,
    ReleaseAction.EXCLUDE: ReleaseState.EXCLUDED,
    ReleaseAction.READY: ReleaseState.READY,
}
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
    before = was, _ = (release.state, release.pinned)
    release.state = _STATES.get(action, release.state)
    release.pinned = _PINNED.get(action, release.pinned)
    if (release.state, release.pinned) != before:
        audit.record(session, actor, f"release.{action}", release.public_id, now)
    session.flush()
    if release.state is ReleaseState.READY and was is not ReleaseState.READY:
        had = [link for link in release.topic_links if link.sequence is not None]
        renew_sequences(session, had or release.topic_links)
    return release
