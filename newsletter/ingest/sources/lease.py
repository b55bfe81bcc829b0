"""Claim the sources that are due, so that two processes never fetch the same one at the same time."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from newsletter.errors import NewsletterError
from newsletter.ingest.sources.reading.fetch import Request
from newsletter.models import FullText, Source, SourceKind, SourceState

# Longer than a fetch with its storing can take. A source whose process was killed is due again afterwards.
LEASE = timedelta(minutes=5)


class SourceLeaseLost(NewsletterError):
    """Another process has the source now, or it was removed: the result of this fetch is dropped."""


@dataclass(frozen=True)
class Claimed:
    """A source that this process fetches, as it was when it was claimed."""

    id: int
    public_id: str
    kind: SourceKind
    request: Request
    is_slow: bool
    token: str
    full_text: FullText
    link_selector: str
    link_pattern: str


def claim(
    session: Session, limit: int, now: datetime, *, slow: bool = True, only: str | None = None
) -> list[Claimed]:
    """Lease up to `limit` due sources, the longest due first. Commits nothing.

    Without `slow`, sources whose last fetch took long are left for later. `only` is the public id of a
    source that is fetched now, although it may not be due.
    """
    active = Source.state == SourceState.ACTIVE
    wanted = and_(Source.public_id == only, active) if only else _is_due(now)
    free = or_(Source.leased_until.is_(None), Source.leased_until <= now)
    query = select(Source.id).where(wanted, free)
    if not slow:
        query = query.where(Source.is_slow.is_(False))
    chosen = query.order_by(Source.next_at, Source.id).limit(limit).with_for_update(skip_locked=True)
    token = secrets.token_urlsafe(12)
    # One statement, so that two processes never claim the same row: SQLite has no row locks, and PostgreSQL
    # skips rows that another process has locked.
    take = (
        update(Source)
        .where(Source.id.in_(chosen))
        .values(leased_by=token, leased_until=now + LEASE)
        .returning(Source)
        .execution_options(synchronize_session=False)
    )
    rows = session.scalars(take).all()
    return [
        Claimed(
            each.id,
            each.public_id,
            each.kind,
            Request(each.url, each.etag, each.last_modified, each.body_hash),
            each.is_slow,
            token,
            each.full_text,
            each.link_selector,
            each.link_pattern,
        )
        for each in sorted(rows, key=lambda row: (row.next_at, row.id))
    ]


def any_due(session: Session, now: datetime) -> bool:
    """Return whether a source is due that no process has."""
    free = or_(Source.leased_until.is_(None), Source.leased_until <= now)
    return bool(session.scalar(select(exists().where(_is_due(now), free))))


def release_lease(session: Session, claimed: Claimed) -> None:
    """Give a source back unfetched."""
    mine = and_(Source.id == claimed.id, Source.leased_by == claimed.token)
    session.execute(update(Source).where(mine).values(leased_by=None, leased_until=None))


def find_leased(session: Session, claimed: Claimed) -> Source | None:
    """Return the locked row of a claimed source, or None if this process no longer has it."""
    query = select(Source).where(Source.id == claimed.id, Source.leased_by == claimed.token)
    return session.scalars(query.with_for_update()).one_or_none()


def find_all_leased(session: Session, claimed: Iterable[Claimed]) -> dict[int, Source]:
    """Return the locked rows of those claimed sources that this process still has, by their ids."""
    tokens = {each.id: each.token for each in claimed}
    query = select(Source).where(Source.id.in_(tokens)).order_by(Source.id).with_for_update()
    return {each.id: each for each in session.scalars(query) if each.leased_by == tokens[each.id]}


def keep_lease(session: Session, claimed: Claimed, now: datetime) -> Source:
    """Return the locked row of a claimed source, with a longer lease. Raises SourceLeaseLost."""
    found = find_leased(session, claimed)
    if found is None:
        raise SourceLeaseLost(f"The source {claimed.public_id} is fetched by another process.")
    found.leased_until = now + LEASE
    return found


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(Source.state == SourceState.ACTIVE, Source.next_at <= now)
