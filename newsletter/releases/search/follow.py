"""Keep the search index in step with the releases: each flush that changes one also writes its index row.

So the index is written in the transaction of the change, whichever function made it. Statements that change
releases without loading them are not seen here; index them by `index_releases`.
"""

from __future__ import annotations

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from newsletter.models import Release, ReleaseTopic
from newsletter.releases.search.index import index_releases, remove

_INDEXED = ("title", "publisher", "body_text", "published_on", "published_at")


@event.listens_for(Session, "after_flush")
def _follow(session: Session, _context: object) -> None:
    releases = [each for each in session.new if isinstance(each, Release)]
    releases += [each for each in session.dirty if isinstance(each, Release) and _is_changed(each)]
    links = [each for each in (*session.new, *session.deleted) if isinstance(each, ReleaseTopic)]
    gone = [each for each in session.deleted if isinstance(each, Release)]
    if gone:
        remove(session.connection(), [each.place for each in gone if each.place is not None])
    ids = {each.id for each in releases} | {each.release_id for each in links}
    wanted = ids - {each.id for each in gone}
    if not wanted:
        return
    places = index_releases(session.connection(), wanted)
    for each in releases:
        # The index has written it to the row.
        set_committed_value(each, "place", places.get(each.id))


def _is_changed(release: Release) -> bool:
    attributes = inspect(release).attrs
    return any(attributes[name].history.has_changes() for name in _INDEXED)
