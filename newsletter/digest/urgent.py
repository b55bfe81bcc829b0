"""Urgent issues: one release at once, for every subscriber of its topics, whatever their frequency.

An urgent issue moves no mark. The next digest leaves the release out because a delivery holds it, and brings
it if that delivery was rejected or cancelled by then. A delivery that holds the release and is not leased
gives it up to the urgent one (newsletter/coverage.py has the rules).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from newsletter import audit, coverage
from newsletter.digest.fragments import render_issue
from newsletter.digest.issues import CHUNK, start_sending, take_number
from newsletter.languages import choose_language
from newsletter.messages.digests.corrections import render_corrections
from newsletter.messages.digests.render import DigestRenderer
from newsletter.messages.digests.renditions import make_renditions, store_renditions
from newsletter.models import (
    Delivery,
    DeliveryState,
    Frequency,
    Issue,
    IssueRelease,
    IssueState,
    Release,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    Subscriber,
    Subscription,
    Topic,
    is_one_of,
)
from newsletter.models.release_languages import stored_choice_wants
from newsletter.models.rendition_key import (
    FIRST_REVISION,
    Section,
    name_of,
    read_key,
    release_names,
    without,
    write_key,
)
from newsletter.models.tables.issue import holds_release
from newsletter.notices import NoticeKind, tell_owner
from newsletter.outbox.enqueue import enqueue_issue
from newsletter.outbox.unsent import WAITING
from newsletter.suppression import suppressed_subscribers

# An issue that would be opened later than this is not urgent any more, so a person is asked.
LATE = timedelta(hours=6)


class UrgentReach(NamedTuple):
    """Numbers of people, before a release is sent urgently.

    `would_get` get an email at once. `waiting` of them have the release in an email that waits, which leaves
    it out. `have` have it already, or are being sent it. `away` pause or are suppressed.
    """

    would_get: int
    waiting: int
    have: int
    away: int


def count_urgent(session: Session, release: Release) -> UrgentReach:
    """Return how many people an urgent issue of a release would reach now. Writes nothing."""
    person, chosen = Subscription.subscriber_id, [_matches(release), _wants(release)]
    here = _gets_email()
    sent = _holder(release.id, DeliveryState.LEASED, DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)
    waits = _holder(release.id, *WAITING)

    def people(*conditions: ColumnElement[bool]) -> int:
        counted = select(func.count(person.distinct())).select_from(Subscription)
        counted = counted.join(ReleaseTopic, ReleaseTopic.topic_id == Subscription.topic_id)
        counted = counted.join(Subscriber, Subscriber.id == person)
        return session.scalar(counted.where(*chosen, *conditions)) or 0

    return UrgentReach(
        people(here, ~sent), people(here, ~sent, waits), people(here, sent), people(~here, ~sent)
    )


def marked_releases(session: Session) -> Sequence[int]:
    """Return the ready releases whose urgent issue has to be opened now."""
    return session.scalars(_marked_releases()).all()


@cache
def _marked_releases() -> Select[int]:
    query = select(Release.id).where(
        Release.urgent, Release.urgent_asked_at.is_(None), Release.state == ReleaseState.READY
    )
    return query.order_by(Release.id)


def open_urgent(
    session: Session, renderer: DigestRenderer, release_id: int, now: datetime
) -> Sequence[Issue]:
    """Open the urgent issue of a release in each newsletter that has it; return the issues.

    If it is much later than the editor expected, this asks instead. Commits nothing.
    """
    chosen = select(Release).where(Release.id == release_id).with_for_update()
    release = session.scalars(chosen.execution_options(populate_existing=True)).one()
    if not release.urgent or release.urgent_asked_at or release.state is not ReleaseState.READY:
        return []
    expected = max(release.urgent_from or now, release.embargo_until or release.urgent_from or now)
    if now - expected > LATE:
        release.urgent_asked_at = now
        hours = int((now - expected).total_seconds() // 3600)
        tell_owner(session, NoticeKind.URGENT_ASKS, release.public_id, now, title=release.title, hours=hours)
        return []
    release.urgent = False
    newsletters = (
        select(Subscription.newsletter_id)
        .join(ReleaseTopic, ReleaseTopic.topic_id == Subscription.topic_id)
        .where(_matches(release))
        .distinct()
    )
    return [
        _open(session, renderer, release, each, now) for each in sorted(session.scalars(newsletters).all())
    ]


def _open(
    session: Session, renderer: DigestRenderer, release: Release, newsletter_id: int, now: datetime
) -> Issue:
    number = take_number(session, newsletter_id)
    issue = Issue(
        newsletter_id=newsletter_id,
        number=number,
        title=f"No. {number}",
        frequencies=[str(each) for each in Frequency],
        state=IssueState.PREPARING,
        to_sequence=0,
        urgent_release_id=release.id,
        created_by=release.urgent_by,
        created_at=now,
    )
    session.add(issue)
    session.flush()
    own = renderer.of_newsletter(session, newsletter_id)
    for language in own.languages:
        render_issue(session, own, issue, [name_of(release.id, release.revision)], language, now)
    audit.record(session, release.urgent_by, "issue.open", issue.public_id, now, urgent=release.public_id)
    return issue


class UrgentPreparer:
    """Prepares one urgent issue. It waits for no other issue, and none waits for it."""

    def __init__(self, renderer: DigestRenderer, issue_id: int, chunk: int = CHUNK) -> None:
        self._renderer = renderer
        self._issue_id = issue_id
        self._chunk = chunk

    def step(self, session: Session, now: datetime) -> bool:
        """Prepare one chunk; return whether more follow. The caller commits each chunk.

        Deliveries, and what other deliveries give up, change in one transaction with `prepared_to`.
        """
        preparing = select(Issue).where(Issue.id == self._issue_id, Issue.state == IssueState.PREPARING)
        issue = session.scalar(preparing.with_for_update(key_share=True))
        if issue is None or issue.urgent_release_id is None:
            return False
        release = session.get_one(Release, issue.urgent_release_id, populate_existing=True)
        mine = [
            Subscription.newsletter_id == issue.newsletter_id,
            _matches(release),
            _wants(release),
            _gets_email(),
        ]
        ids = session.scalars(
            select(Subscription.subscriber_id)
            .join(ReleaseTopic, ReleaseTopic.topic_id == Subscription.topic_id)
            .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
            .where(*mine, Subscription.subscriber_id > issue.prepared_to)
            .distinct()
            .order_by(Subscription.subscriber_id)
            .limit(self._chunk)
        ).all()
        if not ids or release.state is not ReleaseState.READY:
            start_sending(session, issue, now)
            return False
        coverage.lock(session, ids)
        sections = _sections(session, release, mine, ids)
        free = sections.keys() - _give_up(session, issue, release.id, sections.keys(), now)
        self._enqueue(session, issue, {each: sections[each] for each in sorted(free)}, now)
        issue.prepared_to = ids[-1]
        return True

    def _enqueue(self, session: Session, issue: Issue, keys: Mapping[int, str], now: datetime) -> None:
        renditions = make_renditions(session, issue.id, sorted(set(keys.values())))
        pairs = [(subscriber_id, renditions[key]) for subscriber_id, key in keys.items()]
        offered = self._renderer.of_newsletter(session, issue.newsletter_id).languages
        tags = select(Subscriber.language).where(is_one_of(session, Subscriber.id, keys)).distinct()
        languages = {tag: choose_language(tag, offered) for tag in session.scalars(tags)}
        # A release that was corrected after the issue was opened has a text that was not rendered then.
        names = {name for key in renditions for name in release_names(read_key(key)) if "." in name}
        for language in sorted({*languages.values(), offered[0]}):
            render_corrections(session, self._renderer, issue.id, language, names, now)
        enqueue_issue(session, issue.id, pairs, languages, offered[0], now)


def _sections(
    session: Session, release: Release, mine: Iterable[ColumnElement[bool]], ids: Collection[int]
) -> dict[int, str]:
    """Return the rendition key of each of these people, who are locked: the first of their topics."""
    rows = session.execute(
        select(Subscription.subscriber_id, Subscription.topic_id, Subscription.frequency)
        .join(ReleaseTopic, ReleaseTopic.topic_id == Subscription.topic_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .join(Topic, Topic.id == Subscription.topic_id)
        .where(*mine, is_one_of(session, Subscription.subscriber_id, ids))
        .order_by(Subscription.subscriber_id, Topic.position, Topic.id)
    )
    corrected = ((release.id, release.revision),) if release.revision != FIRST_REVISION else ()
    keys: dict[int, str] = {}
    for subscriber_id, topic_id, frequency in rows:
        if subscriber_id not in keys:
            section = Section(topic_id, frequency, (release.id,), corrected)
            keys[subscriber_id] = write_key((section,))
    return keys


def _give_up(
    session: Session, issue: Issue, release_id: int, people: Collection[int], now: datetime
) -> set[int]:
    """Take the release out of these people's waiting deliveries; return those who get it by another one.

    The people are locked. People who get the release urgently from another newsletter get no urgent email
    here. So their deliveries here keep the release.
    """
    held = _deliveries_that_hold(session, issue, release_id, people)
    elsewhere = {row.person_id for row in held if row.newsletter_id != issue.newsletter_id}
    may_give_up = [
        row.id for row in held
        if row.state in WAITING and row.subscriber_id == row.person_id and row.person_id not in elsewhere
    ]  # fmt: skip
    # A worker may have claimed one since it was read. Then the person gets it by that one.
    waiting = select(Delivery.id).where(
        is_one_of(session, Delivery.id, may_give_up), Delivery.state.in_(WAITING)
    )
    given = set(session.scalars(waiting.with_for_update()))
    _take_out(session, [row for row in held if row.id in given], release_id, now)
    return {row.person_id for row in held if row.id not in given}


def _deliveries_that_hold(
    session: Session, issue: Issue, release_id: int, people: Collection[int]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the deliveries to these people that hold the release. `person_id` follows an earlier merge."""
    query = (
        select(
            Delivery.id, Delivery.issue_id, Rendition.key, Delivery.state, Issue.newsletter_id,
            Delivery.subscriber_id, func.coalesce(Subscriber.moved_to, Subscriber.id).label("person_id"),
        )
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(Issue, Issue.id == Delivery.issue_id)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(
            or_(
                is_one_of(session, Delivery.subscriber_id, people),
                is_one_of(session, Subscriber.moved_to, people),
            ),
            # One person gets one urgent email, also if several newsletters have the release.
            or_(Issue.newsletter_id == issue.newsletter_id, Issue.urgent_release_id == release_id),
            *_holding(release_id, *coverage.HOLDING),
        )
    )  # fmt: skip
    return session.execute(query).all()


