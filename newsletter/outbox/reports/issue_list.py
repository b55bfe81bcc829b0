"""Lists of issues, and the deliveries of one issue page by page, tests left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from newsletter.models import Delivery, DeliveryState, Issue, IssueState, Subscriber
from newsletter.models.paging import Page, paged


def list_issues(session: Session, page: int, per_page: int, newsletter_id: int | None = None) -> Page[Issue]:
    """Return one page of the issues of a newsletter (of all newsletters if None), the newest first."""
    return paged(session, _newest_first(newsletter_id), page, per_page)


def newest_issues(session: Session, limit: int, newsletter_id: int | None = None) -> Sequence[Issue]:
    """Return up to `limit` issues of a newsletter (of all newsletters if None), the newest first."""
    return session.scalars(_newest_first(newsletter_id).limit(limit)).all()


def held_issues(session: Session, limit: int) -> Sequence[Issue]:
    """Return up to `limit` issues that wait for a person, the newest first."""
    return session.scalars(_newest_first().where(Issue.state == IssueState.HELD).limit(limit)).all()


def count_by_issue(session: Session, issue_ids: Sequence[int]) -> Mapping[int, dict[DeliveryState, int]]:
    """Return how many deliveries of each issue are in each state; a state without any is left out."""
    counts: dict[int, dict[DeliveryState, int]] = {issue_id: {} for issue_id in issue_ids}
    query = select(Delivery.issue_id, Delivery.state, func.count()).where(Delivery.issue_id.in_(issue_ids))
    for issue_id, state, count in session.execute(query.group_by(Delivery.issue_id, Delivery.state)):
        if issue_id is not None:
            counts[issue_id][state] = count
    return counts


def page_of_deliveries(
    session: Session, issue_id: int, state: DeliveryState | None, page: int, per_page: int
) -> tuple[Page[Delivery], Mapping[int, Subscriber]]:
    """Return one page of an issue's deliveries, all or in one state, and their subscribers by id."""
    query = select(Delivery).where(Delivery.issue_id == issue_id)
    if state is not None:
        query = query.where(Delivery.state == state)
    found = paged(session, query.order_by(Delivery.id), page, per_page)
    ids = [delivery.subscriber_id for delivery in found.items if delivery.subscriber_id is not None]
    people = session.scalars(select(Subscriber).where(Subscriber.id.in_(ids)))
    return found, {subscriber.id: subscriber for subscriber in people}


def _newest_first(newsletter_id: int | None = None) -> Select[Issue]:
    chosen = select(Issue).where(Issue.is_test.is_(False)).order_by(Issue.id.desc())
    return chosen if newsletter_id is None else chosen.where(Issue.newsletter_id == newsletter_id)
