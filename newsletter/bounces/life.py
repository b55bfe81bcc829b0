"""Signs of life of an address: a later email that was accepted and did not come back, or a used link."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal_column, select
from sqlalchemy.orm import Session, aliased

from newsletter.bounce_steps import STAYED
from newsletter.models import (
    FAILURES,
    BounceStep,
    ConsentAct,
    ConsentEntry,
    Delivery,
    DeliveryState,
    StepKind,
)

# What only the owner of the mailbox can do, by a link in an email. Anybody can ask with an address.
_BY_LINK = (
    ConsentAct.CONFIRMED, ConsentAct.CHANGED, ConsentAct.LEFT, ConsentAct.RETURNED, ConsentAct.SNOOZED,
    ConsentAct.RESUMED, ConsentAct.REASONED, ConsentAct.DISOWNED,
)  # fmt: skip
# Entries that a program or another person made.
_NOT_BY_OWNER = ("time", "admin", "command line", "import", "move", "joined")


def has_later(session: Session, delivery_id: int, subscriber_id: int | None) -> bool:
    """Return whether the relay accepted a later email to this person that did not come back."""
    later = aliased(Delivery)
    accepted = exists().where(
        later.subscriber_id == subscriber_id,
        later.id > delivery_id,
        later.state == DeliveryState.ACCEPTED,
        ~came_back(later.id),
    )
    return subscriber_id is not None and bool(session.scalar(select(accepted)))


def has_used(session: Session, subscriber_id: int | None, since: datetime | None) -> bool:
    """Return whether the person used a link of ours after `since`."""
    if subscriber_id is None or since is None:
        return False
    used = last_used(session, subscriber_id)
    return used is not None and used > since


def last_used(session: Session, subscriber_id: int) -> datetime | None:
    """Return when the person last used a link of ours, or None."""
    acts = select(func.max(ConsentEntry.at)).where(
        ConsentEntry.subscriber_id == subscriber_id,
        ConsentEntry.act.in_(_BY_LINK),
        ConsentEntry.how.not_in(_NOT_BY_OWNER),
    )
    stayed = select(func.max(BounceStep.at)).where(
        BounceStep.subscriber_id == subscriber_id,
        BounceStep.kind == StepKind.RESET,
        BounceStep.reason == STAYED,
        BounceStep.undone_at.is_(None),
    )
    moments = [each for each in (session.scalar(acts), session.scalar(stayed)) if each is not None]
    return max(moments, default=None)


def came_back(delivery_id: Any) -> ColumnElement[bool]:
    """Return the SQL condition that a delivery failed by a report or by the relay's reply."""
    failed = aliased(BounceStep)
    # Literals, so that the partial index of failures is used.
    is_failure = failed.kind.in_([literal_column(f"'{each.value}'") for each in FAILURES])
    return exists().where(failed.delivery_id == delivery_id, is_failure, failed.undone_at.is_(None))