def _take_out(
    session: Session, deliveries: Sequence[Row[*tuple[Any, ...]]], release_id: int, now: datetime
) -> None:
    """Take the release out of these locked deliveries. A delivery without any other release is skipped."""
    left: dict[int, dict[int, str]] = defaultdict(dict)
    empty = []
    for row in deliveries:
        key = without(row.key, {release_id})
        if key:
            left[row.issue_id][row.id] = key
        else:
            empty.append(row.id)
    for issue_id, keys in sorted(left.items()):
        store_renditions(session, issue_id, keys)
    session.execute(
        update(Delivery)
        .where(is_one_of(session, Delivery.id, empty))
        .values(state=DeliveryState.SKIPPED, settled_at=now)
        .execution_options(synchronize_session=False)
    )


def _holding(release_id: int, *states: DeliveryState) -> Sequence[ColumnElement[bool]]:
    """Return the conditions that a delivery in one of these states, or a dropped one, holds a release."""
    carrying = select(IssueRelease.issue_id).where(IssueRelease.release_id == release_id)
    dropped = and_(Delivery.state == DeliveryState.CANCELLED, Issue.drops_unsent)
    return (
        Delivery.issue_id.in_(carrying),
        Issue.is_test.is_(False),
        or_(Delivery.state.in_(states), dropped),
        holds_release(release_id),
    )


