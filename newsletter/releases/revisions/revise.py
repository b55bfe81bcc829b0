"""Correct a release: its texts get a new revision, and rules may add topics to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import InputError
from newsletter.models import HoldReason, Release, ReleaseState, stays_of
from newsletter.releases.decide import Candidate
from newsletter.releases.holds import is_mailable, make_ready, renew_sequences
from newsletter.releases.revisions.store import Texts, add_revision, hash_of
from newsletter.releases.rules.edit import sources_of
from newsletter.releases.store import find_by_hash, hold_for_date, match_topics

# The holds that the parser sets, from the text alone.
_JUDGED = {HoldReason.DOUBT, HoldReason.DATE}


def revise(
    session: Session,
    release: Release,
    texts: Texts,
    *,
    made_by: str,
    now: datetime,
    doubts: Sequence[str] = (),
    action: str = "release.revise",
) -> bool:
    """Give a release, which is locked, new texts; return whether they differ from the present ones.

    It gets no sequence and moves no mark. Only a pair with a newly matched topic gets a sequence. Deliveries
    that are not leased yet are sent with the new texts (messages/digests/recompose.py). If the release is
    held, `doubts` and its date are judged again: it becomes ready if no other hold is left. Raises InputError
    for a title without a word, and for a text that another release has. `action` is for the audit log. Commit
    at once: taking sequences is the last write.
    """
    texts = replace(texts, title=" ".join(texts.title.split()), publisher=texts.publisher.strip()[:300])
    if not any(map(str.isalnum, texts.title)):
        raise InputError("The title is empty. Write the headline of the release.")
    if texts == Texts.of(release):
        return False
    _take_hash(session, release, hash_of(release, texts))
    was_on, sources = release.published_on, sources_of(session, [release.id]).get(release.id, ())
    before = Candidate.of(release, sources)
    made = add_revision(release, texts, made_by, now)
    added = match_topics(session, release, Candidate.of(release, sources), before)
    audit.record(session, made_by, action, release.public_id, now, revision=made.number)
    if release.state is ReleaseState.HELD:
        judge_again(session, release, doubts, texts.published_on, now)
    elif release.state is ReleaseState.READY and texts.published_on != was_on:
        hold_for_date(session, release, (), texts.published_on, now)
    session.flush()
    if release.state is ReleaseState.HELD and not release.holds:
        make_ready(session, release, now)
    elif is_mailable(release):
        renew_sequences(session, added)
    return True


def _take_hash(session: Session, release: Release, content_hash: str) -> None:
    """Make sure that no other release has this hash, but a copy that was merged into this one.

    Raises InputError.
    """
    other = find_by_hash(session, content_hash, but=release.id)
    if other is None:
        return
    if stays_of(session, other.id) != release.id:
        raise InputError("A release with this title, publisher and text is stored already.")
    if other.content_hash == content_hash:
        # Hashes are unique, and this one belongs to the release that stays from now on.
        other.content_hash = hashlib.sha256(f"{content_hash}\n{other.public_id}".encode()).hexdigest()
        session.flush()


def judge_again(
    session: Session, release: Release, doubts: Sequence[str], published: date | None, now: datetime
) -> None:
    """Replace what the parser held a release for. Holds that a person or a source set stay."""
    release.holds = [each for each in release.holds if each.reason not in _JUDGED]
    session.flush()  # before a hold with the same reason is added
    hold_for_date(session, release, doubts, published, now)
