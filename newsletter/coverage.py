"""Which releases each subscription was served, kept as two marks: `started_sequence` and `covered_to`.

Only this module changes the two marks. A subscription gets only releases above `started_sequence`.
`covered_to` is the highest sequence that it was served. Five operations change them: begin, carry over,
serve, put back, skip ahead.

A subscription belongs to the newsletter of its topic, and a digest to that of its issue. Each newsletter is
complete by itself: what one newsletter sends decides nothing for another. So if two newsletters have the same
release, a person who subscribed to both gets it from both.

A release *matches* a subscription if it is ready and its pair with the topic has a sequence. The pair's first
sequence must also be above `started_sequence`, and the subscriber must want its language
(models/release_languages.py). At every commit, this invariant holds for each active
subscription of a person and each release that matches it:

(a) The pair's latest sequence is above `covered_to`, so the release still waits, or a delivery of the same
    newsletter to that person holds the release and counts.
(b) At most one delivery of that newsletter to that person that holds it may still be sent or may have
    arrived.

A delivery *holds* the releases of its rendition, whose topics all belong to the newsletter of the delivery.
In five states (`HOLDING`) it *may still be sent or may have arrived*: queued, leased, deferred, accepted,
uncertain. Deliveries in these states count. A rejected delivery counts if its issue is not cancelled. A
*dropped* delivery counts too: it is cancelled, and its issue was cancelled with "drop" (`drops_unsent`).
Selection leaves out the releases that a dropped delivery holds. Other cancelled deliveries never count. Nor
do skipped ones, and rejected ones of a cancelled issue. The transaction that sets such a state puts the held
releases back. A delivery counts for the row it was made for. If an earlier version merged rows into that row,
their deliveries count for it too.

(a) has three exceptions. The first is a release that `skip_ahead` left out. The second is a release whose
language was not wanted when an issue served the row past it, also if its language is corrected later. So a
subscriber who adds a language gets the releases since the last issue. The third follows from a move to
an address with subscriptions of its own. The new row begins with the old marks, so it does not get the
releases that the earlier address was served. If a delivery to the earlier address then never arrives, put
back lowers the new row too. A person who was erased and signs up again has no marks from before.

An urgent issue moves no mark. Its transaction takes the release out of the deliveries that wait, so the
urgent delivery alone holds it (digest/urgent.py). A correction notice holds no release.

A release that was merged into another one (releases/duplicates/merge.py) is excluded, so it does not match. A
delivery that holds it holds the other one too, for (a) and for selection. For (b) it does not, until it is
sent: its claim leaves the merged release out. If it is put back, the other one is put back.

Lock these people (`lock`) before serve and before put back. Also lock them before reading which releases
deliveries hold, if the result decides what another delivery may hold. Whether a release was served never
depends on comparing the clocks of two hosts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from newsletter.calendar.store import tell_clock
from newsletter.models import (
    Delivery,
    DeliveryState,
    EndedReason,
    Issue,
    IssueRelease,
    Release,
    ReleaseMerge,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
    current_sequence,
    is_one_of,
    rows_as_table,
)
from newsletter.models.release_languages import read_choice, wants_in_sql
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
    row.started_sequence = row.covered_to = _floor_below_newest(session, row, welcome_releases)
    if welcome_releases > 0:
        tell_clock(session, session.scalars(select(Topic.newsletter_id).where(Topic.id == row.topic_id)))


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

    `held` are pairs of subscriber id and rendition key. Each release counts with its latest sequence under
    any topic. The `covered_to` of the person's subscriptions to the delivery's newsletter falls to just below
    the lowest of these sequences. This includes subscriptions that ended and can become active again. If a
    person has moved a topic to another row since, that row is lowered too, but only for the releases of its
    own topic. Other deliveries to the earlier address do not count for it. The caller has locked these people
    (with `moved`, if several).
    """
    pairs = [(subscriber_id, key) for subscriber_id, key in held if key]
    if not pairs:
        return
    keys = {key for _, key in pairs}
    floors, newsletters = _floors(session, keys), _newsletters(session, keys)
    lowest: dict[tuple[int, int], int] = {}
    for subscriber_id, key in pairs:
        if key in floors:
            whose = (subscriber_id, newsletters[key])
            lowest[whose] = min(floors[key], lowest.get(whose, floors[key]))
    if not lowest:
        return
    session.flush()
    rows = [(*whose, floor) for whose, floor in lowest.items()]
    _lower(session, (Subscription.subscriber_id, Subscription.newsletter_id), rows)
    moved = _moved_rows(session, {subscriber_id for subscriber_id, _ in lowest})
    if moved:
        # A person may have moved after the caller took its locks.
        lock(session, {each.subscriber_id for each in moved})
        held_by = [(subscriber_id, newsletters[key], key) for subscriber_id, key in pairs]
        _lower(session, (Subscription.id,), list(_floors_of_moved(session, moved, held_by).items()))
    _forget_loaded_marks(session)
    tell_clock(session, {newsletter_id for _, newsletter_id in lowest})


