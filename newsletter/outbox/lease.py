"""Claim due deliveries by a lease, skip unwanted ones, check them again before sending, give them back."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Update,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from newsletter.messages.digests.recompose import find_fitting, held_by
from newsletter.messages.kinds import kinds_that_respect_pauses, wanted_with
from newsletter.models import (
    FIRST_NEWSLETTER,
    CorrectionNotice,
    Delivery,
    DeliveryState,
    Frequency,
    Issue,
    IssueState,
    Lane,
    Release,
    ReleaseState,
    Subscriber,
    Subscription,
    SubscriptionState,
    is_one_of,
    is_single,
    of_newsletters,
)
from newsletter.outbox.pacing.priority import Priority, of_issue

LEASE = timedelta(minutes=10)

# The frequencies of an issue "as it happens", in the form that the database stores.
AS_IT_HAPPENS = json.dumps([Frequency.IMMEDIATE.value])
# The states that wait, the one that has waited longer first.
WAITING = (DeliveryState.DEFERRED, DeliveryState.QUEUED)


class IssueToSend(NamedTuple):
    """An issue with due deliveries: its id, its newsletter, and whether it goes before older issues."""

    id: int
    newsletter_id: int
    goes_first: bool


def issues_to_send(session: Session, now: datetime) -> list[IssueToSend]:
    """Return the issues in `sending` that have a due delivery: their ids and newsletters.

    Urgent ones come first, then those as it happens, then the oldest.

    The worker calls it before it claims, so that a paused issue with a million waiting rows costs nothing.
    """
    return [IssueToSend._make(row) for row in session.execute(_issues_to_send(), {"now": now})]


@cache
def _issues_to_send() -> Select[int, int, bool]:
    """Return the query of `issues_to_send`. It is made once, because that takes longer than to run it."""
    due = exists().where(
        Delivery.lane == Lane.BULK,
        Delivery.issue_id == Issue.id,
        Delivery.state.in_(WAITING),
        Delivery.due_at <= bindparam("now"),
    )
    columns = select(Issue.id, Issue.newsletter_id, goes_first())
    chosen = columns.where(Issue.state == IssueState.SENDING, due)
    return chosen.order_by(Issue.urgent_release_id.is_(None), ~goes_first(), Issue.id)


def goes_first() -> ColumnElement[bool]:
    """Return the condition that an issue goes before older ones: it is urgent, or as it happens."""
    return or_(Issue.urgent_release_id.is_not(None), cast(Issue.frequencies, String) == AS_IT_HAPPENS)


def priority_of(issue: Issue) -> Priority:
    """Return the priority of an issue's emails."""
    first = issue.urgent_release_id is not None or json.dumps(issue.frequencies) == AS_IT_HAPPENS
    return of_issue(goes_first=first)


def claim(
    session: Session,
    lane: Lane,
    issue_id: int | None,
    worker: str,
    limit: int,
    now: datetime,
    newsletters: Collection[int] | None = None,
    conditions: Sequence[ColumnElement[bool]] = (),
) -> list[int]:
    """Lease up to `limit` due deliveries of a lane (and issue) to `worker`; return their ids.

    If `newsletters` are given, only the single emails that these newsletters send are leased. `conditions`
    are further conditions on the deliveries.

    A delivery with an expired lease is not due again. Only the journal of the worker that held it can tell
    what was sent (outbox/journals/journal.py). Commits nothing.
    """
    taken: list[int] = []
    # One state at a time, so that the index returns the rows in order. Otherwise each claim would sort up to
    # a million waiting rows.
    for state in WAITING:
        if len(taken) < limit:
            room = limit - len(taken)
            due = _due(lane, issue_id, state, now, newsletters).where(*conditions)
            taken += _take(session, due, worker, room, now)
    return sorted(taken)


def can_claim(
    session: Session,
    lane: Lane,
    issue_id: int | None,
    now: datetime,
    newsletters: Collection[int] | None = None,
    conditions: Sequence[ColumnElement[bool]] = (),
) -> bool:
    """Return whether `claim` would find a delivery."""
    return any(
        session.scalars(_due(lane, issue_id, state, now, newsletters).where(*conditions).limit(1)).all()
        for state in WAITING
    )


def _due(
    lane: Lane,
    issue_id: int | None,
    state: DeliveryState,
    now: datetime,
    newsletters: Collection[int] | None,
) -> Select[int]:
    mine = and_(is_single(), ~_waits()) if lane is Lane.SINGLE else Delivery.lane == Lane.BULK
    due = select(Delivery.id).where(mine, Delivery.state == state, Delivery.due_at <= now)
    if issue_id is not None:
        due = due.where(Delivery.issue_id == issue_id)
    if newsletters is not None:
        due = due.where(of_newsletters(newsletters))
    return due


def _take(session: Session, due: Select[int], worker: str, limit: int, now: datetime) -> list[int]:
    chosen = due.order_by(Delivery.due_at, Delivery.id).limit(limit).with_for_update(skip_locked=True)
    # One statement, so that two workers never claim the same row. SQLite has no row locks, and PostgreSQL
    # skips rows that another worker has locked.
    take = (
        update(Delivery)
        .where(Delivery.id.in_(chosen))
        .values(
            state=DeliveryState.LEASED,
            leased_by=worker,
            leased_until=now + LEASE,
            attempt=Delivery.attempt + 1,
        )
        .returning(Delivery.id)
    )
    return list(session.scalars(take.execution_options(synchronize_session=False)))


def single_mail_is_due(session: Session, now: datetime) -> bool:
    """Return whether a single email is due. This costs less than a claim that finds nothing."""
    waiting = exists().where(is_single(), Delivery.state.in_(WAITING), Delivery.due_at <= now, ~_waits())
    return bool(session.scalar(select(waiting)))


