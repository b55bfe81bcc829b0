"""Recompose a claimed digest, so that it has only topics still subscribed and releases still ready.

Between preparing and sending, people unsubscribe, pause and change topics. Editors hold and correct releases,
and take topics off them. What a digest may not have any more is left out and put back
(newsletter/coverage.py). A release that was corrected gets its present text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, String, cast, func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.messages.digests.corrections import render_corrections
from newsletter.messages.digests.render import DigestRenderer
from newsletter.messages.digests.renditions import store_renditions
from newsletter.models import (
    Delivery,
    DeliveryState,
    Fragment,
    Frequency,
    Issue,
    IssueRelease,
    Lane,
    Release,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    Subscriber,
    Subscription,
    Topic,
    TopicChoice,
    is_one_of,
)
from newsletter.models.rendition_key import (
    FIRST_REVISION,
    Section,
    Selection,
    read_key,
    release_ids,
    release_names,
    with_revisions,
    write_key,
)


class Digest(NamedTuple):
    """A claimed digest, and its subscriber's state now. `topics` has the ids of active topics, as text."""

    delivery_id: int
    subscriber_id: int
    issue_id: int
    language: str
    key: str
    is_away: bool
    topics: str | None


class Change(NamedTuple):
    """How a release of an issue differs from what was ready first: it is in few issues, and mostly in none.

    `taken_off` has the ids of topics that an editor took off the release.
    """

    is_ready: bool
    revision: int
    taken_off: Set[int]


def find_outdated(session: Session, delivery_ids: Sequence[int]) -> set[int]:
    """Return the digests among these that must be recomposed or skipped. Single emails are never outdated."""
    found = _load(session, delivery_ids)
    return {each.delivery_id for each in found} - _fitting(session, found)


def find_fitting(session: Session, delivery_ids: Sequence[int], *conditions: ColumnElement[bool]) -> set[int]:
    """Return the digests among these that meet `conditions` and may be sent unchanged."""
    return _fitting(session, _load(session, delivery_ids, *conditions))


def _fitting(session: Session, digests: Sequence[Digest]) -> set[int]:
    changed = _changed(session, {each.issue_id for each in digests})
    return {each.delivery_id for each in digests if _fits(each, changed.get(each.issue_id, {}))}


def recompose(
    session: Session,
    delivery_ids: Collection[int],
    suppressed: Collection[int],
    worker: str,
    now: datetime,
    renderer: DigestRenderer,
) -> set[int]:
    """Recompose these digests, which `worker` has leased; return the ids of those that are skipped.

    A delivery is skipped if it is in `suppressed`, if its subscriber pauses, or if no release is left. The
    others get a rendition without the releases that they may not hold, with the present text of each release.
    A text that is new in the issue is rendered with `renderer`. The releases left out are put back. Commits
    nothing.
    """
    before = _load(session, delivery_ids)
    coverage.lock(session, {each.subscriber_id for each in before}, moved=True)
    digests = _load(session, delivery_ids, *held_by(worker))
    changed = _changed(session, {each.issue_id for each in digests})
    left_out: list[tuple[int, str]] = []
    skipped, keys = set(), {}
    places = _Places(session, digests)
    for each in digests:
        keep: Selection = ()
        if not each.is_away and each.delivery_id not in suppressed:
            keep, gone = narrow(
                read_key(each.key),
                places.kept(each.subscriber_id),
                changed.get(each.issue_id, {}),
                lambda release_id, each=each: places.others(each, release_id),  # type: ignore[misc]
            )
            left_out.append((each.subscriber_id, write_key(gone)))
        if keep:
            keys[each] = write_key(keep)
        else:
            skipped.add(each.delivery_id)
            left_out.append((each.subscriber_id, each.key))
    _skip(session, skipped, now)
    _render(session, renderer, keys, now)
    _store(session, keys)
    coverage.put_back(session, left_out)
    return skipped


