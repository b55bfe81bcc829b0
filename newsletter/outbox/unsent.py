"""End deliveries that were not sent, and put back or drop their releases in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.models import Delivery, DeliveryState, Rendition, is_one_of

# The states of deliveries that wait and that no worker holds.
WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
# How many deliveries one statement reads.
AT_ONCE = 5_000

# A delivery's id, its subscriber's, and the key of its rendition.
Unsent = tuple[int, int, str]


def parts_of(
    session: Session,
    issue_id: int,
    states: Collection[DeliveryState],
    also: ColumnElement[bool] | None = None,
) -> Iterator[list[Unsent]]:
    """Yield lists of the deliveries of an issue in these states, a few thousand in each list.

    They are ordered by subscriber id, the order in which subscribers are locked. `also` is another condition.
    """
    after = 0
    while True:
        query = (
            select(Delivery.id, Delivery.subscriber_id, Rendition.key)
            .join(Rendition, Rendition.id == Delivery.rendition_id)
            .where(
                Delivery.issue_id == issue_id,
                Delivery.subscriber_id > after,
                # With "" appended no index of states is used, so the index on issue and subscriber gives the
                # order.
                Delivery.state.concat("").in_([each.value for each in states]),
                true() if also is None else also,
            )
            .order_by(Delivery.subscriber_id)
            .limit(AT_ONCE)
        )
        part = [(row, whom, key) for row, whom, key in session.execute(query) if whom is not None]
        if not part:
            return
        yield part
        after = part[-1][1]


def end_unsent(
    session: Session, part: Sequence[Unsent], state: DeliveryState, now: datetime, *, drop: bool = False
) -> int:
    """Give those of these deliveries that still wait a final state, and put back their releases.

    With `drop` they keep their releases. Returns how many. If a worker has claimed some of them since they
    were read, those are not changed. Commits nothing.
    """
    coverage.lock(session, [subscriber_id for _, subscriber_id, _ in part], moved=True)
    ended = session.scalars(
        update(Delivery)
        .where(is_one_of(session, Delivery.id, [each for each, _, _ in part]))
        .where(Delivery.state.in_(WAITING))
        .values(state=state, settled_at=now)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    done = set(ended)
    if not drop:
        coverage.put_back(session, [(whom, key) for each, whom, key in part if each in done])
    return len(done)
