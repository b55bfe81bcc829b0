"""The rows of sources: add, find, list, pause, resume, change and remove them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import FetchRefused, InputError, NotFound, StateConflict
from newsletter.ingest.guard import Allowed, check_url
from newsletter.ingest.pages.link_rules import check_rules
from newsletter.ingest.sources.choices import INTERVAL_MINUTES, SETTLE_MINUTES, check_backlog
from newsletter.models import FullText, Source, SourceFetch, SourceItem, SourceKind, SourceState
from newsletter.notices import NoticeKind, settle


def add_source(
    session: Session,
    url: str,
    *,
    allowed: Allowed,
    actor: str,
    now: datetime,
    kind: SourceKind = SourceKind.FEED,
    name: str = "",
    site_url: str = "",
    publisher: str = "",
    interval_minutes: int = 15,
    settle_minutes: int = 10,
    backlog: str = "none",
    needs_approval: bool = False,
    full_text: FullText = FullText.AUTO,
    link_selector: str = "",
    link_pattern: str = "",
) -> Source:
    """Add a source that is due at once; return it. Commits nothing.

    Raises InputError for a URL that is never fetched or a number out of bounds, and StateConflict if the
    source is there already.
    """
    url = _folder(url) if kind is SourceKind.FOLDER else _address(url, allowed)
    _check_minutes(interval_minutes, settle_minutes)
    link_selector, link_pattern = link_selector.strip(), link_pattern.strip()
    check_rules(link_selector, link_pattern)
    known = session.scalars(select(Source).where(Source.url == url)).one_or_none()
    if known is not None:
        raise StateConflict(f"This source is there already: {known.public_id}.")
    source = Source(
        kind=kind,
        url=url,
        name=" ".join(name.split())[:300],
        site_url=site_url,
        publisher=" ".join(publisher.split())[:300],
        interval_minutes=interval_minutes,
        settle_minutes=settle_minutes,
        backlog=check_backlog(backlog),
        needs_approval=needs_approval,
        full_text=full_text,
        link_selector=link_selector,
        link_pattern=link_pattern,
        next_at=now,
        created_at=now,
    )
    session.add(source)
    session.flush()
    audit.record(session, actor, "source.add", source.public_id, now, kind=kind, backlog=source.backlog)
    return source


def find_source(session: Session, public_id: str, *, lock: bool = False) -> Source:
    """Return a source, with a row lock if wanted. Raises NotFound."""
    query = select(Source).where(Source.public_id == public_id)
    found = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFound(f"There is no source {public_id}.")
    return found


def list_sources(session: Session) -> Sequence[Source]:
    """Return every source, those that fail first, then by name."""
    sources = session.scalars(select(Source)).all()
    return sorted(sources, key=lambda each: (_order(each), (each.name or each.url).lower(), each.id))


def count_items(session: Session) -> Mapping[int, int]:
    """Return how many items each source brought, by its id."""
    counted = session.execute(select(SourceItem.source_id, func.count()).group_by(SourceItem.source_id))
    return {source_id: int(count) for source_id, count in counted}


def history(session: Session, source_id: int, limit: int = 50) -> Sequence[SourceFetch]:
    """Return the newest entries of a source's history, the newest first."""
    query = select(SourceFetch).where(SourceFetch.source_id == source_id)
    return session.scalars(query.order_by(SourceFetch.id.desc()).limit(limit)).all()


def newest_items(session: Session, source_id: int, limit: int = 20) -> Sequence[SourceItem]:
    """Return the items that a source brought last, the newest first."""
    query = select(SourceItem).where(SourceItem.source_id == source_id)
    return session.scalars(query.order_by(SourceItem.id.desc()).limit(limit)).all()


def places(session: Session, release_id: int) -> Sequence[SourceItem]:
    """Return the items of all sources that are this release."""
    query = select(SourceItem).where(SourceItem.release_id == release_id).order_by(SourceItem.id)
    return session.scalars(query).all()


def pause_source(session: Session, public_id: str, actor: str, now: datetime) -> Source:
    """Stop fetching a source until it is resumed. Raises NotFound."""
    source = find_source(session, public_id, lock=True)
    if source.state is SourceState.ACTIVE:
        source.state, source.state_reason = SourceState.PAUSED, "paused by hand"
        audit.record(session, actor, "source.pause", public_id, now)
    return source