def _holder(release_id: int, *states: DeliveryState) -> ColumnElement[bool]:
    """Return the condition that such a delivery of the subscription's person and newsletter exists."""
    return exists(
        select(Delivery.id)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(Issue, Issue.id == Delivery.issue_id)
        .where(
            Delivery.subscriber_id == Subscription.subscriber_id,
            Issue.newsletter_id == Subscription.newsletter_id,
            *_holding(release_id, *states),
        )
        .correlate(Subscription)
    )


def _matches(release: Release) -> ColumnElement[bool]:
    """Return the condition that a release matches an active subscription, or will when it is ready."""
    first = func.coalesce(ReleaseTopic.first_sequence, ReleaseTopic.sequence)
    floor = first > Subscription.started_sequence
    is_new = (
        and_(ReleaseTopic.sequence.is_not(None), floor)
        if release.state is ReleaseState.READY
        else or_(first.is_(None), floor)
    )
    # A literal, so that the partial index of active subscriptions is used.
    active = Subscription.state == literal_column("'active'")
    return and_(active, ReleaseTopic.release_id == release.id, is_new)


def _wants(release: Release) -> ColumnElement[bool]:
    wants: ColumnElement[bool] = stored_choice_wants(Subscriber.release_languages, literal(release.language))
    return wants


def _gets_email() -> ColumnElement[bool]:
    """Return the condition that a person gets emails now."""
    return and_(
        Subscriber.email_key.is_not(None),
        Subscriber.snoozed_until.is_(None),
        Subscriber.id.not_in(suppressed_subscribers()),
    )
