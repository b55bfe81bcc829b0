"""Keep the fingerprint of each release, and find the releases that may be duplicates of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import Connection, delete, event, exists, func, insert, inspect, select
from sqlalchemy.orm import Session, aliased

from newsletter.models import Release, ReleaseBand
from newsletter.releases.duplicates.decide import WITHIN
from newsletter.releases.duplicates.fingerprint import fingerprint

# At most this many releases are compared with one: those that share most of its fingerprint.
MOST_CANDIDATES = 8
# A number of the advisory lock that only this module uses.
_LOCK = 7_305_411_890
_READ = ("title", "body_text", "published_on")


def lock_arrivals(session: Session) -> None:
    """Make other transactions that look for duplicates wait until this one ends.

    Two sources may bring copies at the same moment. On SQLite only one transaction writes at a time. Call it
    before any row is locked.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def find_candidates(session: Session, release_id: int, day: date) -> Sequence[int]:
    """Return the ids of the releases that may be duplicates of a stored one, the nearest first.

    `day` is the date of the release.
    """
    mine, its = aliased(ReleaseBand), aliased(ReleaseBand)
    days = (day.toordinal() - WITHIN.days, day.toordinal() + WITHIN.days)
    bands = session.scalars(select(mine.band).where(mine.release_id == release_id)).all()
    query = (
        select(its.release_id)
        .where(its.band.in_(bands), its.day.between(*days), its.release_id != release_id)
        .group_by(its.release_id)
        .order_by(func.count().desc(), its.release_id)
    )
    return session.scalars(query.limit(MOST_CANDIDATES)).all()


def index_missing_bands(connection: Connection, after: int, limit: int) -> list[int]:
    """Store the fingerprints of up to `limit` releases with an id above `after` that have none.

    Returns their ids. Commits nothing. An upgrade leaves such releases, and hosts that still run the version
    before it add some.
    """
    has = exists().where(ReleaseBand.release_id == Release.id)
    query = select(Release.id, Release.title, Release.body_text, Release.published_on)
    missing = query.where(Release.id > after, ~has).order_by(Release.id).limit(limit)
    rows = connection.execute(missing).all()
    _write(connection, [(row.id, row.title, row.body_text, row.published_on) for row in rows])
    return [row.id for row in rows]


@event.listens_for(Session, "after_flush")
def _follow(session: Session, _context: object) -> None:
    """Store the fingerprints of the releases of a flush, whichever function changed them."""
    new = [each for each in session.new if isinstance(each, Release)]
    changed = [each for each in session.dirty if isinstance(each, Release) and _is_changed(each)]
    if changed:
        ids = [each.id for each in changed]
        session.connection().execute(delete(ReleaseBand).where(ReleaseBand.release_id.in_(ids)))
    rows = [(each.id, each.title, each.body_text, each.published_on) for each in (*new, *changed)]
    _write(session.connection(), rows)


def _is_changed(release: Release) -> bool:
    attributes = inspect(release).attrs
    return any(attributes[name].history.has_changes() for name in _READ)


def _write(connection: Connection, releases: Iterable[tuple[int, str, str, date]]) -> None:
    rows = [
        {"band": band, "day": day.toordinal(), "release_id": release_id}
        for release_id, title, body, day in releases
        for band in sorted(set(fingerprint(title, body)))
    ]
    if rows:
        connection.execute(insert(ReleaseBand), rows)
