"""Queries about duplicates: pairs for editors, the places of a release, and what the archive links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased, defer

from newsletter.errors import InputError
from newsletter.models import (
    PairState,
    Release,
    ReleaseMerge,
    ReleasePair,
    Source,
    SourceItem,
    public_now,
)
from newsletter.models.paging import Page, paged
from newsletter.releases.queries import Recipients, count_recipients, find_release


class Other(NamedTuple):
    """A release that may be the same as another one. `is_merged`: it was merged into that one."""

    release: Release
    state: PairState
    differs: tuple[str, ...]
    is_merged: bool


class Place(NamedTuple):
    """A place where a release was published: the source that listed it, and the address of its page."""

    source: Source
    url: str
    first_seen_at: datetime


class Compared(NamedTuple):
    """Two releases for an editor. `state` is None if nobody has paired them. `merged` is the merged one."""

    earlier: Release
    later: Release
    state: PairState | None
    differs: tuple[str, ...]
    decided_by: str
    merged: Release | None
    earlier_recipients: Recipients
    later_recipients: Recipients


def list_pairs(session: Session, *, page: int = 1, per_page: int = 50) -> Page[ReleasePair]:
    """Return one page of the pairs that wait for an editor, the newest first."""
    query = select(ReleasePair).where(ReleasePair.state == PairState.SUGGESTED)
    ordered = query.order_by(ReleasePair.later_id.desc(), ReleasePair.earlier_id)
    return paged(session, ordered, page, per_page)


def releases_of(session: Session, pairs: Sequence[ReleasePair]) -> dict[int, Release]:
    """Return the releases of these pairs by their ids, without their texts."""
    ids = {each for pair in pairs for each in (pair.earlier_id, pair.later_id)}
    query = select(Release).where(Release.id.in_(ids))
    found = session.scalars(query.options(defer(Release.body_html), defer(Release.body_text)))
    return {each.id: each for each in found}


def count_suggested(session: Session) -> int:
    """Return how many pairs wait for an editor."""
    waiting = select(func.count()).where(ReleasePair.state == PairState.SUGGESTED)
    return session.scalar(waiting) or 0


def others_of(session: Session, release_id: int) -> list[Other]:
    """Return the releases that a release was paired with, and those that were merged into it."""
    query = (
        select(Release, ReleasePair, ReleaseMerge.stays_id)
        .join(ReleasePair, _is_other(release_id))
        .outerjoin(ReleaseMerge, ReleaseMerge.release_id == Release.id)
        .order_by(Release.id)
    )
    return [
        Other(other, pair.state, split(pair.differs), stays_id == release_id)
        for other, pair, stays_id in session.execute(query)
    ]


def merged_into(session: Session, release_id: int) -> Release | None:
    """Return the release that a release was merged into, or None."""
    stays = aliased(ReleaseMerge)
    query = select(Release).join(stays, stays.stays_id == Release.id).where(stays.release_id == release_id)
    return session.scalar(query)


def merged_among(session: Session, release_ids: Collection[int]) -> set[int]:
    """Return the ids among `release_ids` of the releases that were merged into another one."""
    query = select(ReleaseMerge.release_id).where(ReleaseMerge.release_id.in_(release_ids))
    return set(session.scalars(query))


def places_of(session: Session, release_id: int) -> list[Place]:
    """Return the places of a release, and of those that were merged into it, the first one first."""
    merged = select(ReleaseMerge.release_id).where(ReleaseMerge.stays_id == release_id)
    query = (
        select(Source, SourceItem.url, SourceItem.first_seen_at)
        .join(SourceItem, SourceItem.source_id == Source.id)
        .where(or_(SourceItem.release_id == release_id, SourceItem.release_id.in_(merged)))
        .order_by(SourceItem.id)
    )
    return [Place._make(row) for row in session.execute(query)]


def compare_pair(session: Session, one: str, other: str) -> Compared:
    """Return two releases, and who has got which. Raises NotFound, and InputError if both are the same."""
    first, second = (find_release(session, each) for each in (one, other))
    if first.id == second.id:
        raise InputError("Name two releases: a release is always the same as itself.")
    earlier, later = (first, second) if first.id < second.id else (second, first)
    pair = session.get(ReleasePair, (earlier.id, later.id))
    rows = [session.get(ReleaseMerge, each.id) for each in (earlier, later)]
    merged = next(
        (
            each
            for each, row, into in zip((earlier, later), rows, (later, earlier), strict=True)
            if row is not None and row.into_id == into.id
        ),
        None,
    )
    return Compared(
        earlier,
        later,
        pair.state if pair else None,
        split(pair.differs) if pair else (),
        pair.decided_by if pair else "",
        merged,
        count_recipients(session, earlier.id),
        count_recipients(session, later.id),
    )


def linked_releases(session: Session, release_id: int, now: datetime) -> Sequence[Release]:
    """Return the public releases that are the same as a public one, and were sent too."""
    query = (
        select(Release)
        .options(defer(Release.body_html), defer(Release.body_text))
        .join(ReleasePair, _is_other(release_id))
        .where(ReleasePair.state == PairState.LINKED, public_now(now))
        .order_by(Release.id)
    )
    return session.scalars(query).all()


def split(differs: str) -> tuple[str, ...]:
    """Return the differences that a pair stores as one text, such as "title,figures"."""
    return tuple(each for each in differs.split(",") if each)


def _is_other(release_id: int) -> ColumnElement[bool]:
    """Return the condition that a release and this one are a pair."""
    return or_(
        and_(ReleasePair.earlier_id == release_id, ReleasePair.later_id == Release.id),
        and_(ReleasePair.later_id == release_id, ReleasePair.earlier_id == Release.id),
    )
