"""The public archive: the releases that are public now by page, month, topic and issue, and for feeds."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, String, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session, defer, selectinload

from newsletter.errors import NotFound
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueRelease,
    Release,
    ReleaseTopic,
    Rendition,
    Topic,
    order_of_issue,
    public_now,
)
from newsletter.models.hand_order import HandSection
from newsletter.releases.queries import NEWEST_FIRST
from newsletter.releases.search.find import Filters, load_releases, newest_ids

# A list ends here. The pages of years and months lead further back, at the same cost for each.
LAST_ARCHIVE_PAGE = 500
# More years than this are not listed at once.
MOST_YEARS = 60
# An issue brought a release if a delivery with it was accepted, or may have been.
_BROUGHT = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)

_WITH_TOPICS = selectinload(Release.topic_links).selectinload(ReleaseTopic.topic)
# Lists show titles and summaries. A body can have a megabyte.
_SHORT = (defer(Release.body_html), defer(Release.body_text))


@dataclass(frozen=True)
class Period:
    """A year, or one month of it."""

    year: int
    month: int | None = None

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, self.month or 1, 1)

    @property
    def last(self) -> date:
        """The last day."""
        month = self.month or 12
        return date(self.year, month, calendar.monthrange(self.year, month)[1])


@dataclass(frozen=True)
class ArchivePage:
    """One page of a list, and whether another one follows."""

    items: Sequence[Release]
    page: int
    has_next: bool


def list_archive(
    session: Session,
    now: datetime,
    *,
    topic_id: int | None = None,
    newsletter_id: int | None = None,
    period: Period | None = None,
    page: int = 1,
    per_page: int = 20,
) -> ArchivePage:
    """Return one page of the releases that are public now, the newest first. Raises NotFound after the last.

    There is always a first page. The list can be limited to a topic, to the topics of a newsletter, and to a
    period.
    """
    if not 1 <= page <= LAST_ARCHIVE_PAGE:
        raise NotFound("no such page")
    skipped = (page - 1) * per_page
    if topic_id is None and newsletter_id is None:
        found = _of_all(session, now, period, skipped, per_page + 1)
    else:
        filters = Filters(
            topic_id=topic_id,
            newsletter_id=None if topic_id is not None else newsletter_id,
            since=period.first if period else None,
            until=period.last if period else None,
        )
        ids = newest_ids(session, (), filters, public_now(now), skipped + per_page + 1)
        found = load_releases(session, ids[skipped:], *_SHORT)
    if page > 1 and not found:
        raise NotFound("no such page")
    has_next = len(found) > per_page and page < LAST_ARCHIVE_PAGE
    return ArchivePage(found[:per_page], page, has_next)


def _of_all(
    session: Session, now: datetime, period: Period | None, skipped: int, most: int
) -> Sequence[Release]:
    query = select(Release).options(*_SHORT).where(public_now(now))
    if period is not None:
        query = query.where(Release.published_on.between(period.first, period.last))
    return session.scalars(query.order_by(*NEWEST_FIRST).offset(skipped).limit(most)).all()


def archive_years(session: Session, now: datetime) -> list[int]:
    """Return the years with public releases, the newest first."""
    years: list[int] = []
    before: date | None = None
    while len(years) < MOST_YEARS:
        newest = _newest_day(session, now, before)
        if newest is None:
            break
        years.append(newest.year)
        before = date(newest.year, 1, 1)
    return years


def archive_months(session: Session, now: datetime, year: int) -> list[int]:
    """Return the months of a year with public releases, the first one first."""
    months: list[int] = []
    before: date | None = date(year + 1, 1, 1) if year < date.max.year else None
    while True:
        newest = _newest_day(session, now, before)
        if newest is None or newest.year != year:
            return months[::-1]
        months.append(newest.month)
        before = newest.replace(day=1)


def _newest_day(session: Session, now: datetime, before: date | None) -> date | None:
    """Return the newest date of a public release before a day. It reads one row of an index."""
    query = select(Release.published_on).where(public_now(now)).order_by(Release.published_on.desc()).limit(1)
    return session.scalar(query if before is None else query.where(Release.published_on < before))


def newest_public(
    session: Session,
    now: datetime,
    limit: int,
    *,
    topic_id: int | None = None,
    newsletter_id: int | None = None,
) -> Sequence[Release]:
    """Return the releases that became public here last, the last one first, with their bodies.

    Feeds are in this order. By date, a back-dated release would never be seen, and one with a date ahead
    would stay first.
    """
    query = select(Release).options(_WITH_TOPICS).where(public_now(now), Release.made_public_at.is_not(None))
    if topic_id is not None:
        query = query.where(Release.topic_links.any(ReleaseTopic.topic_id == topic_id))
    elif newsletter_id is not None:
        there = ReleaseTopic.topic.has(Topic.newsletter_id == newsletter_id)
        query = query.where(Release.topic_links.any(there))
    return session.scalars(
        query.order_by(Release.made_public_at.desc(), Release.id.desc()).limit(limit)
    ).all()


@dataclass(frozen=True)
class PublicIssue:
    """An issue in the archive: its number, title and date, and the releases in it that are public now.

    `sections` are those that an editor named, each with its releases. `releases` has all the others.
    """

    number: int
    title: str
    opened_at: datetime
    sections: Sequence[tuple[HandSection, Sequence[Release]]]
    releases: Sequence[Release]
    previous: int | None
    following: int | None


def find_issue(session: Session, newsletter_id: int, number: int, now: datetime) -> PublicIssue:
    """Return an issue by its number, with all releases that it brought to anybody. Raises NotFound.

    Tests have no number. An issue of which nothing was sent yet is not there.
    """
    own = Issue.newsletter_id == newsletter_id
    issue = session.scalar(select(Issue).where(own, Issue.number == number)) if number < 2**31 else None
    if issue is None or not session.scalar(select(_has_arrived(Issue.id == issue.id))):
        raise NotFound("there is no such issue")
    query = (
        select(Release)
        .options(*_SHORT)
        .join(IssueRelease, IssueRelease.release_id == Release.id)
        .where(IssueRelease.issue_id == issue.id, public_now(now), _was_brought(issue))
    )
    others = {each.id: each for each in session.scalars(query.order_by(*NEWEST_FIRST))}
    sections = []
    for section in order_of_issue(session, issue):
        shown = [others.pop(each) for each in section.release_ids if each in others]
        if shown:
            sections.append((section, shown))
    arrived = _has_arrived(own)
    previous = select(func.max(Issue.number)).where(own, Issue.number < number, arrived)
    following = select(func.min(Issue.number)).where(own, Issue.number > number, arrived)
    return PublicIssue(
        number,
        issue.title,
        issue.started_at or issue.created_at,
        sections,
        list(others.values()),
        session.scalar(previous),
        session.scalar(following),
    )


def _has_arrived(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that an email of an issue was accepted, or may have been."""
    return exists().where(Delivery.issue_id == Issue.id, Delivery.state.in_(_BROUGHT), condition)


def _was_brought(issue: Issue) -> ColumnElement[bool]:
    """Return the condition that an issue brought a release to a subscriber.

    A release that was held before the issue was sent left its deliveries. It then has a later sequence. The
    deliveries are read only for such a release.
    """
    later = exists().where(ReleaseTopic.release_id == Release.id, ReleaseTopic.sequence > issue.to_sequence)
    # The key of a rendition is 3w:12,15.2;5d:18 (15.2 is a revision of 15).
    ids = literal(",") + func.replace(func.replace(Rendition.key, ":", ","), ";", ",") + literal(",")
    own = literal(",") + cast(Release.id, String)
    held = exists().where(
        Delivery.issue_id == issue.id,
        Delivery.state.in_(_BROUGHT),
        Rendition.id == Delivery.rendition_id,
        or_(ids.contains(own + literal(",")), ids.contains(own + literal("."))),
    )
    return or_(~later, held)
