"""Which releases each subscription was served, kept as two marks: `started_sequence` and `covered_to`.

Only this module changes the two marks. A subscription gets only releases above `started_sequence`.
`covered_to` is the highest sequence that it was served. Five operations change them: begin, carry over,
serve, put back, skip ahead.

A release *matches* a subscription if it is ready and its pair with the topic has a sequence. The pair's first
sequence must also be above `started_sequence`. At every commit, this invariant holds for each active
subscription of a person and each release that matches it:

(a) The pair's latest sequence is above `covered_to`, so the release still waits, or a delivery to that person
    holds the release and counts.
(b) At most one delivery to that person that holds it may still be sent or may have arrived.

A delivery *holds* the releases of its rendition. In five states (`HOLDING`) it *may still be sent or may have
arrived*: queued, leased, deferred, accepted, uncertain. Deliveries in these states count. A rejected delivery
counts if its issue is not cancelled. A skipped or cancelled delivery never counts, nor does a rejected one of
a cancelled issue. The transaction that sets such a state puts the held releases back. A delivery counts for
the row it was made for. If an earlier version merged rows into that row, their deliveries count for it too.

(a) has two exceptions. The first is a release that `skip_ahead` left out. The second follows from a move to
an address with subscriptions of its own. The new row begins with the old marks, so it does not get the
releases that the earlier address was served. If a delivery to the earlier address then never arrives, put
back lowers the new row too. A person who was erased and signs up again has no marks from before.

Lock these people (`lock`) before serve and before put back. Also lock them before reading which releases
deliveries hold, if the result decides what another delivery may hold. Whether a release was served never
depends on comparing the clocks of two hosts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from newsletter.models import (
    Delivery,
    DeliveryState,
    EndedReason,
    Release,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
    current_sequence,
    is_one_of,
    rows_as_table,
)
from newsletter.models.rendition_key import read_key, release_ids

# How long an unsubscription can be undone. A subscription that resumes within this time keeps both marks.
UNDO_FOR = timedelta(days=7)

# A delivery in one of these states may still be sent or may have arrived. No other may hold its releases.
HOLDING = (
    DeliveryState.QUEUED,
    DeliveryState.LEASED,
    DeliveryState.DEFERRED,
    DeliveryState.ACCEPTED,
    DeliveryState.UNCERTAIN,
)

# Rows that ended for one of these reasons can become active again with the marks they have.
CAN_COME_BACK = (EndedReason.UNSUBSCRIBED, EndedReason.MOVED)


def lock(session: Session, subscriber_ids: Iterable[int], *, moved: bool = False) -> None:
    """Lock these people, in the order of their ids, until the transaction ends.

    The lock on the subscriber's row protects all of their subscriptions, and also those that begin meanwhile.
    With `moved`, also lock the people to whose addresses these people moved topics, because put back changes
    their rows. On SQLite only one transaction writes at a time, so this does nothing.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    if moved:
        subscriber_ids = set(subscriber_ids)
        subscriber_ids |= {each.subscriber_id for each in _moved_rows(session, subscriber_ids)}
    chosen = select(Subscriber.id).where(is_one_of(session, Subscriber.id, subscriber_ids))
    ordered = chosen.order_by(Subscriber.id).with_for_update(key_share=True)
    session.execute(select(func.count()).select_from(ordered.subquery()))


def begin(session: Session, row: Subscription, welcome_releases: int = 0) -> None:
    """Set the marks of a new subscription, so that it gets the releases that become ready from now on.

    It also gets the newest `welcome_releases` releases of the topic, so that its first issue is not empty.
    """
    row.started_sequence = row.covered_to = _floor_below_newest(session, row.topic_id, welcome_releases)


def carry_over(earlier: Subscription, later: Subscription) -> None:
    """Copy the marks of `earlier` to `later`, so that no release is missed and none comes twice."""
    later.started_sequence, later.covered_to = earlier.started_sequence, earlier.covered_to


def serve(session: Session, subscription_ids: Sequence[int], to_sequence: int) -> None:
    """Mark exactly these subscriptions as served up to `to_sequence`.

    The caller has locked their people, and decided from exactly these rows what their deliveries hold.
    """
    session.execute(
        update(Subscription)
        .where(is_one_of(session, Subscription.id, subscription_ids), Subscription.covered_to < to_sequence)
        .values(covered_to=to_sequence)
        .execution_options(synchronize_session=False)
    )


