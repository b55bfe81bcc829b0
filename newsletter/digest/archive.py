"""Show a digest in the browser as one subscriber received it ("view in browser")."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.messages.build import MessageMaker
from newsletter.messages.claimed import load_claimed
from newsletter.messages.edition import Edition
from newsletter.models import Delivery, DeliveryState, Issue, Subscriber
from newsletter.models.tables.subscriber import went_to_present_address


def read_issue(
    session: Session, maker: MessageMaker, subscriber_public_id: str, delivery_id: int, now: datetime
) -> str:
    """Return the HTML of a digest that was sent to `subscriber_public_id` ("" for a test).

    Both ids come from a signed link. Raises NotFound when the delivery was deleted or cancelled, belongs to
    another subscriber, or is not a digest. It is also raised when the texts of the issue were deleted.
    """
    found = load_claimed(session, [delivery_id])
    state = session.scalar(select(Delivery.state).where(Delivery.id == delivery_id))
    if not found or state is DeliveryState.CANCELLED:
        raise NotFound("this issue is gone")
    (claimed,) = found
    if _went_elsewhere(session, delivery_id):
        # The email is in a mailbox that may now belong to somebody else, so it gets no preferences link.
        claimed = claimed._replace(email_key=None)
    if (
        (claimed.subscriber_public_id or "") != subscriber_public_id
        or claimed.rendition_key is None
        or claimed.issue_id is None
        or claimed.issue_public_id is None
    ):
        raise NotFound("this issue is gone")
    if session.scalar(select(Issue.emptied_at).where(Issue.id == claimed.issue_id)) is not None:
        raise NotFound("this issue is too old to be shown as it was sent")
    edition = Edition.load(session, claimed.issue_id, claimed.issue_public_id, claimed.language)
    return edition.html(claimed.rendition_key, maker.subscriber_fields(claimed, now), complete=True)


def _went_elsewhere(session: Session, delivery_id: int) -> bool:
    """Return whether a delivery was made before its subscriber changed to the present address."""
    times = (
        select(Delivery.created_at, Subscriber.address_since)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.id == delivery_id)
    )
    found = session.execute(times).first()
    return found is not None and not went_to_present_address(found.address_since, found.created_at)
