"""Merge two subscribers: move topics to an address that is subscribed already, and undo such a move.

The person who requests the move and the person who confirms it at the new address may not be the same. So the
row at the new address keeps its links, its ledger and its emails, and the move can be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from newsletter import coverage
from newsletter.calendar.changes import move_hour
from newsletter.calendar.store import hour_of
from newsletter.models import (
    ConsentAct,
    EndedReason,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.choices import pauses
from newsletter.subscribers.consent.ledger import note_topics

# Moved topics can be moved again, to a further address. This many moves are followed.
MOST_MOVES = 10


def lock_people(session: Session, ids: Iterable[int]) -> None:
    """Lock these people in the order of their ids, so that two moves at once cannot deadlock.

    Their rows in the session are read again.
    """
    chosen = select(Subscriber).where(Subscriber.id.in_(set(ids))).order_by(Subscriber.id)
    session.execute(chosen.with_for_update().execution_options(populate_existing=True)).all()


def move_subscriptions(
    session: Session,
    mover: Subscriber,
    there: Subscriber,
    how: str,
    now: datetime,
    ip_address: str | None = None,
    catch_up: int | None = None,
) -> list[Subscription]:
    """Move the subscriptions of `mover` to `there`; return the new ones. Commits nothing.

    The subscriptions of `mover` end as *moved*. `there` gets those that it lacks, with the same `covered_to`
    and `started_sequence`. Its own active and pending subscriptions stay.

    The caller has locked both. Digests for the mover that no worker has claimed are skipped. Their releases
    are put back first, so that the new subscriptions still get them. If the move ends a pause, the newest
    `catch_up` releases of each topic are still sent, or all if it is None.
    """
    pauses.skip_unclaimed_digests(session, mover.id, now)
    session.flush()
    old = subscription_rows.of_subscriber(session, mover.id, SubscriptionState.ACTIVE, lock=True)
    present = subscription_rows.of_subscriber(session, there.id, SubscriptionState.ACTIVE, lock=True)
    taken = {row.topic_id for row in present}
    # If `there` has active topics, the mover's pause ends. Otherwise it replaces the pause of `there`.
    ending = mover if present else there
    if ending.snoozed_until is not None and catch_up is not None:
        coverage.skip_ahead(session, ending.id, catch_up)
    subscription_rows.end(session, old, EndedReason.MOVED, now)
    begun = [_begin_there(session, row, there, now) for row in old if row.topic_id not in taken]
    _welcome(session, mover, there, has_topics=bool(present), now=now)
    session.flush()
    note_topics(
        session, mover.id, ConsentAct.MOVED, how, now, subscription_rows.topics_of(old),
        ip_address=ip_address, to=there.public_id,
    )  # fmt: skip
    if begun:
        came = subscription_rows.topics_of(row for row in old if row.topic_id not in taken)
        note_topics(session, there.id, ConsentAct.CONFIRMED, "move", now, came, ip_address=ip_address)
    return begun


def _begin_there(session: Session, old: Subscription, there: Subscriber, now: datetime) -> Subscription:
    row = subscription_rows.follow(session, old, old.frequency, now)
    row.subscriber_id, row.moved_from_id, row.confirmed_at = there.id, old.id, now
    return row


def _welcome(
    session: Session, mover: Subscriber, there: Subscriber, *, has_topics: bool, now: datetime
) -> None:
    """Copy the mover's pause if `there` had no topics, and the mover's settings if it never confirmed."""
    if not has_topics:
        there.snoozed_until = mover.snoozed_until
    if there.confirmed_at is None:
        there.confirmed_at = now
        before = hour_of(there)
        there.language, there.time_zone = mover.language, mover.time_zone
        there.preferred_hour = mover.preferred_hour
        there.release_languages = mover.release_languages
        there.clicks_agreed_at = mover.clicks_agreed_at
        move_hour(session, there.id, before, hour_of(there), now)


@dataclass(frozen=True)
class Restorable:
    """A subscription that a move ended, and the row that it led to.

    `latest` is None if the new address had the topic before.
    """

    old: Subscription
    latest: Subscription | None

    @property
    def was_ended_meanwhile(self) -> bool:
        """Whether it was ended at the new address (unsubscribed, erased). Undoing the move keeps it ended."""
        latest = self.latest
        return (
            latest is not None
            and latest.state is SubscriptionState.ENDED
            and latest.ended_reason is not EndedReason.MOVED
        )


def find_restorable(session: Session, mover: Subscriber, since: datetime) -> list[Restorable]:
    """Return the subscriptions that a move at `since` or later ended and no newer row replaced.

    Changes nothing.
    """
    newest: dict[int, Subscription] = {}
    active: set[int] = set()
    theirs = (
        select(Subscription)
        .options(joinedload(Subscription.topic))
        .where(Subscription.subscriber_id == mover.id, Subscription.state != SubscriptionState.PENDING)
        .order_by(Subscription.id)
        .execution_options(populate_existing=True)
    )
    for row in session.scalars(theirs):
        newest[row.topic_id] = row
        if row.state is SubscriptionState.ACTIVE:
            active.add(row.topic_id)
    return [
        Restorable(row, _latest_of(session, row))
        for row in newest.values()
        if row.ended_reason is EndedReason.MOVED
        # A request that was pending for longer may have been confirmed since. Its row has a lower id.
        and row.topic_id not in active
        and row.confirmed_at is not None
        and row.ended_at is not None
        and row.ended_at >= since
    ]


def _latest_of(session: Session, old: Subscription) -> Subscription | None:
    """Return the newest row that the moved one led to, through all further moves."""
    found, fresh = None, [old.id]
    for _ in range(MOST_MOVES):
        led_to = session.scalars(
            select(Subscription)
            .where(Subscription.moved_from_id.in_(fresh))
            .order_by(Subscription.id)
            .execution_options(populate_existing=True)
        ).all()
        if not led_to:
            break
        found, fresh = led_to[-1], [row.id for row in led_to]
    return found


def restore(
    session: Session,
    mover: Subscriber,
    found: Sequence[Restorable],
    now: datetime,
    ip_address: str | None = None,
) -> list[Subscriber]:
    """Restore the subscriptions that moves ended, with their old marks. Commits nothing.

    The caller has locked the mover and the people at the other addresses. Their rows that came from the moves
    end; return these people. Topics that were unsubscribed there meanwhile stay ended, and topics that did
    not come from a move stay.
    """
    chosen = [each for each in found if not each.was_ended_meanwhile]
    elsewhere = [
        each.latest
        for each in chosen
        if each.latest is not None and each.latest.state is SubscriptionState.ACTIVE
    ]
    subscription_rows.end(session, elsewhere, EndedReason.MOVED, now)
    back = [subscription_rows.follow(session, each.old, each.old.frequency, now) for each in chosen]
    session.flush()
    people = []
    for person_id in sorted({row.subscriber_id for row in elsewhere}):
        person = session.get_one(Subscriber, person_id)
        gone = subscription_rows.topics_of(row for row in elsewhere if row.subscriber_id == person_id)
        note_topics(session, person_id, ConsentAct.MOVED, "undo", now, gone, to=mover.public_id)
        people.append(person)
    if back:
        restored = subscription_rows.topics_of(each.old for each in chosen)
        note_topics(session, mover.id, ConsentAct.MOVED, "undo", now, restored, ip_address=ip_address)
    return people