def narrow(
    selection: Selection,
    kept: Mapping[int, Frequency],
    changed: Mapping[int, Change],
    others: Callable[[int], Iterable[int]],
) -> tuple[Selection, Selection]:
    """Return the part of a selection that remains, and the part that is left out. Pure.

    `kept` has the frequency of each active topic of the subscriber. `changed` has the releases that changed.
    A release that is not ready is left out. A release whose topic is not in `kept`, or was taken off it,
    moves to the first topic of `others(release_id)`. If there is none, it is left out. What remains has the
    present revisions.
    """
    remains: dict[int, list[int]] = {}
    frequencies: dict[int, Frequency] = {}
    gone: list[Section] = []
    for part in selection:
        for release_id in part.release_ids:
            topic_id: int | None = part.topic_id
            change = changed.get(release_id)
            if change is not None and not change.is_ready:
                topic_id = None
            elif topic_id not in kept or (change is not None and topic_id in change.taken_off):
                topic_id = next(iter(others(release_id)), None)
            if topic_id is None:
                gone.append(Section(part.topic_id, part.frequency, (release_id,)))
                continue
            remains.setdefault(topic_id, []).append(release_id)
            same = topic_id == part.topic_id
            frequencies.setdefault(topic_id, part.frequency if same else kept[topic_id])
    numbers = {release_id: each.revision for release_id, each in changed.items()}
    keep = tuple(
        with_revisions(Section(topic, frequencies[topic], tuple(ids)), numbers)
        for topic, ids in remains.items()
    )
    return keep, tuple(gone)


class _Places:
    """The topics under which releases may be shown in some digests, read from the database at once."""

    def __init__(self, session: Session, digests: Sequence[Digest]) -> None:
        subscribers = {each.subscriber_id for each in digests}
        active = (
            select(
                Subscription.subscriber_id,
                Subscription.topic_id,
                Subscription.frequency,
                Subscription.started_sequence,
            )
            .join(Topic, Topic.id == Subscription.topic_id)
            .where(
                is_one_of(session, Subscription.subscriber_id, subscribers),
                Subscription.state == literal_column("'active'"),
            )
            .order_by(Topic.position, Topic.id)
        )
        self._active: dict[int, dict[int, tuple[Frequency, int]]] = defaultdict(dict)
        for subscriber_id, topic_id, frequency, started in session.execute(active):
            self._active[subscriber_id][topic_id] = (frequency, started)
        releases = {one for each in digests for one in release_ids(read_key(each.key))}
        pairs = select(ReleaseTopic.release_id, ReleaseTopic.topic_id, ReleaseTopic.first_sequence).where(
            is_one_of(session, ReleaseTopic.release_id, releases), ReleaseTopic.first_sequence.is_not(None)
        )
        self._pairs: dict[int, dict[int, int]] = defaultdict(dict)
        for release_id, topic_id, first in session.execute(pairs):
            self._pairs[release_id][topic_id] = first or 0
        issues = select(Issue.id, Issue.frequencies).where(
            is_one_of(session, Issue.id, {each.issue_id for each in digests})
        )
        # A topic that was created after the issue was rendered has no heading in it.
        headings = select(Fragment.issue_id, Fragment.part).where(
            is_one_of(session, Fragment.issue_id, {each.issue_id for each in digests}),
            Fragment.part.startswith("topic:"),
        )
        self._headings = {
            (issue, int(part.removeprefix("topic:"))) for issue, part in session.execute(headings)
        }
        self._serves = {issue_id: set(frequencies) for issue_id, frequencies in session.execute(issues)}

    def kept(self, subscriber_id: int) -> Mapping[int, Frequency]:
        """Return the frequency of each active topic of a subscriber, in the order that topics are shown."""
        return {topic: frequency for topic, (frequency, _) in self._active[subscriber_id].items()}

    def others(self, digest: Digest, release_id: int) -> Iterable[int]:
        """Yield the subscriber's topics that the issue serves and under which the release is new to them."""
        firsts = self._pairs[release_id]
        for topic, (frequency, started) in self._active[digest.subscriber_id].items():
            served = frequency in self._serves[digest.issue_id] and firsts.get(topic, 0) > started
            if served and (digest.issue_id, topic) in self._headings:
                yield topic