def skip_ahead(session: Session, subscriber_id: int, newest: int) -> None:
    """Drop the releases that wait for one person, except the `newest` of each topic. Commits nothing.

    Used at the end of a pause and when a suppression is lifted. Releases are ordered by their first sequence.
    Both marks are raised to that of the newest dropped release. This includes subscriptions that ended and
    can become active again, so that undoing an unsubscription after the pause brings no more releases.
    """
    lock(session, [subscriber_id])
    theirs = select(Subscription).where(Subscription.subscriber_id == subscriber_id, _is_or_can_come_back())
    rows = session.scalars(theirs.execution_options(populate_existing=True)).all()
    languages = _languages_of(session, subscriber_id)
    held = {
        each: held_releases(session, lambda column: column == subscriber_id, each).get(subscriber_id, set())
        for each in {row.newsletter_id for row in rows}
    }
    for row in rows:
        theirs_held = held[row.newsletter_id]
        found = _waiting(session, row, languages, most=newest + len(theirs_held) + 1)
        waiting = [first for release_id, first in found if release_id not in theirs_held]
        left_out = first_left_out(waiting, newest)
        if left_out is not None:
            row.started_sequence = max(row.started_sequence, left_out)
            row.covered_to = max(row.covered_to, left_out)
    session.flush()
    tell_clock(session, held)


def first_left_out(waiting: Sequence[int], newest: int) -> int | None:
    """Return the mark that `skip_ahead` raises to, or None. `waiting` are first sequences, newest first."""
    return waiting[newest] if len(waiting) > newest else None


def held_releases(
    session: Session,
    whose: Callable[[InstrumentedAttribute[Any]], ColumnElement[bool]],
    newsletter_id: int,
    *,
    releases: Iterable[int] | None = None,
    but_issue: int | None = None,
) -> Mapping[int, set[int]]:
    """Return the releases that selection leaves out because deliveries of a newsletter hold them.

    They are grouped by subscriber id. These deliveries may still be sent, may have arrived, or were
    dropped. `whose` makes the condition on a column of subscriber ids. `releases` limits the search to
    issues that have one of these releases, and `but_issue` excludes one issue. A row that an earlier
    version merged into another one counts for that other one.
    """
    found: dict[int, set[int]] = defaultdict(set)
    issues = select(Issue.id).where(Issue.newsletter_id == newsletter_id, Issue.is_test.is_(False))
    if but_issue is not None:
        issues = issues.where(Issue.id != but_issue)
    if releases is None:
        # A person has few deliveries, so the database looks up the issue of each.
        among: ColumnElement[bool] = exists(issues.where(Issue.id == Delivery.issue_id))
    else:
        wanted = set(releases)
        merged = select(ReleaseMerge.release_id).where(is_one_of(session, ReleaseMerge.stays_id, wanted))
        wanted.update(session.scalars(merged))
        offered = is_one_of(session, IssueRelease.release_id, wanted)
        ids = session.scalars(issues.where(Issue.id.in_(select(IssueRelease.issue_id).where(offered)))).all()
        if not ids:
            return found
        among = is_one_of(session, Delivery.issue_id, ids)
    own = select(Delivery.subscriber_id, Rendition.key).where(whose(Delivery.subscriber_id))
    joined = (
        select(Subscriber.moved_to, Rendition.key)
        .join(Delivery, Delivery.subscriber_id == Subscriber.id)
        .where(whose(Subscriber.moved_to))
    )
    # Without the first look, SQLite would read all deliveries of the issues for each chunk of subscribers.
    moved = session.scalar(select(Subscriber.id).where(whose(Subscriber.moved_to)).limit(1)) is not None
    for query in (own, joined) if moved else (own,):
        chosen = query.join(Rendition, Rendition.id == Delivery.rendition_id).where(
            or_(Delivery.state.in_(HOLDING), _is_dropped()), among
        )
        for subscriber_id, key in session.execute(chosen):
            if subscriber_id is not None:
                found[subscriber_id].update(release_ids(read_key(key)))
    _add_those_that_stay(session, found.values())
    return found


