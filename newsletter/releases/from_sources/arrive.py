"""Store a release that a source brought. The same release from two sources is stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter.models import HoldReason, Release, ReleaseKey
from newsletter.releases.decide import Candidate
from newsletter.releases.duplicates.find import lock_arrivals
from newsletter.releases.from_sources.keys import KeyTaken
from newsletter.releases.holds import hold
from newsletter.releases.rules.edit import sources_of
from newsletter.releases.store import (
    Arriving,
    ParsedRelease,
    add_release,
    find_by_hash,
    hold_for_date,
    match_topics,
)

# Equal texts whose dates are further apart than this are two releases, such as a weekly notice.
RECURS_AFTER = timedelta(days=1)
_ATTEMPTS = 3


@dataclass(frozen=True)
class Arrival:
    """A release as its source has it. `keys` identify it in every source (keys.py).

    `is_kept_back`: it is part of the source's backlog. `settles_until`: the latest end of its settling.
    `held_because`: why a person has to look at it first. `recurs`: it has the text of an earlier release of
    the same source, and is a new one. `source` is the public id of its source. With `needs_approval`, it
    waits until an editor approves it. `source_id` is the source, if it tells its own items apart.
    """

    press: ParsedRelease
    keys: tuple[str, ...] = ()
    is_kept_back: bool = False
    settles_until: datetime | None = None
    held_because: str = ""
    recurs: bool = False
    source: str = ""
    needs_approval: bool = False
    source_id: int | None = None


def store_arrival(session: Session, arrival: Arrival, now: datetime) -> tuple[Release, bool]:
    """Store the release unless it is stored already; return it, and whether it is new.

    Call it in a transaction of its own and commit at once: taking sequences is the last write. On PostgreSQL,
    two transactions with the same release wait for each other, and the second one finds the first one's.
    """
    lock_arrivals(session)
    for _ in range(_ATTEMPTS):
        known = find_known(session, arrival)
        if known is not None:
            return known, False
        try:
            with session.begin_nested():
                return _store(session, arrival, now), True
        except (KeyTaken, IntegrityError):
            # Another transaction stored it meanwhile, and has committed.
            continue
    raise KeyTaken("the release is stored by another process again and again")


def find_known(session: Session, arrival: Arrival) -> Release | None:
    """Return the stored release that an arrival is: by its keys, else by equal text and date."""
    found = find_by_keys(session, arrival.keys)
    if found is not None or arrival.recurs:
        return found
    press = arrival.press
    same_text = Candidate(press.title, press.publisher, press.body).content_hash
    known = find_by_hash(session, same_text)
    if known is None or recurs(known.published_on, press.published):
        return None
    return known


def find_by_keys(session: Session, keys: Collection[str]) -> Release | None:
    """Return the release with one of these keys."""
    if not keys:
        return None
    query = select(Release).join(ReleaseKey, ReleaseKey.release_id == Release.id)
    return session.scalars(query.where(ReleaseKey.key.in_(keys)).order_by(Release.id).limit(1)).first()


def recurs(known: date, published: date | None) -> bool:
    """Return whether a text with another date is a notice that recurs. Without a date, it is the same."""
    return published is not None and abs(published - known) > RECURS_AFTER


def rewrite_held(session: Session, release: Release, press: ParsedRelease, now: datetime) -> bool:
    """Give a release that was never public the text that its source has now; return whether it was changed.

    A text that an editor corrected stays, and so do holds that a person set. Topics, doubts and the date are
    judged again. Commits nothing.
    """
    if release.made_public_at is not None or release.revisions:
        return False
    sources = sources_of(session, [release.id]).get(release.id, ())
    release.tags = list(press.tags) or None
    candidate = Candidate(press.title, press.publisher, press.body, press.language, press.tags, sources)
    release.title, release.publisher = press.title, candidate.publisher[:300]
    release.body_text, release.summary = press.body, press.summary
    release.body_html = press.body_html
    release.language = press.language
    release.image_hash, release.image_alt = press.image_hash, press.image_alt if press.image_hash else ""
    release.content_hash = _own_hash(session, candidate.content_hash, release)
    release.topic_links = [link for link in release.topic_links if link.sequence is not None]
    session.flush()
    match_topics(session, release, candidate)
    release.holds = [each for each in release.holds if each.reason not in {HoldReason.DOUBT, HoldReason.DATE}]
    session.flush()
    hold_for_date(session, release, press.doubts, press.published, now)
    session.flush()
    return True


def _store(session: Session, arrival: Arrival, now: datetime) -> Release:
    press = arrival.press
    plain = Candidate(press.title, press.publisher, press.body).content_hash
    taken = find_by_hash(session, plain) is not None

    def hold_back(release: Release) -> None:
        if arrival.settles_until is not None and not arrival.is_kept_back:
            hold(release, HoldReason.SETTLING, "source", now, until=arrival.settles_until)
        if arrival.needs_approval and not arrival.is_kept_back:
            hold(release, HoldReason.APPROVAL, "source", now)
        if arrival.held_because:
            hold(release, HoldReason.EDITOR, arrival.held_because, now)

    arriving = Arriving(
        keys=arrival.keys,
        source=arrival.source,
        is_kept_back=arrival.is_kept_back,
        # The plain hash is unique, and belongs to the earlier release with this text.
        content_hash=_salted(plain, f"{press.published} {arrival.keys}") if taken else plain,
        hold_back=hold_back,
        source_id=arrival.source_id,
    )
    release, _ = add_release(session, press, now=now, arriving=arriving)
    return release


def _own_hash(session: Session, plain: str, release: Release) -> str:
    other = find_by_hash(session, plain, but=release.id)
    return plain if other is None else _salted(plain, release.public_id)


def _salted(plain: str, salt: str) -> str:
    return hashlib.sha256(f"{plain}\n{salt}".encode()).hexdigest()