def put_back(session: Session, held: Iterable[tuple[int, str]]) -> None:
    """Make the releases of deliveries that will never arrive wait again. Commits nothing.

    `held` are pairs of subscriber id and rendition key. Take the latest sequence of each of these releases
    under any topic: each subscription's `covered_to` is lowered to just below the lowest of them. This
    includes subscriptions that ended and can become active again. If a person has moved a topic to another
    row since, that row is lowered too, but only for the releases of its own topic. Other deliveries to the
    earlier address do not count for it. The caller has locked these people (with `moved`, if several).
    """
    pairs = [(subscriber_id, key) for subscriber_id, key in held if key]
    if not pairs:
        return
    floors = _floors(session, {key for _, key in pairs})
    lowest: dict[int, int] = {}
    for subscriber_id, key in pairs:
        if key in floors:
            lowest[subscriber_id] = min(floors[key], lowest.get(subscriber_id, floors[key]))
    if not lowest:
        return
    session.flush()
    _lower(session, Subscription.subscriber_id, lowest)
    moved = _moved_rows(session, lowest)
    if moved:
        # A person may have moved after the caller took its locks.
        lock(session, {each.subscriber_id for each in moved})
        _lower(session, Subscription.id, _floors_of_moved(session, moved, pairs))
    _forget_loaded_marks(session)


def skip_ahead(session: Session, subscriber_id: int, newest: int) -> None:
    """Drop the releases that wait for one person, except the `newest` of each topic. Commits nothing.

    Used at the end of a pause and when a suppression is lifted. Releases are ordered by their first sequence.
    Both marks are raised to that of the newest dropped release. This includes subscriptions that ended and
    can become active again, so that undoing an unsubscription after the pause brings no more releases.
    """
    lock(session, [subscriber_id])
    held = held_releases(session, lambda column: column == subscriber_id).get(subscriber_id, set())
    theirs = select(Subscription).where(Subscription.subscriber_id == subscriber_id, _is_or_can_come_back())
    for row in session.scalars(theirs.execution_options(populate_existing=True)).all():
        found = _waiting(session, row, most=newest + len(held) + 1)
        waiting = [first for release_id, first in found if release_id not in held]
        if len(waiting) > newest:
            left_out = waiting[newest]
            row.started_sequence = max(row.started_sequence, left_out)
            row.covered_to = max(row.covered_to, left_out)
    session.flush()


def held_releases(
    session: Session,
    whose: Callable[[InstrumentedAttribute[Any]], ColumnElement[bool]],
    *,
    issues: Sequence[int] | None = None,
    but_issue: int | None = None,
) -> Mapping[int, set[int]]:
    """Return the releases held by deliveries that may still be sent or may have arrived, by subscriber id.

    `whose` makes the condition on a column of subscriber ids. `issues` limits the search to deliveries of
    these issues, and `but_issue` excludes one issue. A row that an earlier version merged into another one
    counts for that other one.
    """
    found: dict[int, set[int]] = defaultdict(set)
    own = select(Delivery.subscriber_id, Rendition.key).where(whose(Delivery.subscriber_id))
    joined = (
        select(Subscriber.moved_to, Rendition.key)
        .join(Delivery, Delivery.subscriber_id == Subscriber.id)
        .where(whose(Subscriber.moved_to))
    )
    for query in (own, joined):
        chosen = query.join(Rendition, Rendition.id == Delivery.rendition_id).where(
            Delivery.state.in_(HOLDING)
        )
        if issues is not None:
            chosen = chosen.where(is_one_of(session, Delivery.issue_id, issues))
        if but_issue is not None:
            chosen = chosen.where(Delivery.issue_id != but_issue)
        for subscriber_id, key in session.execute(chosen):
            if subscriber_id is not None:
                found[subscriber_id].update(release_ids(read_key(key)))
    return found


def _floor_below_newest(session: Session, topic_id: int, newest: int) -> int:
    """Return a mark below the `newest` ready releases of a topic, ordered by first sequence."""
    today = current_sequence(session)
    if newest < 1:
        return today
    chosen = (
        select(ReleaseTopic.first_sequence)
        .join(ReleaseTopic.release)
        .where(
            ReleaseTopic.topic_id == topic_id,
            ReleaseTopic.first_sequence.is_not(None),
            Release.state == ReleaseState.READY,
        )
        .order_by(ReleaseTopic.first_sequence.desc())
        .limit(newest)
    )
    return min([today, *(first - 1 for first in session.scalars(chosen) if first is not None)])


def _is_or_can_come_back() -> ColumnElement[bool]:
    return or_(Subscription.state == SubscriptionState.ACTIVE, Subscription.ended_reason.in_(CAN_COME_BACK))


