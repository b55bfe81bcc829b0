"""Record the result of a fetch: the source's health, its history, the next fetch, and the owner's notices."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from newsletter.ingest.sources.listing import settles_in
from newsletter.ingest.sources.reading.fetch import Fetched
from newsletter.ingest.sources.schedule import next_fetch
from newsletter.models import FetchOutcome, Source, SourceFetch, SourceItem, SourceState
from newsletter.notices import NoticeKind, tell_owner

# Entries of history that are kept for each source.
HISTORY = 100
SLOW_MILLISECONDS = 5_000
_GOOD = frozenset({FetchOutcome.READ, FetchOutcome.UNCHANGED})


@dataclass(frozen=True)
class Counts:
    """How many items a document had, how many of them were new, and how many had changed.

    `later` is how many changes are to be stored at a later fetch.
    """

    items: int = 0
    added: int = 0
    changed: int = 0
    later: int = 0


def record_fetch(
    session: Session,
    source: Source,
    fetched: Fetched,
    now: datetime,
    *,
    failing_days: int,
    counts: Counts = Counts(),
    jitter: float | None = None,
    nothing_waits: bool = False,
    last: SourceFetch | None = None,
) -> None:
    """Store the result of a fetch, give the source back, and say when it is fetched next. Commits nothing.

    `nothing_waits`: no item of the source settles. `last` is its newest entry of history. A caller that
    records many fetches reads both by one query. If they are not given, they are read here.
    """
    source.is_slow = fetched.milliseconds >= SLOW_MILLISECONDS
    if fetched.outcome in _GOOD:
        _record_success(session, source, fetched, now)
        reads_pages = fetched.read is not None and bool(fetched.read.pages)
        if counts.later or (reads_pages and settles_in(session, source, now) is not None):
            # The document must be read again, although it may not change.
            source.etag = source.last_modified = source.body_hash = ""
    elif fetched.outcome is FetchOutcome.GONE:
        _stop(session, source, SourceState.ENDED, fetched.message, now)
    else:
        source.failures += 1
        source.failing_since = source.failing_since or now
        if now - source.failing_since >= timedelta(days=failing_days):
            words = f"It has failed for {failing_days} days. {fetched.message}"
            _stop(session, source, SourceState.PAUSED, words, now)
    source.next_at = next_fetch(
        now,
        timedelta(minutes=source.interval_minutes),
        fetched.asked,
        failures=source.failures,
        settles_in=None if nothing_waits else _sooner(session, source, fetched, now),
        jitter=random.random() if jitter is None else jitter,  # noqa: S311 - no secret depends on it
    )
    source.leased_by = source.leased_until = None
    _write_history(
        session, source, fetched, counts, now, last or newest_fetches(session, [source.id]).get(source.id)
    )


def newest_fetches(session: Session, source_ids: Collection[int]) -> dict[int, SourceFetch]:
    """Return the newest entry of history of each of these sources."""
    newest = select(func.max(SourceFetch.id)).where(SourceFetch.source_id.in_(source_ids))
    chosen = select(SourceFetch).where(SourceFetch.id.in_(newest.group_by(SourceFetch.source_id)))
    return {each.source_id: each for each in session.scalars(chosen)}


def _sooner(session: Session, source: Source, fetched: Fetched, now: datetime) -> timedelta | None:
    """Return the time after which an item may have settled, or None if nothing settles."""
    if fetched.outcome not in _GOOD:
        return None
    return timedelta(minutes=1) if fetched.is_early else settles_in(session, source, now)


def _record_success(session: Session, source: Source, fetched: Fetched, now: datetime) -> None:
    source.failures, source.failing_since, source.last_read_at = 0, None, now
    if fetched.outcome is FetchOutcome.READ:
        headers = fetched.document.headers if fetched.document else {}
        source.etag = headers.get("etag", "")[:1000]
        source.last_modified = headers.get("last-modified", "")[:80]
        source.body_hash = fetched.body_hash
        if not (fetched.read and fetched.read.unread):
            source.backlog_done_at = source.backlog_done_at or now
    if fetched.moved_to and fetched.outcome is FetchOutcome.READ:
        _move(session, source, fetched)


def _move(session: Session, source: Source, fetched: Fetched) -> None:
    """Take the address that a permanent redirect led to, now that a feed was read there."""
    place = fetched.moved_to or ""
    taken = session.scalar(select(Source.id).where(Source.url == place, Source.id != source.id))
    if place == source.url:
        return
    if taken is not None:
        fetched.message = f"It moved to {place}, which is a source already. Remove one of them."
    elif source.url.startswith("https:") and place.startswith("http:"):
        fetched.message = f"It redirects to {place}, without encryption. The address is kept."
    else:
        fetched.message = f"It moved from {source.url} to {place}."
        source.url = place


def _stop(session: Session, source: Source, state: SourceState, reason: str, now: datetime) -> None:
    source.state, source.state_reason = state, reason
    tell_owner(
        session,
        NoticeKind.SOURCE_STOPPED,
        source.public_id,
        now,
        name=source.name or source.url,
        what=reason,
    )


def tell_of_items(session: Session, kind: NoticeKind, source: Source, what: str, now: datetime) -> None:
    """Tell the owner about items of a source. An open notice of this kind is updated."""
    tell_owner(session, kind, source.public_id, now, name=source.name or source.url, what=what)


def titles_of(session: Session, item_ids: list[int], most: int = 3) -> str:
    """Return the titles of a few items, for a notice."""
    found = [session.get_one(SourceItem, each).release.title for each in item_ids[:most]]
    more = f" and {len(item_ids) - most} more" if len(item_ids) > most else ""
    return ", ".join(f"“{title[:120]}”" for title in found) + more


def _write_history(
    session: Session,
    source: Source,
    fetched: Fetched,
    counts: Counts,
    now: datetime,
    last: SourceFetch | None,
) -> None:
    is_same = (
        last is not None
        and (last.outcome, last.status, last.message) == (fetched.outcome, fetched.status, fetched.message)
        and fetched.outcome is not FetchOutcome.READ
    )
    if last is not None and is_same:
        last.last_at, last.count, last.milliseconds = now, last.count + 1, fetched.milliseconds
        return
    session.add(
        SourceFetch(
            source_id=source.id,
            outcome=fetched.outcome,
            status=fetched.status,
            first_at=now,
            last_at=now,
            milliseconds=fetched.milliseconds,
            items=counts.items,
            added=counts.added,
            changed=counts.changed,
            message=fetched.message[:1000],
        )
    )
    if fetched.outcome is FetchOutcome.UNCHANGED:
        # The next fetch that is not unchanged removes old entries, and until then no entry is added.
        return
    session.flush()
    mine = select(SourceFetch.id).where(SourceFetch.source_id == source.id)
    oldest = session.scalar(mine.order_by(SourceFetch.id.desc()).offset(HISTORY - 1).limit(1))
    if oldest is not None:
        old = delete(SourceFetch).where(SourceFetch.source_id == source.id, SourceFetch.id < oldest)
        session.execute(old)
