"""Merge a digest that still waits to be sent into the subscriber's next one, while a domain warms up.

The waiting digest ends as skipped, and its releases are put back. So the next digest, which is selected in
the same transaction, brings the releases of both. It keeps the place of the waiting one in the queue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.digest.select import Audience
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Rendition,
    Subscription,
    SubscriptionState,
    is_one_of,
)
from newsletter.models.rendition_key import read_key
from newsletter.outbox.unsent import Unsent, end_unsent


class _Waiting(NamedTuple):
    id: int
    subscriber_id: int
    key: str
    due_at: datetime


def merge_unsent(
    session: Session, audience: Audience, issue_id: int | None, subscriber_ids: Sequence[int], now: datetime
) -> Mapping[int, datetime]:
    """End the waiting digests that an issue replaces; return when those were due, by subscriber id.

    A digest waits if no relay was ever offered it. It is left alone if this issue does not serve a topic of
    it that is still subscribed. A daily issue, for example, does not serve weekly topics. The caller has
    locked these people, and selects for them next. Commits nothing.
    """
    waiting = _waiting(session, audience, issue_id, subscriber_ids, now)
    kept = _served_elsewhere(session, audience, {each.subscriber_id for each in waiting})
    due: dict[int, datetime] = {}
    part: list[Unsent] = []
    for each in waiting:
        topics = {section.topic_id for section in read_key(each.key)}
        if not topics & kept[each.subscriber_id]:
            part.append((each.id, each.subscriber_id, each.key))
            due[each.subscriber_id] = min(each.due_at, due.get(each.subscriber_id, each.due_at))
    if part:
        end_unsent(session, part, DeliveryState.SKIPPED, now)
    return due


def _waiting(
    session: Session, audience: Audience, issue_id: int | None, subscriber_ids: Sequence[int], now: datetime
) -> Sequence[_Waiting]:
    chosen = (
        select(Delivery.id, Delivery.subscriber_id, Rendition.key, Delivery.due_at)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(Issue, Issue.id == Delivery.issue_id)
        .where(
            is_one_of(session, Delivery.subscriber_id, subscriber_ids),
            Delivery.lane == Lane.BULK,
            Delivery.state == DeliveryState.QUEUED,
            Delivery.attempt == 0,
            Delivery.due_at <= now,
            Issue.newsletter_id == audience.newsletter_id,
            Issue.state == IssueState.SENDING,
            Issue.urgent_release_id.is_(None),
        )
        .order_by(Delivery.subscriber_id, Delivery.id)
    )
    if issue_id is not None:
        chosen = chosen.where(Issue.id != issue_id)
    return [
        _Waiting(row, whom, key, due_at)
        for row, whom, key, due_at in session.execute(chosen)
        if whom is not None
    ]


def _served_elsewhere(
    session: Session, audience: Audience, subscriber_ids: set[int]
) -> Mapping[int, set[int]]:
    """Return the topics that these people subscribe to and that this audience does not serve."""
    theirs = is_one_of(session, Subscription.subscriber_id, subscriber_ids)
    active = select(Subscription.subscriber_id, Subscription.topic_id).where(
        theirs,
        Subscription.newsletter_id == audience.newsletter_id,
        Subscription.state == SubscriptionState.ACTIVE,
    )
    served = select(Subscription.subscriber_id, Subscription.topic_id).where(theirs, audience.condition())
    others: dict[int, set[int]] = defaultdict(set)
    for subscriber_id, topic_id in session.execute(active):
        others[subscriber_id].add(topic_id)
    for subscriber_id, topic_id in session.execute(served):
        others[subscriber_id].discard(topic_id)
    return others
