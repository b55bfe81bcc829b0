"""Ask for a correction notice, and enqueue its emails a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import StateConflict
from newsletter.models import CorrectionNotice, Delivery, DeliveryState, Release, ReleaseState, is_single
from newsletter.outbox.enqueue import enqueue_correction
from newsletter.releases.correction_notice.content import make_content, read_sentence
from newsletter.releases.correction_notice.recipients import (
    count_reach,
    earlier_texts,
    is_being_sent,
    next_recipients,
)
from newsletter.releases.editing.edit import find_release
from newsletter.releases.revisions.store import Texts

# How many notices may wait in the outbox. More would delay the confirmations behind them.
MOST_WAITING = 200
_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


def ask_notice(
    session: Session,
    public_id: str,
    *,
    sentence: str = "",
    revision: int | None = None,
    actor: str,
    now: datetime,
) -> CorrectionNotice:
    """Tell those who have an earlier text of a release about its present one. A job sends the emails.

    `revision` is the one that the editor saw. The emails have the sentence, or else the differences. Commits
    nothing. Raises NotFound, and InputError for a sentence that cannot be used. Raises StateConflict if there
    is nobody to tell, if the release is not public, or if this revision has a notice already.
    """
    release = find_release(session, public_id)
    if revision is not None and revision != release.revision:
        raise StateConflict("Another editor has changed this release meanwhile. Load the page again.")
    if release.state is not ReleaseState.READY:
        raise StateConflict("The release is not public, so nobody can be told about it. Make it ready first.")
    if find_notice(session, release) is not None:
        raise StateConflict("The recipients of earlier texts were told about this correction already.")
    earlier = earlier_texts(release)
    reach = count_reach(session, release)
    if not reach.have and not reach.sending:
        raise StateConflict("Nobody who can be told has an earlier text of this release.")
    notice = CorrectionNotice(
        release_id=release.id,
        revision=release.revision,
        content=make_content(release.public_id, Texts.of(release), earlier, read_sentence(sentence)),
        asked_by=actor[:320],
        asked_at=now,
    )
    session.add(notice)
    session.flush()
    audit.record(
        session, actor, "release.correction_notice", release.public_id, now,
        revision=release.revision, people=reach.have, sending=reach.sending,
    )  # fmt: skip
    return notice


def find_notice(session: Session, release: Release) -> CorrectionNotice | None:
    """Return the notice of the present revision, if an editor asked for one."""
    query = select(CorrectionNotice).where(
        CorrectionNotice.release_id == release.id, CorrectionNotice.revision == release.revision
    )
    return session.scalars(query).one_or_none()


def count_told(session: Session, notice: CorrectionNotice) -> dict[DeliveryState, int]:
    """Return how many emails of a notice are in each state; a state without any is left out."""
    query = select(Delivery.state, func.count()).where(Delivery.correction_notice_id == notice.id)
    return {state: count for state, count in session.execute(query.group_by(Delivery.state))}


def open_notices(session: Session) -> Sequence[int]:
    """Return the ids of the notices whose recipients are not all known yet, the oldest first.

    A notice waits while its release is held.
    """
    query = (
        select(CorrectionNotice.id)
        .join(Release, Release.id == CorrectionNotice.release_id)
        .where(CorrectionNotice.finished_at.is_(None), Release.state != ReleaseState.HELD)
    )
    return session.scalars(query.order_by(CorrectionNotice.id)).all()


def enqueue_next(session: Session, notice_id: int, now: datetime) -> bool:
    """Enqueue the next emails of a notice; return whether there were any. Commits nothing.

    Digests that a worker holds now may still arrive with an earlier text. So after a pass over all
    recipients another one follows, until no worker held one at the beginning of a pass. A claim replaces the
    text of all others (messages/digests/recompose.py). A notice of an excluded release ends.
    """
    chosen = select(CorrectionNotice).where(CorrectionNotice.id == notice_id).with_for_update()
    notice = session.scalars(chosen.execution_options(populate_existing=True)).one()
    release = session.get_one(Release, notice.release_id)
    if notice.finished_at is not None or release.state is ReleaseState.HELD:
        return False
    if release.state is ReleaseState.EXCLUDED:
        notice.finished_at = now
        return False
    room = MOST_WAITING - _count_waiting(session)
    if room <= 0:
        return False
    numbers = [int(each) for each in notice.content["earlier"]]
    if notice.enqueued_to == 0:
        notice.is_last_pass = not is_being_sent(session, notice.release_id, numbers)
    found = next_recipients(session, notice, numbers, room)
    if not found and not notice.is_last_pass:
        notice.enqueued_to = 0
        notice.is_last_pass = not is_being_sent(session, notice.release_id, numbers)
        found = next_recipients(session, notice, numbers, room)
    if found:
        enqueue_correction(session, notice.id, found, now)
        notice.enqueued_to = found[-1].subscriber_id
    elif notice.is_last_pass:
        notice.finished_at = now
    return bool(found)


def _count_waiting(session: Session) -> int:
    query = select(func.count()).where(
        is_single(), Delivery.correction_notice_id.is_not(None), Delivery.state.in_(_WAITING)
    )
    return session.scalar(query) or 0
