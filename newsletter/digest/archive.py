"""An issue as one reader got it, for the browser."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.models import Delivery, DeliveryState
from newsletter.outbox.edition import Edition
from newsletter.outbox.messages import MessageMaker, load_claimed


def read_issue(session: Session, maker: MessageMaker, reader_id: str, delivery_id: int, now: datetime) -> str:
    """Return the HTML of a digest that was sent to the reader `reader_id` ("" for a test).

    Both come from a signed link. Raises NotFound when the delivery is gone, was cancelled, is
    somebody else's, or is not a digest.
    """
    found = load_claimed(session, [delivery_id])
    state = session.scalar(select(Delivery.state).where(Delivery.id == delivery_id))
    if not found or state is DeliveryState.CANCELLED:
        raise NotFound("this issue is gone")
    (claimed,) = found
    if (
        (claimed.reader_id or "") != reader_id
        or claimed.rendition_key is None
        or claimed.issue_id is None
        or claimed.issue_public_id is None
    ):
        raise NotFound("this issue is gone")
    edition = Edition.load(session, claimed.issue_id, claimed.issue_public_id, claimed.language)
    return edition.html(claimed.rendition_key, maker.reader_fields(claimed, now))
