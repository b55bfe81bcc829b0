"""Show a digest in the browser as one subscriber received it ("view in browser")."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound, ReleaseWithdrawn
from newsletter.messages.build import MessageMaker
from newsletter.messages.claimed import load_claimed
from newsletter.messages.digests.edition import Edition
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    Release,
    Subscriber,
    is_one_of,
    public_now,
)
from newsletter.models.rendition_key import read_key, release_ids, write_key
from newsletter.models.tables.subscriber import went_to_present_address


def read_issue(
    session: Session, maker: MessageMaker, subscriber_public_id: str, delivery_id: int, now: datetime
) -> str:
    """Return the HTML of a digest that was sent to `subscriber_public_id` ("" for a test).

    Both ids come from a signed link. Raises NotFound when the delivery was deleted or cancelled, belongs to
    another subscriber, or is not a digest. It is also raised when the texts of the issue were deleted.

    Releases that are not public now are left out. Raises ReleaseWithdrawn if none is left.
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
    key = _of_public_releases(session, claimed.rendition_key, now)
    if not key:
        raise ReleaseWithdrawn("no release of this issue is public now")
    edition = Edition.load(session, claimed.issue_id, claimed.issue_public_id, claimed.language)
    return edition.html(key, maker.subscriber_fields(claimed, now), complete=True)


def _of_public_releases(session: Session, key: str, now: datetime) -> str:
    """Return the rendition key without the releases that are not public now."""
    selection = read_key(key)
    query = select(Release.id).where(is_one_of(session, Release.id, release_ids(selection)), public_now(now))
    public = set(session.scalars(query))
    shown = (
        replace(part, release_ids=tuple(each for each in part.release_ids if each in public))
        for part in selection
    )
    return write_key(tuple(part for part in shown if part.release_ids))


def _went_elsewhere(session: Session, delivery_id: int) -> bool:
    """Return whether a delivery was made before its subscriber changed to the present address."""
    times = (
        select(Delivery.created_at, Subscriber.address_since)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.id == delivery_id)
    )
    found = session.execute(times).first()
    return found is not None and not went_to_present_address(found.address_since, found.created_at)
