"""List the releases of an issue for the editor who orders it. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, selectinload

from newsletter.digest.compose import Interest
from newsletter.digest.order.targets import Target
from newsletter.digest.select import Audience, load_catalogue
from newsletter.models import Release, ReleaseState, ReleaseTopic, Topic, current_sequence, is_one_of
from newsletter.models.hand_order import HandOrder
from newsletter.models.rendition_key import release_ids

# A page does not list more releases in automatic order, and held ones.
MOST_LISTED = 200
MOST_HELD = 50


@dataclass(frozen=True)
class ListedRelease:
    """A release that an issue can have, with its topics of the newsletter.

    `waits` is whether the issue brings it to at least one subscriber.
    """

    release: Release
    topics: tuple[str, ...]
    waits: bool


def list_releases(session: Session, target: Target, order: HandOrder) -> list[ListedRelease]:
    """Return the releases of the sections, then those in automatic order, then those that are held.

    The automatic order is that of a subscriber of all topics who got nothing yet.
    """
    placed = [each for section in order for each in section.release_ids]
    waiting = _waiting(session, target)
    automatic = [each for each in waiting if each not in set(placed)][:MOST_LISTED]
    held = [] if target.to_sequence is not None else _held(session, target.newsletter_id)
    wanted = list(dict.fromkeys([*placed, *automatic, *held]))
    query = select(Release).where(is_one_of(session, Release.id, wanted))
    loaded = query.options(selectinload(Release.topic_links).selectinload(ReleaseTopic.topic))
    found = {each.id: each for each in session.scalars(loaded)}
    return [
        ListedRelease(release, _topics_of(release, target.newsletter_id), release.id in set(waiting))
        for each in wanted
        if (release := found.get(each)) is not None
    ]


def _waiting(session: Session, target: Target) -> Sequence[int]:
    newsletter_id = target.newsletter_id
    to_sequence = current_sequence(session) if target.to_sequence is None else target.to_sequence
    floor = Audience(newsletter_id, target.frequencies).floor(session)
    if floor is None:
        return []
    topics = session.scalars(select(Topic.id).where(Topic.newsletter_id == newsletter_id)).all()
    interests = [Interest(each, target.frequencies[0], floor) for each in topics]
    return release_ids(load_catalogue(session, newsletter_id, floor, to_sequence).compose(interests))


def _held(session: Session, newsletter_id: int) -> Sequence[int]:
    """Return the newest releases that are held: some become ready before the issue is prepared."""
    there = exists().where(
        ReleaseTopic.release_id == Release.id,
        ReleaseTopic.topic_id == Topic.id,
        Topic.newsletter_id == newsletter_id,
    )
    held = select(Release.id).where(Release.state == ReleaseState.HELD, there)
    return session.scalars(held.order_by(Release.id.desc()).limit(MOST_HELD)).all()


def _topics_of(release: Release, newsletter_id: int) -> tuple[str, ...]:
    links = sorted(release.topic_links, key=lambda link: (link.topic.position, link.topic_id))
    return tuple(link.topic.name for link in links if link.topic.newsletter_id == newsletter_id)