def _stays_of(session: Session, release_ids: Collection[int]) -> Mapping[int, int]:
    """Return which of these releases were merged, and the one that each was merged into."""
    if not release_ids:
        return {}
    merged = is_one_of(session, ReleaseMerge.release_id, release_ids)
    rows = session.execute(select(ReleaseMerge.release_id, ReleaseMerge.stays_id).where(merged))
    return {release_id: stays_id for release_id, stays_id in rows}


def _add_those_that_stay(session: Session, groups: Collection[set[int]]) -> None:
    """Add to each group of releases those that they were merged into."""
    stays = _stays_of(session, set().union(*groups))
    for each in groups if stays else ():
        each.update([stays[one] for one in each if one in stays])


def _is_dropped() -> ColumnElement[bool]:
    # Both databases run the sub-query once. Few issues are dropped.
    dropped = select(Issue.id).where(Issue.drops_unsent)
    return and_(Delivery.state == DeliveryState.CANCELLED, Delivery.issue_id.in_(dropped))


def _languages_of(session: Session, subscriber_id: int) -> frozenset[str]:
    """Return the languages that a subscriber chose for releases; empty if they want all."""
    chosen = select(Subscriber.release_languages).where(Subscriber.id == subscriber_id)
    return read_choice(session.scalar(chosen))


def _floor_below_newest(session: Session, row: Subscription, newest: int) -> int:
    """Return a mark below the `newest` ready releases that the subscriber wants, by first sequence."""
    today = current_sequence(session)
    if newest < 1:
        return today
    chosen = (
        select(ReleaseTopic.first_sequence)
        .join(ReleaseTopic.release)
        .where(
            ReleaseTopic.topic_id == row.topic_id,
            ReleaseTopic.first_sequence.is_not(None),
            Release.state == ReleaseState.READY,
            wants_in_sql(_languages_of(session, row.subscriber_id), Release.language),
        )
        .order_by(ReleaseTopic.first_sequence.desc())
        .limit(newest)
    )
    return min([today, *(first - 1 for first in session.scalars(chosen) if first is not None)])


def _is_or_can_come_back() -> ColumnElement[bool]:
    return or_(Subscription.state == SubscriptionState.ACTIVE, Subscription.ended_reason.in_(CAN_COME_BACK))


def _waiting(
    session: Session, row: Subscription, languages: frozenset[str], most: int
) -> list[tuple[int, int]]:
    """Return the newest releases that wait for one subscription, at most `most`: id and first sequence.

    The newest release is first. `languages` has what the subscriber chose.
    """
    chosen = (
        select(ReleaseTopic.release_id, ReleaseTopic.first_sequence)
        .join(ReleaseTopic.release)
        .where(
            ReleaseTopic.topic_id == row.topic_id,
            ReleaseTopic.sequence > row.covered_to,
            ReleaseTopic.first_sequence > row.started_sequence,
            Release.state == ReleaseState.READY,
            wants_in_sql(languages, Release.language),
        )
        .order_by(ReleaseTopic.first_sequence.desc())
        .limit(most)
    )
    return [(release_id, first) for release_id, first in session.execute(chosen) if first is not None]


def _floors(session: Session, keys: Iterable[str]) -> dict[str, int]:
    """Return a mark for each rendition key: just below the latest sequence of each of its releases."""
    releases = {key: set(release_ids(read_key(key))) for key in keys}
    _add_those_that_stay(session, releases.values())
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


