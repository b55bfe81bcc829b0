"""Deliveries are written here, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from newsletter.models import Delivery, DeliveryState, Issue, Lane, insert_new


def enqueue_single(
    session: Session,
    *,
    subscriber_id: int,
    template: str,
    context: Mapping[str, Any],
    purpose_key: str,
    language: str,
    now: datetime,
) -> bool:
    """Enqueue one mail to one subscriber, in the lane that overtakes bulk.

    Return False when this subscriber has a delivery of that `purpose_key` already, so that a
    step run twice mails once. `context` holds what the template needs but its links: the worker
    makes the tokens, and none is stored. Commits nothing.
    """
    fresh = insert_new(session, Delivery).values(
        lane=Lane.SINGLE,
        subscriber_id=subscriber_id,
        template=template,
        context=dict(context),
        purpose_key=purpose_key,
        language=language,
        state=DeliveryState.QUEUED,
        due_at=now,
        attempt=0,
        created_at=now,
    )
    return session.scalar(fresh.returning(Delivery.id)) is not None


def enqueue_test(
    session: Session, issue: Issue, rendition_id: int, recipient: str, purpose_key: str, now: datetime
) -> None:
    """Enqueue a digest to somebody who need not be a subscriber. Commits nothing."""
    session.add(
        Delivery(
            lane=Lane.SINGLE,
            issue_id=issue.id,
            rendition_id=rendition_id,
            recipient=recipient,
            purpose_key=purpose_key,
            state=DeliveryState.QUEUED,
            due_at=now,
            created_at=now,
        )
    )


class Addressee(NamedTuple):
    """Who gets which rendition, in which language."""

    subscriber_id: int
    rendition_id: int
    language: str


def enqueue_issue(session: Session, issue_id: int, addressees: Iterable[Addressee], now: datetime) -> int:
    """Enqueue an issue for a chunk of readers; return how many deliveries are new.

    An issue and subscriber have one delivery, whoever asks and however often. Commits nothing.
    """
    rows = [
        {
            "lane": Lane.BULK,
            "issue_id": issue_id,
            "subscriber_id": each.subscriber_id,
            "rendition_id": each.rendition_id,
            "language": each.language,
            "state": DeliveryState.QUEUED,
            "due_at": now,
            "attempt": 0,
            "created_at": now,
        }
        for each in addressees
    ]
    if not rows:
        return 0
    return len(list(session.scalars(insert_new(session, Delivery).returning(Delivery.id), rows)))