def _waiting(session: Session, row: Subscription, most: int) -> list[tuple[int, int]]:
    """Return the newest releases that wait for one subscription, at most `most`: id and first sequence.

    The newest release is first.
    """
    chosen = (
        select(ReleaseTopic.release_id, ReleaseTopic.first_sequence)
        .join(ReleaseTopic.release)
        .where(
            ReleaseTopic.topic_id == row.topic_id,
            ReleaseTopic.sequence > row.covered_to,
            ReleaseTopic.first_sequence > row.started_sequence,
            Release.state == ReleaseState.READY,
        )
        .order_by(ReleaseTopic.first_sequence.desc())
        .limit(most)
    )
    return [(release_id, first) for release_id, first in session.execute(chosen) if first is not None]


def _floors(session: Session, keys: Iterable[str]) -> dict[str, int]:
    """Return a mark for each rendition key: just below the latest sequence of each of its releases."""
    releases = {key: release_ids(read_key(key)) for key in keys}
    wanted = {each for ids in releases.values() for each in ids}
    latest = (
        select(ReleaseTopic.release_id, func.min(ReleaseTopic.sequence))
        .where(is_one_of(session, ReleaseTopic.release_id, wanted), ReleaseTopic.sequence.is_not(None))
        .group_by(ReleaseTopic.release_id)
    )
    lowest = {release_id: sequence or 0 for release_id, sequence in session.execute(latest)}
    return {
        key: min(lowest[each] for each in ids if each in lowest) - 1
        for key, ids in releases.items()
        if any(each in lowest for each in ids)
    }


class _Moved(NamedTuple):
    """A subscription that began by a move, and a person it came from, by one move or a chain of moves."""

    id: int
    subscriber_id: int
    topic_id: int
    earlier_id: int


def _moved_rows(session: Session, subscriber_ids: Iterable[int]) -> list[_Moved]:
    """Return the subscriptions that these people moved to an address with its own. They are few."""
    earlier, later = aliased(Subscription), aliased(Subscription)
    moved = (
        select(
            Subscription.id, Subscription.subscriber_id, Subscription.topic_id,
            earlier.subscriber_id.label("earlier_id"),
        )
        .join(earlier, earlier.id == Subscription.moved_from_id)
        .where(Subscription.moved_from_id.is_not(None))
        .where(is_one_of(session, earlier.subscriber_id, subscriber_ids))
        .cte("moved", recursive=True)
    )  # fmt: skip
    moved_on = select(later.id, later.subscriber_id, later.topic_id, moved.c.earlier_id).join(
        moved, later.moved_from_id == moved.c.id
    )
    return [_Moved._make(row) for row in session.execute(select(moved.union(moved_on)))]


def _floors_of_moved(
    session: Session, moved: Iterable[_Moved], held: Iterable[tuple[int, str]]
) -> dict[int, int]:
    """Return a mark for each of these rows: just below the releases of its topic that are put back."""
    releases: dict[int, set[int]] = defaultdict(set)
    for subscriber_id, key in held:
        releases[subscriber_id].update(release_ids(read_key(key)))
    wanted = {one for each in moved for one in releases[each.earlier_id]}
    pairs = select(ReleaseTopic.release_id, ReleaseTopic.topic_id, ReleaseTopic.sequence).where(
        is_one_of(session, ReleaseTopic.release_id, wanted), ReleaseTopic.sequence.is_not(None)
    )
    latest = {(release, topic): sequence or 0 for release, topic, sequence in session.execute(pairs)}
    floors: dict[int, int] = {}
    for row in moved:
        pairs_held = ((each, row.topic_id) for each in releases[row.earlier_id])
        below = [latest[pair] - 1 for pair in pairs_held if pair in latest]
        if below:
            floors[row.id] = min([*below, floors.get(row.id, below[0])])
    return floors


def _lower(session: Session, column: InstrumentedAttribute[int], floors: Mapping[int, int]) -> None:
    """Lower `covered_to` where it is above the floor that `floors` has for the value of `column`."""
    given = rows_as_table(session, {"id": int, "floor": int}, list(floors.items()))
    session.execute(
        update(Subscription)
        .where(column == given.c.id, Subscription.covered_to > given.c.floor, _is_or_can_come_back())
        .values(covered_to=given.c.floor)
        .execution_options(synchronize_session=False)
    )


def _forget_loaded_marks(session: Session) -> None:
    """Expire the marks of the subscriptions that this session has loaded, so that they are read again."""
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Subscription):
            session.expire(loaded, ["covered_to", "started_sequence"])