def _newsletters(session: Session, keys: Iterable[str]) -> dict[str, int]:
    """Return the newsletter of each rendition key. All topics of a key belong to the same one."""
    topics = {key: read_key(key)[0].topic_id for key in keys}
    owners = select(Topic.id, Topic.newsletter_id).where(is_one_of(session, Topic.id, set(topics.values())))
    owner = {topic_id: newsletter_id for topic_id, newsletter_id in session.execute(owners)}
    return {key: owner[topic_id] for key, topic_id in topics.items()}


class _Moved(NamedTuple):
    """A subscription that began by a move, and a person it came from, by one move or a chain of moves."""

    id: int
    subscriber_id: int
    topic_id: int
    newsletter_id: int
    earlier_id: int


def _moved_rows(session: Session, subscriber_ids: Iterable[int]) -> list[_Moved]:
    """Return the subscriptions that these people moved to an address with its own. They are few."""
    earlier, later = aliased(Subscription), aliased(Subscription)
    moved = (
        select(
            Subscription.id, Subscription.subscriber_id, Subscription.topic_id, Subscription.newsletter_id,
            earlier.subscriber_id.label("earlier_id"),
        )
        .join(earlier, earlier.id == Subscription.moved_from_id)
        .where(Subscription.moved_from_id.is_not(None))
        .where(is_one_of(session, earlier.subscriber_id, subscriber_ids))
        .cte("moved", recursive=True)
    )  # fmt: skip
    moved_on = select(
        later.id, later.subscriber_id, later.topic_id, later.newsletter_id, moved.c.earlier_id
    ).join(moved, later.moved_from_id == moved.c.id)
    return [_Moved._make(row) for row in session.execute(select(moved.union(moved_on)))]


def _floors_of_moved(
    session: Session, moved: Iterable[_Moved], held: Iterable[tuple[int, int, str]]
) -> dict[int, int]:
    """Return a mark for each of these rows: just below the releases of its topic that are put back.

    `held` has subscriber id, newsletter id and rendition key.
    """
    releases: dict[tuple[int, int], set[int]] = defaultdict(set)
    for subscriber_id, newsletter_id, key in held:
        releases[subscriber_id, newsletter_id].update(release_ids(read_key(key)))
    _add_those_that_stay(session, releases.values())
    wanted = {one for each in moved for one in releases[each.earlier_id, each.newsletter_id]}
    pairs = select(ReleaseTopic.release_id, ReleaseTopic.topic_id, ReleaseTopic.sequence).where(
        is_one_of(session, ReleaseTopic.release_id, wanted), ReleaseTopic.sequence.is_not(None)
    )
    latest = {(release, topic): sequence or 0 for release, topic, sequence in session.execute(pairs)}
    floors: dict[int, int] = {}
    for row in moved:
        pairs_held = ((each, row.topic_id) for each in releases[row.earlier_id, row.newsletter_id])
        below = [latest[pair] - 1 for pair in pairs_held if pair in latest]
        if below:
            floors[row.id] = min([*below, floors.get(row.id, below[0])])
    return floors


def _lower(
    session: Session,
    columns: Sequence[InstrumentedAttribute[int]],
    rows: Sequence[Sequence[int]],
) -> None:
    """Lower `covered_to` where it is above a floor; each row has the values of `columns`, and the floor."""
    names = [f"of_{each.key}" for each in columns]
    types = dict.fromkeys([*names, "floor"], int)
    given = rows_as_table(session, types, rows)
    mine = and_(*(column == given.c[name] for column, name in zip(columns, names, strict=True)))
    session.execute(
        update(Subscription)
        .where(mine, Subscription.covered_to > given.c.floor, _is_or_can_come_back())
        .values(covered_to=given.c.floor)
        .execution_options(synchronize_session=False)
    )


def _forget_loaded_marks(session: Session) -> None:
    """Expire the marks of the subscriptions that this session has loaded, so that they are read again."""
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Subscription):
            session.expire(loaded, ["covered_to", "started_sequence"])
