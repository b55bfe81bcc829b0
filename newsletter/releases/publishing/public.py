"""What visitors may see: the releases that are public now.

`is_public` and `public_now` are the only rule, for pages, feeds, search and emails in the browser.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, selectinload

from newsletter.errors import NotFound, ReleaseMerged, ReleaseWithdrawn
from newsletter.models import Release, ReleaseMerge, ReleaseTopic, Topic, is_public, public_now
from newsletter.models.paging import Page, paged
from newsletter.releases.queries import NEWEST_FIRST

__all__ = ["find_public", "is_public", "list_public", "newest_by_topic", "public_now"]

_WITH_TOPICS = selectinload(Release.topic_links).selectinload(ReleaseTopic.topic)


def list_public(
    session: Session,
    now: datetime,
    *,
    topic: str = "",
    newsletter_id: int | None = None,
    page: int = 1,
    per_page: int = 20,
) -> Page[Release]:
    """Return one page of the releases that are public now, with their topics, the newest first.

    `topic` is a slug. With `newsletter_id`, they are in a topic of that newsletter.
    """
    query = select(Release).options(_WITH_TOPICS).where(public_now(now))
    if topic:
        query = query.where(Release.topic_links.any(ReleaseTopic.topic.has(Topic.slug == topic)))
    if newsletter_id is not None:
        there = ReleaseTopic.topic.has(Topic.newsletter_id == newsletter_id)
        query = query.where(Release.topic_links.any(there))
    return paged(session, query.order_by(*NEWEST_FIRST), page, per_page)


def find_public(session: Session, public_id: str, now: datetime) -> Release:
    """Return a release that is public now, with its topics.

    Raises ReleaseWithdrawn if it was public before and is held or excluded now, NotFound for all others. An
    embargo ends by itself, so its release is not withdrawn. Raises ReleaseMerged if it was merged into a
    release that is public now.
    """
    query = select(Release).options(_WITH_TOPICS).where(Release.public_id == public_id)
    # PostgreSQL refuses a query with a NUL.
    found = None if "\0" in public_id else session.scalars(query).one_or_none()
    if found is not None and is_public(found, now):
        return found
    merged = session.get(ReleaseMerge, found.id) if found is not None else None
    if merged is not None and is_public(stays := session.get_one(Release, merged.stays_id), now):
        raise ReleaseMerged(stays.public_id)
    was_public = found is not None and found.made_public_at is not None
    if found is not None and was_public and (found.embargo_until is None or found.embargo_until <= now):
        raise ReleaseWithdrawn("this release was public before")
    raise NotFound(f"There is no release {public_id}.")


def newest_by_topic(session: Session, now: datetime, newsletter_id: int | None = None) -> dict[str, Release]:
    """Return the newest public release of each topic, by slug. A topic without releases is left out.

    With `newsletter_id`, only the topics of one newsletter.
    """
    newest = (
        select(ReleaseTopic.release_id)
        .join(ReleaseTopic.release)
        .where(
            ReleaseTopic.topic_id == Topic.id,
            ReleaseTopic.sequence.is_not(None),
            public_now(now),
        )
        .order_by(ReleaseTopic.sequence.desc())
        .limit(1)
        .correlate(Topic)
        .scalar_subquery()
    )
    # Bodies are long, and callers show only titles.
    query = select(Topic.slug, Release).join(Release, Release.id == newest)
    if newsletter_id is not None:
        query = query.where(Topic.newsletter_id == newsletter_id)
    found = session.execute(query.options(defer(Release.body_html), defer(Release.body_text)))
    return {slug: release for slug, release in found}
