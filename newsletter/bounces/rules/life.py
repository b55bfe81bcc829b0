"""Signs of life of an address: a later email that was accepted and did not come back, or a used link."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, literal_column, select
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
    if subscriber_id is None:
        return False
    return bool(session.scalar(_later(), {"of": subscriber_id, "after": delivery_id}))


@functools.cache
def _later() -> Select[bool]:
    """Return the query of `has_later`. It is made once, because that takes longer than to run it."""
    accepted = exists().where(
        Delivery.subscriber_id == bindparam("of"),
        Delivery.id > bindparam("after"),
        Delivery.state == DeliveryState.ACCEPTED,
        ~came_back(Delivery.id),
    )
    return select(accepted)


def has_used(session: Session, subscriber_id: int | None, since: datetime | None) -> bool:
    """Return whether the person used a link of ours after `since`."""
    if subscriber_id is None or since is None:
        return False
    used = last_used(session, subscriber_id)
    return used is not None and used > since


def last_used(session: Session, subscriber_id: int) -> datetime | None:
    """Return when the person last used a link of ours, or None."""
    found = (session.scalar(query, {"of": subscriber_id}) for query in _uses())
    return max((each for each in found if each is not None), default=None)


@functools.cache
def _uses() -> tuple[Select[datetime | None], ...]:
    """Return the queries of `last_used`, made once as in `_later`."""
    acts = select(func.max(ConsentEntry.at)).where(
        ConsentEntry.subscriber_id == bindparam("of"),
        ConsentEntry.act.in_(_BY_LINK),
        ConsentEntry.how.not_in(_NOT_BY_OWNER),
    )
    stayed = select(func.max(BounceStep.at)).where(
        BounceStep.subscriber_id == bindparam("of"),
        BounceStep.kind == StepKind.RESET,
        BounceStep.reason == STAYED,
        BounceStep.undone_at.is_(None),
    )
    return acts, stayed


def came_back(delivery_id: Any) -> ColumnElement[bool]:
    """Return the SQL condition that a delivery failed by a report or by the relay's reply."""
    failed = aliased(BounceStep)
    # Literals, so that the partial index of failures is used.
    is_failure = failed.kind.in_([literal_column(f"'{each.value}'") for each in FAILURES])
    return exists().where(failed.delivery_id == delivery_id, is_failure, failed.undone_at.is_(None))