def held_by(worker: str) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions that `worker` holds the lease of a delivery."""
    # With "" appended, SQLite looks each row up by its id. Otherwise it would read all leases of the worker.
    return Delivery.state == DeliveryState.LEASED, Delivery.leased_by.concat("") == worker


def _load(session: Session, delivery_ids: Collection[int], *conditions: ColumnElement[bool]) -> list[Digest]:
    """Return the digests among these deliveries that meet `conditions`."""
    topics = (
        select(func.aggregate_strings(cast(Subscription.topic_id, String), ","))
        .where(
            Subscription.subscriber_id == Delivery.subscriber_id,
            Subscription.state == literal_column("'active'"),
        )
        .correlate(Delivery)
        .scalar_subquery()
    )
    is_away = Subscriber.snoozed_until.is_not(None) | Subscriber.email.is_(None)
    query = (
        select(
            Delivery.id, Delivery.subscriber_id, Delivery.issue_id, Delivery.language, Rendition.key, is_away,
            topics,
        )
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(is_one_of(session, Delivery.id, delivery_ids), Delivery.lane == Lane.BULK, *conditions)
    )  # fmt: skip
    return [Digest._make(row) for row in session.execute(query)]


def _changed(session: Session, issue_ids: Collection[int]) -> Mapping[int, Mapping[int, Change]]:
    """Return the releases of each issue that are not ready now, were corrected, or lost a topic."""
    taken = select(TopicChoice.release_id).where(TopicChoice.is_taken_off.is_(True))
    query = (
        select(IssueRelease.issue_id, Release.id, Release.state, Release.revision)
        .join(Release, Release.id == IssueRelease.release_id)
        .where(
            IssueRelease.issue_id.in_(issue_ids),
            or_(
                Release.state != ReleaseState.READY,
                Release.revision != FIRST_REVISION,
                Release.id.in_(taken),
            ),
        )
    )
    rows = session.execute(query).all()
    if not rows:
        return {}
    off: dict[int, set[int]] = defaultdict(set)
    pairs = select(TopicChoice.release_id, TopicChoice.topic_id).where(
        TopicChoice.is_taken_off.is_(True),
        is_one_of(session, TopicChoice.release_id, {row.id for row in rows}),
    )
    for release_id, topic_id in session.execute(pairs):
        off[release_id].add(topic_id)
    found: dict[int, dict[int, Change]] = defaultdict(dict)
    for issue_id, release_id, state, revision in rows:
        found[issue_id][release_id] = Change(state is ReleaseState.READY, revision, off[release_id])
    return found


def _fits(digest: Digest, changed: Mapping[int, Change]) -> bool:
    if digest.is_away or not digest.topics:
        return False
    if not _has_topics(digest.key, digest.topics):
        return False
    return not changed or all(_is_current(part, changed) for part in read_key(digest.key))


# Many subscribers of an issue have the same key and the same topics.
@lru_cache(maxsize=1024)
def _has_topics(key: str, topics: str) -> bool:
    """Return whether every topic of the selection `key` is in `topics`, the ids joined by commas."""
    return {str(part.topic_id) for part in read_key(key)}.issubset(topics.split(","))


def _is_current(part: Section, changed: Mapping[int, Change]) -> bool:
    """Return whether the releases of a section may be sent under its topic, with the revisions it has."""
    numbers = dict(part.revisions)
    for release_id in part.release_ids:
        change = changed.get(release_id)
        if change is not None and (
            not change.is_ready
            or change.revision != numbers.get(release_id, FIRST_REVISION)
            or part.topic_id in change.taken_off
        ):
            return False
    return True


def _skip(session: Session, delivery_ids: Collection[int], now: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(is_one_of(session, Delivery.id, delivery_ids))
        .values(state=DeliveryState.SKIPPED, leased_by=None, leased_until=None, settled_at=now)
        .execution_options(synchronize_session=False)
    )


def _render(session: Session, renderer: DigestRenderer, keys: Mapping[Digest, str], now: datetime) -> None:
    """Render corrected texts of these renditions that were not rendered yet, in the languages of digests."""
    names: dict[tuple[int, str], set[str]] = defaultdict(set)
    for digest, key in keys.items():
        if key != digest.key and "." in key:
            fresh = [each for each in release_names(read_key(key)) if "." in each]
            names[digest.issue_id, digest.language].update(fresh)
    for (issue_id, language), those in sorted(names.items()):
        render_corrections(session, renderer, issue_id, language, those, now)


def _store(session: Session, keys: Mapping[Digest, str]) -> None:
    """Store the changed renditions, as they are sent."""
    changed: dict[int, dict[int, str]] = defaultdict(dict)
    for digest, key in keys.items():
        if key != digest.key:
            changed[digest.issue_id][digest.delivery_id] = key
    for issue_id, by_delivery in changed.items():
        store_renditions(session, issue_id, by_delivery)