def resume_source(session: Session, public_id: str, actor: str, now: datetime) -> Source:
    """Fetch a paused or ended source again, at once. Raises NotFound."""
    source = find_source(session, public_id, lock=True)
    if source.state is not SourceState.ACTIVE:
        source.state, source.state_reason = SourceState.ACTIVE, ""
        source.failures, source.failing_since, source.next_at = 0, None, now
        source.etag = source.last_modified = source.body_hash = ""
        settle(session, NoticeKind.SOURCE_STOPPED, public_id, now)
        audit.record(session, actor, "source.resume", public_id, now)
    return source


def poll_soon(session: Session, public_id: str, now: datetime) -> Source:
    """Let an active source be due now. Raises NotFound, and StateConflict if it is not active."""
    source = find_source(session, public_id, lock=True)
    if source.state is not SourceState.ACTIVE:
        raise StateConflict(f"The source is {source.state}. Resume it first.")
    source.next_at = min(source.next_at, now)
    return source


def edit_source(
    session: Session,
    public_id: str,
    *,
    name: str,
    publisher: str,
    interval_minutes: int,
    settle_minutes: int,
    needs_approval: bool,
    full_text: FullText,
    link_selector: str,
    link_pattern: str,
    actor: str,
    now: datetime,
) -> Source:
    """Change what an editor chose for a source. Raises NotFound and InputError.

    Releases that wait for approval keep waiting if the source does not need it any more.
    """
    _check_minutes(interval_minutes, settle_minutes)
    rules = (link_selector.strip(), link_pattern.strip())
    check_rules(*rules)
    source = find_source(session, public_id, lock=True)
    source.name = " ".join(name.split())[:300]
    source.publisher = " ".join(publisher.split())[:300]
    source.interval_minutes, source.settle_minutes = interval_minutes, settle_minutes
    source.needs_approval = needs_approval
    if (source.full_text, source.link_selector, source.link_pattern) != (full_text, *rules):
        source.full_text, (source.link_selector, source.link_pattern) = full_text, rules
        source.etag = source.last_modified = source.body_hash = ""
    source.next_at = min(source.next_at, now + timedelta(minutes=interval_minutes))
    audit.record(session, actor, "source.edit", public_id, now, approval=needs_approval)
    return source


def need_approval(session: Session, public_id: str, needed: bool, actor: str, now: datetime) -> Source:
    """Let the releases of a source wait for approval from now on, or not. Raises NotFound."""
    source = find_source(session, public_id, lock=True)
    source.needs_approval = needed
    audit.record(session, actor, "source.approval", public_id, now, needed=needed)
    return source


def remove_source(session: Session, public_id: str, actor: str, now: datetime) -> str:
    """Remove a source, its items and its history; return its name. Its releases stay. Raises NotFound."""
    source = find_source(session, public_id, lock=True)
    name = source.name or source.url
    settle(session, NoticeKind.SOURCE_STOPPED, public_id, now)
    settle(session, NoticeKind.APPROVALS_WAIT, public_id, now)
    audit.record(session, actor, "source.remove", public_id, now)
    session.delete(source)
    session.flush()
    return name


def _order(source: Source) -> int:
    if source.state is not SourceState.ACTIVE:
        return 0
    return 1 if source.failures else 2


def _check_minutes(interval: int, settle_minutes: int) -> None:
    if interval not in INTERVAL_MINUTES:
        raise InputError("The interval is from 5 minutes to 7 days (10,080 minutes).")
    if settle_minutes not in SETTLE_MINUTES:
        raise InputError("An item settles for 0 to 120 minutes.")


def _address(url: str, allowed: Allowed) -> str:
    try:
        return check_url(url.strip(), allowed).text
    except FetchRefused as fault:
        raise InputError(f"This address cannot be a source: {fault.reason}.") from fault


def _folder(path: str) -> str:
    place = Path(path).expanduser().absolute()
    if not place.is_dir() or place.is_symlink():
        raise InputError(f"{place} is not a folder.")
    return str(place.resolve())
