"""Merge a release into another one, undo that, and say that two releases are different.

A merged release is excluded, and its address leads to the one that stays. Its topics become new pairs of the
one that stays, so that their subscribers get that. A delivery that holds the merged release counts as one
that holds the other (newsletter/coverage.py). So nobody gets both, and nobody gets neither.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, literal, or_, select, update
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueRelease,
    PairState,
    Release,
    ReleaseMerge,
    ReleasePair,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    TopicChoice,
)
from newsletter.notices import NoticeKind, settle
from newsletter.releases.duplicates.find import lock_arrivals
from newsletter.releases.holds import is_mailable, lock_release, make_ready, renew_sequences
from newsletter.releases.topics.choose import choose_topics

# The name under which the program merges releases without a person.
PROGRAM = "duplicates"
# An email in one of these states was sent, or is being sent.
_SENT = (DeliveryState.LEASED, DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)


def merge_releases(session: Session, keep: str, other: str, actor: str, now: datetime) -> PairState:
    """Say that two releases are one. Return MERGED, or LINKED if both were sent.

    `keep` is the public id of the one that stays. Raises NotFound, and InputError if both are the same
    release. Raises StateConflict if `other` was sent and `keep` was not, or if one of them is merged or
    deleted. Commit at once: taking sequences is the last write.
    """
    stays, gone = _lock_both(session, keep, other)
    for each in (stays, gone):
        _refuse_merged(session, each)
        if each.deleted_at is not None:
            raise StateConflict(f"Release {each.public_id} is deleted. Undo that first.")
    if was_sent(session, gone.id):
        if not was_sent(session, stays.id):
            raise StateConflict(f"Release {other} was sent already, and {keep} was not. Keep {other}.")
        decide_pair(session, stays.id, gone.id, PairState.LINKED, actor, now)
        audit.record(session, actor, "release.link", gone.public_id, now, to=stays.public_id)
        session.flush()
        return PairState.LINKED
    merge(session, gone, stays, actor, now)
    return PairState.MERGED


def merge(session: Session, gone: Release, stays: Release, actor: str, now: datetime) -> None:
    """Merge `gone`, which was not sent, into `stays`. Both are locked. Taking sequences is the last write.

    If `gone` was old when its source was added, its topics are not carried over, so the merge emails nothing.
    """
    added = [] if gone.is_kept_back and not stays.is_kept_back else _carry_topics(session, gone, stays)
    # A pair without a sequence was added later, by a changed rule (releases/rules/edit.py) or by a merge. No
    # email brings it.
    is_new = gone.made_public_at is None
    mailed = {link.topic_id for link in gone.topic_links if is_new or link.sequence is not None}
    if gone.is_kept_back:
        mailed = set()
    session.execute(update(ReleaseMerge).where(ReleaseMerge.stays_id == gone.id).values(stays_id=stays.id))
    session.add(
        ReleaseMerge(
            release_id=gone.id,
            into_id=stays.id,
            stays_id=stays.id,
            was=gone.state,
            added_topics=",".join(str(link.topic_id) for link in added),
            merged_by=actor[:320],
            merged_at=now,
        )
    )
    gone.state = ReleaseState.EXCLUDED
    decide_pair(session, stays.id, gone.id, PairState.MERGED, actor, now)
    audit.record(session, actor, "release.merge", gone.public_id, now, into=stays.public_id)
    session.flush()
    if is_mailable(stays):
        fresh = [link for link in stays.topic_links if link.sequence is None]
        renew_sequences(session, [link for link in fresh if link.topic_id in mailed])


def undo_merge(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """Undo a merge: the two releases are different. Return the one that was merged, as it was before.

    The topics that the merge added are taken off the other one. Both get new sequences if they are ready,
    because an issue may have brought the other one instead. Raises NotFound, and StateConflict if the release
    is not merged, or if the one that it was merged into is itself merged. Commit at once.
    """
    lock_arrivals(session)
    found = _find(session, public_id)
    row = session.get(ReleaseMerge, found.id)
    if row is None:
        raise StateConflict(f"Release {public_id} is not merged.")
    first, second = sorted((row.release_id, row.into_id))
    locked = {each: lock_release(session, each) for each in (first, second)}
    gone, stays = locked[row.release_id], locked[row.into_id]
    _refuse_merged(session, stays)
    added, was = {int(each) for each in row.added_topics.split(",") if each}, row.was
    session.delete(row)
    session.flush()
    _return_earlier_merges(session, gone.id)
    decide_pair(session, stays.id, gone.id, PairState.DIFFERENT, actor, now)
    audit.record(session, actor, "release.undo-merge", gone.public_id, now, was_into=stays.public_id)
    session.flush()
    # What a person chose stays.
    added -= {each.topic_id for each in _choices(session, stays.id) if each.set_by != PROGRAM}
    kept = {link.topic.slug for link in stays.topic_links if link.topic_id not in added}
    choose_topics(session, stays, kept, PROGRAM, now)
    if stays.state is ReleaseState.READY and not stays.is_kept_back:
        renew_sequences(session, [link for link in stays.topic_links if link.sequence is not None])
    _restore(session, gone, was, now)
    return gone


def mark_different(session: Session, one: str, other: str, actor: str, now: datetime) -> None:
    """Say that two releases are different, so that they are not suggested again. Commits nothing.

    Raises NotFound, InputError, and StateConflict if one was merged into the other.
    """
    first, second = _lock_both(session, one, other)
    for gone, stays in ((first, second), (second, first)):
        row = session.get(ReleaseMerge, gone.id)
        if row is not None and stays.id in {row.into_id, row.stays_id}:
            raise StateConflict(
                f"Release {gone.public_id} is merged. Undo that: newsletter release unmerge {gone.public_id}"
            )
    decide_pair(session, first.id, second.id, PairState.DIFFERENT, actor, now)
    audit.record(session, actor, "release.different", first.public_id, now, other=second.public_id)
    session.flush()


def decide_pair(
    session: Session, one: int, other: int, state: PairState, actor: str, now: datetime
) -> ReleasePair:
    """Store what was decided about two releases, and close the notice that asked."""
    earlier, later = sorted((one, other))
    pair = session.get(ReleasePair, (earlier, later))
    if pair is None:
        pair = ReleasePair(earlier_id=earlier, later_id=later, found_at=now)
        session.add(pair)
    pair.state, pair.decided_by, pair.decided_at = state, actor[:320], now
    for each in (one, other):
        settle(session, NoticeKind.DUPLICATE_HELD, session.get_one(Release, each).public_id, now)
    return pair


def was_sent(session: Session, release_id: int) -> bool:
    """Return whether an email with a release was sent, or is being sent now. Tests do not count."""
    issues = session.scalars(
        select(IssueRelease.issue_id)
        .join(Issue, Issue.id == IssueRelease.issue_id)
        .where(IssueRelease.release_id == release_id, Issue.is_test.is_(False))
    ).all()
    # A key is like `3w:12,15.2;5d:18`, so this makes `,3w,12,15.2,5d,18,`.
    names = literal(",") + func.replace(func.replace(Rendition.key, ":", ","), ";", ",") + literal(",")
    query = (
        select(Delivery.id)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(
            Delivery.issue_id.in_(issues),
            Delivery.state.in_(_SENT),
            or_(names.contains(f",{release_id},"), names.contains(f",{release_id}.")),
        )
    )
    return bool(issues) and session.scalar(query.limit(1)) is not None


def _carry_topics(session: Session, gone: Release, stays: Release) -> list[ReleaseTopic]:
    """Put the release that stays under the topics of the other one; return the new pairs, without sequences.

    A topic that a person took off stays off.
    """
    had = {link.topic_id for link in stays.topic_links}
    choices = {each.topic_id: each for each in _choices(session, stays.id)}
    added = []
    for topic_id in [link.topic_id for link in gone.topic_links if link.topic_id not in had]:
        choice = choices.get(topic_id)
        if choice is None or choice.set_by == PROGRAM:
            added.append(ReleaseTopic(topic_id=topic_id))
        if choice is not None and choice.set_by == PROGRAM:
            # A merge was undone, and is made again.
            choice.is_taken_off, added[-1].first_sequence = False, choice.first_sequence
    stays.topic_links.extend(added)
    return added


def _choices(session: Session, release_id: int) -> Sequence[TopicChoice]:
    return session.scalars(select(TopicChoice).where(TopicChoice.release_id == release_id)).all()


def _return_earlier_merges(session: Session, release_id: int) -> None:
    """Let the releases that were merged into this one lead to it again: it is not merged any more."""
    waiting: Collection[int] = [release_id]
    while waiting:
        rows = session.scalars(select(ReleaseMerge).where(ReleaseMerge.into_id.in_(waiting))).all()
        for each in rows:
            each.stays_id = release_id
        waiting = [each.release_id for each in rows]
    session.flush()


def _restore(session: Session, release: Release, was: ReleaseState, now: datetime) -> None:
    if release.deleted_at is not None:
        release.deleted_from = was
    elif was is not ReleaseState.EXCLUDED:
        release.state = ReleaseState.HELD
        session.flush()
        if not release.holds:
            make_ready(session, release, now)
    session.flush()


def _lock_both(session: Session, one: str, other: str) -> tuple[Release, Release]:
    """Lock two releases and return them. The locks are taken in the order of ids, to avoid a deadlock."""
    lock_arrivals(session)
    found = [_find(session, each).id for each in (one, other)]
    if found[0] == found[1]:
        raise InputError("Name two releases: a release is always the same as itself.")
    locked = {each: lock_release(session, each) for each in sorted(found)}
    return locked[found[0]], locked[found[1]]


def _find(session: Session, public_id: str) -> Release:
    release = session.scalar(select(Release).where(Release.public_id == public_id))
    if release is None:
        raise NotFound(f"There is no release {public_id}.")
    return release


def _refuse_merged(session: Session, release: Release) -> None:
    if session.get(ReleaseMerge, release.id) is not None:
        raise StateConflict(
            f"Release {release.public_id} is merged into another one. Undo that first: "
            f"newsletter release unmerge {release.public_id}"
        )