def newsletters_with_singles(session: Session, now: datetime) -> list[int]:
    """Return the newsletters that have a due single email to send, the one with the oldest email first."""
    due = (is_single(), Delivery.state.in_(WAITING), Delivery.due_at <= now, ~_waits())
    newsletter = func.coalesce(Delivery.newsletter_id, FIRST_NEWSLETTER)
    chosen = select(newsletter).where(*due).group_by(newsletter)
    return list(session.scalars(chosen.order_by(func.min(Delivery.due_at), newsletter)))


def _unwanted() -> ColumnElement[bool]:
    """Return the SQL condition that a single email is no longer wanted, or that its recipient was erased.

    messages/digests/recompose.py does this for digests.
    """
    erased = exists().where(Subscriber.id == Delivery.subscriber_id, Subscriber.email.is_(None))
    to_subscriber = Delivery.subscriber_id.is_not(None)
    pausing = exists().where(Subscriber.id == Delivery.subscriber_id, Subscriber.snoozed_until.is_not(None))
    return or_(
        erased,
        and_(func.coalesce(Delivery.template, "").in_(kinds_that_respect_pauses()), pausing),
        _corrects(ReleaseState.EXCLUDED),
        and_(Delivery.subscriber_id.is_(None), Delivery.recipient.is_(None)),
        *(and_(to_subscriber, _lacks(state)) for state in SubscriptionState if wanted_with(state)),
    )


def _waits() -> ColumnElement[bool]:
    """Return the SQL condition that an email may not be sent yet: a notice about a release that is held."""
    return _corrects(ReleaseState.HELD)


def _corrects(state: ReleaseState) -> ColumnElement[bool]:
    """Return the SQL condition that an email is a correction notice about a release in this state."""
    there = exists().where(
        CorrectionNotice.id == Delivery.correction_notice_id,
        Release.id == CorrectionNotice.release_id,
        Release.state == state,
    )
    return and_(Delivery.correction_notice_id.is_not(None), there)


def _lacks(state: SubscriptionState) -> ColumnElement[bool]:
    """Return the SQL condition that an email needs a subscription in `state`, and there is none.

    The subscription has to be to the newsletter of the email. An email made before there were newsletters
    belongs to the first.
    """
    there = exists().where(
        Subscription.subscriber_id == Delivery.subscriber_id,
        # A literal, so that the partial indexes of subscriptions are used.
        Subscription.state == literal_column(f"'{state.value}'"),
        Subscription.newsletter_id == func.coalesce(Delivery.newsletter_id, FIRST_NEWSLETTER),
    )
    # A digest's template is NULL, and without coalesce neither this nor its negation would be true.
    return and_(func.coalesce(Delivery.template, "").in_(wanted_with(state)), ~there)


def skip_unwanted(
    session: Session, claimed: Sequence[int], suppressed: Collection[int], now: datetime
) -> set[int]:
    """Skip the single emails of `claimed` that are unwanted or in `suppressed`; return their ids.

    For example, somebody unsubscribed after the email was enqueued. All arguments and the result are ids of
    deliveries. Commits nothing.
    """
    unwanted = _unwanted()
    if suppressed:
        unwanted = or_(unwanted, is_one_of(session, Delivery.id, suppressed))
    skipped = (
        update(Delivery)
        .where(is_one_of(session, Delivery.id, claimed), Delivery.lane == Lane.SINGLE, unwanted)
        .values(state=DeliveryState.SKIPPED, leased_by=None, leased_until=None, settled_at=now)
        .returning(Delivery.id)
    )
    return set(session.scalars(skipped.execution_options(synchronize_session=False)))


def still_wanted(session: Session, digests: Sequence[int], singles: Sequence[int], worker: str) -> set[int]:
    """Return the deliveries that `worker` still holds and that may still be sent unchanged.

    It is the last check before an envelope. A digest may be sent if its issue is not paused or cancelled, its
    topics are still subscribed, and its releases are ready. A single email may be sent if it is still wanted
    and need not wait.
    In both cases the subscriber must still have an address.
    """
    wanted: set[int] = set()
    if digests:
        sending = exists().where(Issue.id == Delivery.issue_id, Issue.state == IssueState.SENDING)
        wanted |= find_fitting(session, digests, *held_by(worker), sending)
    if singles:
        kept = select(Delivery.id).where(
            is_one_of(session, Delivery.id, singles), *held_by(worker), is_single(), ~_unwanted(), ~_waits()
        )
        wanted.update(session.scalars(kept))
    return wanted


def give_back(session: Session, delivery_ids: Sequence[int], worker: str, due_at: datetime) -> None:
    """Queue deliveries again that `worker` holds and has not offered to a relay. No attempt is counted."""
    again = queue_again(worker, is_one_of(session, Delivery.id, delivery_ids), due_at=due_at)
    session.execute(again.execution_options(synchronize_session=False))


def postpone(session: Session, rows: Sequence[tuple[int, datetime]], worker: str) -> None:
    """Queue deliveries again whose domain is over its rate limit, each due at its own time."""
    again = queue_again(worker, Delivery.id == bindparam("row"), due_at=bindparam("again_at"))
    session.connection().execute(again, [{"row": row, "again_at": due_at} for row, due_at in rows])


def queue_again(worker: str, chosen: ColumnElement[bool], **values: Any) -> Update:
    """Return the UPDATE that queues the `chosen` deliveries again that `worker` holds.

    `values` are further columns. The attempt is not counted.
    """
    return (
        update(Delivery)
        .where(chosen, Delivery.state == DeliveryState.LEASED, Delivery.leased_by == worker)
        .values(
            state=DeliveryState.QUEUED,
            leased_by=None,
            leased_until=None,
            attempt=Delivery.attempt - 1,
            **values,
        )
    )
