"""The values of a claimed delivery that its message needs, loaded for many deliveries at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import CorrectionNotice, Delivery, Issue, Lane, Rendition, Subscriber, is_one_of


class Claimed(NamedTuple):
    """The values of a claimed delivery that its message needs. They need no database session."""

    id: int
    lane: Lane
    issue_id: int | None
    subscriber_id: int | None
    template: str | None
    context: dict[str, Any] | None
    language: str
    attempt: int
    created_at: datetime
    address: str | None
    email_key: str | None
    subscriber_public_id: str | None
    rendition_key: str | None
    issue_public_id: str | None
    failed_before: bool
    # None if it belongs to no newsletter, such as a notice to the owner.
    newsletter_id: int | None


def load_claimed(session: Session, delivery_ids: Sequence[int]) -> list[Claimed]:
    """Return the claimed deliveries in the order of their ids."""
    query = (
        select(
            Delivery.id, Delivery.lane, Delivery.issue_id, Delivery.subscriber_id, Delivery.template,
            Delivery.context, Delivery.language, Delivery.attempt, Delivery.created_at,
            func.coalesce(Subscriber.email, Delivery.recipient), Subscriber.email_key, Subscriber.public_id,
            Rendition.key, Issue.public_id, Delivery.build_failed_at.is_not(None),
            func.coalesce(Issue.newsletter_id, Delivery.newsletter_id), CorrectionNotice.content,
        )
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(Rendition, Rendition.id == Delivery.rendition_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .outerjoin(CorrectionNotice, CorrectionNotice.id == Delivery.correction_notice_id)
        .where(is_one_of(session, Delivery.id, delivery_ids))
        .order_by(Delivery.id)
    )  # fmt: skip
    return [
        Claimed._make(row) if notice is None else _of_notice(Claimed._make(row), notice)
        for *row, notice in session.execute(query)
    ]


def _of_notice(claimed: Claimed, content: dict[str, Any]) -> Claimed:
    """Return a correction notice with what it says, which all its emails share."""
    return claimed._replace(context={**content, **(claimed.context or {})})
