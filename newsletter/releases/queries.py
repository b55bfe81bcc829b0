"""Queries for editors: list, count and find releases, and the issues that carried one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from newsletter.coverage import HOLDING
from newsletter.errors import NotFound
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueRelease,
    IssueState,
    Release,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    Topic,
)
from newsletter.models.paging import Page, contains, paged
from newsletter.models.tables.issue import holds_release

# By the publisher's date, then by the time if it is known, then by the time at which it became public.
NEWEST_FIRST = (
    Release.published_on.desc(),
    Release.published_at.desc(),
    Release.made_public_at.desc(),
    Release.id.desc(),
)
# More than anybody types to find a release.
LONGEST_SEARCH = 200


_SHOWN = (selectinload(Release.topic_links).selectinload(ReleaseTopic.topic), selectinload(Release.holds))


def list_releases(
    session: Session,
    *,
    search: str = "",
    state: ReleaseState | None = None,
    topic: str = "",
    newsletter_id: int | None = None,
    since: date | None = None,
    until: date | None = None,
    deleted: bool = False,
    page: int = 1,
    per_page: int = 50,
) -> Page[Release]:
    """Return one page of releases with their topics, the newest first.

    `search` matches titles and publishers in upper or lower case. `topic` is a slug. With `newsletter_id`,
    they are in a topic of that newsletter. `since` and `until` are the earliest and the latest date of
    publication. Deleted releases are left out; with `deleted`, only they are listed.
    """
    query = select(Release).options(*_SHOWN)
    query = query.where(Release.deleted_at.is_not(None) if deleted else Release.deleted_at.is_(None))
    search = search.strip()[:LONGEST_SEARCH]
    if search:
        query = query.where(contains(search, Release.title, Release.publisher))
    if state is not None:
        query = query.where(Release.state == state)
    if topic:
        query = query.where(Release.topic_links.any(ReleaseTopic.topic.has(Topic.slug == topic)))
    if newsletter_id is not None:
        there = ReleaseTopic.topic.has(Topic.newsletter_id == newsletter_id)
        query = query.where(Release.topic_links.any(there))
    if since is not None:
        query = query.where(Release.published_on >= since)
    if until is not None:
        query = query.where(Release.published_on <= until)
    return paged(session, query.order_by(*NEWEST_FIRST), page, per_page)


def newest_releases(session: Session, limit: int) -> Sequence[Release]:
    """Return up to `limit` releases in whatever state, the newest first."""
    newest = select(Release).where(Release.deleted_at.is_(None)).order_by(*NEWEST_FIRST).limit(limit)
    return session.scalars(newest).all()


def find_release(session: Session, public_id: str) -> Release:
    """Return a release in any state, with its topics. Raises NotFound."""
    query = select(Release).options(*_SHOWN)
    release = session.scalars(query.where(Release.public_id == public_id)).one_or_none()
    if release is None:
        raise NotFound(f"There is no release {public_id}.")
    return release


def count_releases(session: Session) -> Mapping[ReleaseState, int]:
    """Return the number of releases in each state, zero included."""
    counted = session.execute(select(Release.state, func.count()).group_by(Release.state))
    found = {state: int(count) for state, count in counted}
    return {state: found.get(state, 0) for state in ReleaseState}


def carried(session: Session, release_ids: Collection[int]) -> set[int]:
    """Return the ids among `release_ids` that were in a digest. Test issues do not count."""
    query = (
        select(IssueRelease.release_id)
        .join(Issue, Issue.id == IssueRelease.issue_id)
        .where(IssueRelease.release_id.in_(release_ids), Issue.is_test.is_(False), _sent())
        .distinct()
    )
    return set(session.scalars(query))


def issues_with(session: Session, release_id: int) -> Sequence[Issue]:
    """Return the issues that carried a release to a subscriber, newest first."""
    carrying = select(IssueRelease.issue_id).where(IssueRelease.release_id == release_id)
    query = select(Issue).where(Issue.id.in_(carrying), Issue.is_test.is_(False), _sent())
    return session.scalars(query.order_by(Issue.id.desc())).all()


def _sent() -> ColumnElement[bool]:
    """Whether an issue is not cancelled, or was cancelled after some of its emails were sent."""
    reached = exists().where(Delivery.issue_id == Issue.id, Delivery.state.in_(HOLDING))
    return or_(Issue.state != IssueState.CANCELLED, reached)


class Recipients(NamedTuple):
    """How many people have a release by email, are being sent it now, and wait for it.

    `waiting` people have it in an email that is not sent yet. If the release is held or excluded now, it is
    left out of that email.
    """

    have: int
    sending: int
    waiting: int


def count_recipients(session: Session, release_id: int) -> Recipients:
    """Return how many people have a release in an email, by the state of that email. Tests do not count."""
    carrying = (
        select(Issue.id)
        .join(IssueRelease, IssueRelease.issue_id == Issue.id)
        .where(IssueRelease.release_id == release_id, Issue.is_test.is_(False))
    )

    def people(*states: DeliveryState) -> ColumnElement[int]:
        return func.count(case((Delivery.state.in_(states), Delivery.subscriber_id)).distinct())

    counted = (
        select(
            people(DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN),
            people(DeliveryState.LEASED),
            people(DeliveryState.QUEUED, DeliveryState.DEFERRED),
        )
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.issue_id.in_(carrying), Rendition.issue_id.in_(carrying), holds_release(release_id))
    )
    return Recipients._make(session.execute(counted).one())


def find_seen(session: Session, public_id: str) -> tuple[Release, Recipients] | None:
    """Return a ready release that people have seen, with its recipients. None if nobody can have seen it.

    A page warns before such a release is held or excluded. Raises NotFound.
    """
    release = find_release(session, public_id)
    if release.state is not ReleaseState.READY:
        return None
    recipients = count_recipients(session, release.id)
    return (release, recipients) if release.made_public_at is not None or any(recipients) else None
