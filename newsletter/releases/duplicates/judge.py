"""Look for duplicates of a release before it is sent: merge it, hold it, or suggest the pair."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from newsletter.models import (
    HoldReason,
    PairState,
    Release,
    ReleaseMerge,
    ReleasePair,
    ReleaseState,
    SourceItem,
    SourceKind,
)
from newsletter.models.tables.source import Source
from newsletter.notices import NoticeKind, tell_owner
from newsletter.releases.duplicates.compare import Likeness, Sample, compare
from newsletter.releases.duplicates.decide import Side, Verdict, decide
from newsletter.releases.duplicates.find import find_candidates, lock_arrivals
from newsletter.releases.duplicates.merge import PROGRAM, merge
from newsletter.releases.holds import end_hold, hold, lock_release

# Pairs with a release that one look adds to the editor's list.
MOST_SUGGESTED = 3


class Found(NamedTuple):
    known_id: int
    verdict: Verdict
    likeness: Likeness


def end_settling(session: Session, release_id: int, now: datetime) -> None:
    """End the settling of a release. It becomes ready unless it is a duplicate or has another hold.

    Commit at once: taking sequences is the last write.
    """
    lock_arrivals(session)
    release = lock_release(session, release_id)
    judge_arrival(session, release, now)
    end_hold(session, release, HoldReason.SETTLING, now)


def judge_arrival(session: Session, release: Release, now: datetime, *, source_id: int | None = None) -> None:
    """Merge, hold or pair a release that was never ready. The caller has called `lock_arrivals`.

    `source_id` is the source that brings it, if its item is not stored yet. If the release is merged or held
    here, it is not ready afterwards. Taking sequences is the last write, so commit at once.
    """
    sources = _sources(session, [release.id]).get(release.id, set()) | ({source_id} if source_id else set())
    found = find_duplicates(session, release, sources)
    copy = next((each for each in found if each.verdict is Verdict.MERGE), None)
    if copy is not None:
        _merge(session, release, copy.known_id, now)
        return
    for each in found[:MOST_SUGGESTED]:
        earlier, later = sorted((each.known_id, release.id))
        named = ",".join(each.likeness.differs)
        session.add(
            ReleasePair(
                earlier_id=earlier, later_id=later, state=PairState.SUGGESTED, differs=named, found_at=now
            )
        )
        if each.verdict is Verdict.ASK:
            _ask(session, release, session.get_one(Release, each.known_id), now)
    session.flush()


def find_duplicates(session: Session, release: Release, sources: Collection[int]) -> list[Found]:
    """Return the possible duplicates of a release, those to merge first. `sources` are its sources."""
    ids = find_candidates(session, release.id, release.published_on)
    judged = _judged(session, release.id)
    ids = [each for each in ids if each not in judged]
    if not ids:
        return []
    theirs, merged = _sources(session, ids), _merged(session, ids)
    loaded = _load(session, {*ids, *merged.values()})
    found = []
    for known in (loaded[each] for each in sorted(ids)):
        stays = loaded[merged.get(known.id, known.id)]
        if stays.id == release.id or stays.id in judged:
            continue
        goes_into = (_sample(release), _sample(known))
        likeness = compare(*(goes_into if _is_backlog_of(stays, release) else goes_into[::-1]))
        same = bool(theirs.get(known.id, set()) & set(sources))
        verdict = decide(likeness, _side(stays, known), _side(release), same_source=same)
        if verdict is not Verdict.NONE:
            found.append(Found(stays.id, verdict, likeness))
    order = (Verdict.MERGE, Verdict.ASK, Verdict.SUGGEST)
    unique = {each.known_id: each for each in reversed(found)}
    return sorted(unique.values(), key=lambda each: (order.index(each.verdict), each.known_id))


def _merge(session: Session, release: Release, known_id: int, now: datetime) -> None:
    """Merge the new release into the known one, or the known one into it if only that was kept back."""
    known = lock_release(session, known_id)
    if _is_backlog_of(known, release):
        merge(session, known, release, PROGRAM, now)
    else:
        merge(session, release, known, PROGRAM, now)


def _is_backlog_of(known: Release, new: Release) -> bool:
    """Return whether only the known release was kept back, so that nobody would get the new one with it."""
    return known.is_kept_back and not new.is_kept_back


def _ask(session: Session, release: Release, known: Release, now: datetime) -> None:
    """Hold a copy of a release that a person held back, and tell the owner at once."""
    hold(release, HoldReason.EDITOR, f"it may be the same as {known.public_id}, which is held back", now)
    tell_owner(
        session,
        NoticeKind.DUPLICATE_HELD,
        release.public_id,
        now,
        title=release.title[:120],
        other=known.title[:120],
    )


def _side(release: Release, known: Release | None = None) -> Side:
    """Return the facts about one release of a pair for the decision.

    If another text than that of `release` was compared, `known` has it.
    """
    holds = frozenset(each.reason for each in release.holds)
    is_out = release.state is ReleaseState.EXCLUDED or release.deleted_at is not None
    return Side((known or release).published_on, holds, is_out)


def _sample(release: Release) -> Sample:
    return Sample(release.title, release.publisher, release.body_text, release.published_on)


def _judged(session: Session, release_id: int) -> set[int]:
    """Return the releases that a release was paired with before: nothing is decided about them again."""
    later = select(ReleasePair.later_id).where(ReleasePair.earlier_id == release_id)
    earlier = select(ReleasePair.earlier_id).where(ReleasePair.later_id == release_id)
    return set(session.scalars(later.union_all(earlier)))


def _load(session: Session, release_ids: Collection[int]) -> dict[int, Release]:
    query = select(Release).where(Release.id.in_(release_ids)).options(selectinload(Release.holds))
    return {each.id: each for each in session.scalars(query)}


def _merged(session: Session, release_ids: Collection[int]) -> dict[int, int]:
    """Return which of these releases were merged, and the one that stays."""
    query = select(ReleaseMerge.release_id, ReleaseMerge.stays_id)
    rows = session.execute(query.where(ReleaseMerge.release_id.in_(release_ids)))
    return {release_id: stays_id for release_id, stays_id in rows}


def _sources(session: Session, release_ids: Collection[int]) -> dict[int, set[int]]:
    """Return the sources of each release that tell their own items apart. A folder does not."""
    query = (
        select(SourceItem.release_id, SourceItem.source_id)
        .join(Source, Source.id == SourceItem.source_id)
        .where(SourceItem.release_id.in_(release_ids), Source.kind != SourceKind.FOLDER)
    )
    found: dict[int, set[int]] = {}
    for release_id, source_id in session.execute(query):
        found.setdefault(release_id, set()).add(source_id)
    return found
