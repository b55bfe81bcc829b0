"""Read what decides a subscriber's next emails. Writes nothing.

The rules themselves are elsewhere: newsletter/coverage.py, digest/compose.py and newsletter/calendar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, selectinload

from newsletter import coverage, suppression
from newsletter.calendar.plan import Calendar, Hour, Personal, make_plan
from newsletter.calendar.store import find_calendar, hour_of, load_calendar, usual_calendar
from newsletter.digest.compose import Interest, Offer
from newsletter.digest.schedule.waves import audience_of
from newsletter.digest.select import Audience, interests_of_subscriber, load_offers
from newsletter.identity import Identity
from newsletter.models import (
    Delivery,
    Frequency,
    Gathering,
    Issue,
    IssueState,
    PersonalInstant,
    Release,
    ReleaseState,
    ReleaseTopic,
    SlotApproval,
    Subscriber,
    Subscription,
    Topic,
    Wave,
    WaveState,
    current_sequence,
    links_to_renew,
    ready_by_itself_at,
)
from newsletter.models.release_languages import read_choice
from newsletter.tokens import Tokens

Due = Mapping[datetime, frozenset[Frequency]]


@dataclass(frozen=True)
class Occasion:
    """A moment at which an issue is prepared for the subscriber, for some frequencies.

    `slot` is the date of a scheduled issue. `to_sequence` is set if the wave has already chosen the highest
    sequence of its releases.
    """

    at: datetime
    frequencies: frozenset[Frequency]
    slot: date | None = None
    to_sequence: int | None = None


@dataclass(frozen=True)
class ReadyLater:
    """A held release that becomes ready by itself, as offers without sequences, by topic."""

    at: datetime
    offers: Mapping[int, Offer]


@dataclass(frozen=True)
class Schedule:
    """What is the same for every subscriber of a newsletter. `topics` are in the order that emails show.

    `closed_dates` have an issue that is cancelled or paused, or were not approved in time. So no further wave
    of them is prepared. `approved` has the highest sequence of each date that was approved, and `unapproved`
    the dates that wait for an approval. `urgent` are releases that are sent alone as soon as they are ready.
    """

    newsletter_id: int
    now: datetime
    calendar: Calendar
    is_on: bool
    opened_to: datetime
    gathering_at: datetime | None
    gather_minutes: int
    topics: Mapping[int, str]
    to_sequence: int
    ready_later: tuple[ReadyLater, ...]
    closed_dates: frozenset[date]
    # The opened waves that are still being prepared.
    waves: Sequence[Wave]
    approved: Mapping[date, int]
    unapproved: frozenset[date]
    urgent: frozenset[int]


@dataclass(frozen=True)
class Facts:
    """What decides the next emails of one newsletter to one subscriber.

    `calendar` is that of the schedule, with the dates that are due again for this subscriber. `to_prepare`
    has the waves that are due already. `served_dates` are those whose issue the subscriber has a delivery of.
    `catch_up` is how many releases of a topic come after a pause.
    """

    schedule: Schedule
    calendar: Calendar
    hour: Hour
    snoozed_until: datetime | None
    is_suppressed: bool
    languages: frozenset[str]
    interests: tuple[Interest, ...]
    held: frozenset[int]
    offers: Mapping[int, Sequence[Offer]]
    personal: Mapping[date, Due]
    to_prepare: tuple[Occasion, ...]
    served_dates: frozenset[date]
    catch_up: int


def read_schedule(session: Session, identity: Identity, now: datetime) -> Schedule:
    """Return what is the same for every subscriber of a newsletter."""
    newsletter_id = identity.newsletter_id
    row = find_calendar(session, newsletter_id) or usual_calendar(newsletter_id, identity.time_zone)
    shown = select(Topic.id, Topic.name).where(Topic.newsletter_id == newsletter_id)
    topics = {each: name for each, name in session.execute(shown.order_by(Topic.position, Topic.id))}
    approvals = list(session.scalars(select(SlotApproval).where(SlotApproval.newsletter_id == newsletter_id)))
    missed = {each.slot for each in approvals if each.ended_at and not each.approved_at}
    marked = select(Release.id).where(Release.urgent, Release.urgent_asked_at.is_(None))
    gathering = select(Gathering.opens_at).where(Gathering.newsletter_id == newsletter_id)
    return Schedule(
        newsletter_id=newsletter_id,
        now=now,
        calendar=load_calendar(session, row),
        is_on=row.is_on,
        opened_to=row.opened_to or now,
        gathering_at=session.scalar(gathering),
        gather_minutes=row.gather_minutes,
        topics=topics,
        to_sequence=current_sequence(session),
        ready_later=_ready_later(session, topics),
        closed_dates=_closed_dates(session, newsletter_id) | missed,
        waves=_waves(session, newsletter_id),
        approved={each.slot: each.to_sequence for each in approvals if each.to_sequence is not None},
        unapproved=frozenset(
            each.slot for each in approvals if each.approved_at is None and each.ended_at is None
        ),
        urgent=frozenset(session.scalars(marked)),
    )


def read_facts(
    session: Session, tokens: Tokens, person: Subscriber, schedule: Schedule, catch_up: int
) -> Facts:
    """Return what decides a subscriber's next emails of a newsletter."""
    newsletter_id, hour = schedule.newsletter_id, hour_of(person)
    everything = Audience(newsletter_id, tuple(Frequency))
    interests = interests_of_subscriber(session, everything, person.id, left_out_too=True)
    above = min((each.covered_to for each in interests), default=schedule.to_sequence)
    _, offers = load_offers(session, newsletter_id, above, schedule.to_sequence)
    held = coverage.held_releases(session, lambda column: column == person.id, newsletter_id)
    personal = _personal(session, person.id, newsletter_id)
    late, calendar = _late(schedule, hour, personal)
    return Facts(
        schedule=schedule,
        calendar=calendar,
        hour=hour,
        snoozed_until=person.snoozed_until,
        is_suppressed=is_suppressed(session, tokens, person),
        languages=read_choice(person.release_languages),
        interests=tuple(interests),
        held=frozenset(held.get(person.id, ())),
        offers=offers,
        personal=personal,
        to_prepare=(*_opened_waves(session, schedule.waves, person.id), *late),
        served_dates=_served_dates(session, newsletter_id, person.id),
        catch_up=catch_up,
    )


def is_suppressed(session: Session, tokens: Tokens, person: Subscriber) -> bool:
    """Return whether nothing may be sent to a subscriber's address, or there is none."""
    if person.email_key is None:
        return True
    return suppression.is_suppressed(session, tokens, person.email_key)


def _personal(session: Session, subscriber_id: int, newsletter_id: int) -> dict[date, Due]:
    found: dict[date, dict[datetime, frozenset[Frequency]]] = defaultdict(dict)
    mine = select(PersonalInstant).where(
        PersonalInstant.subscriber_id == subscriber_id, PersonalInstant.newsletter_id == newsletter_id
    )
    for row in session.scalars(mine):
        there = found[row.slot].get(row.instant, frozenset())
        found[row.slot][row.instant] = there | {row.frequency}
    return dict(found)


def _late(schedule: Schedule, hour: Hour, personal: Mapping[date, Due]) -> tuple[list[Occasion], Calendar]:
    """Return the issues that became due since waves were last opened, and the calendar after them."""
    calendar, after, now = schedule.calendar, schedule.opened_to, schedule.now
    if not schedule.is_on:
        return [], calendar
    rows = [
        Personal(0, slot, frequency, moment)
        for slot, due in personal.items()
        for moment, frequencies in due.items()
        for frequency in frequencies
        if after < moment <= now
    ]
    plan = make_plan(calendar, [hour], rows, after, now)
    found = []
    for wave in plan.waves:
        sent: set[Frequency] = set()
        for part in wave.send:
            if wave.slot in personal:
                sent |= part.frequencies & personal[wave.slot].get(wave.instant, frozenset())
            elif hour in part.hours:
                sent |= part.frequencies
        found.append(Occasion(now, frozenset(sent), wave.slot))
    return found, replace(calendar, again=frozenset(calendar.again) | plan.again)


def _closed_dates(session: Session, newsletter_id: int) -> frozenset[date]:
    is_closed = or_(Issue.state.in_([IssueState.CANCELLED, IssueState.PAUSED]), Issue.emptied_at.is_not(None))
    dates = select(Issue.slot).where(Issue.newsletter_id == newsletter_id, Issue.slot.is_not(None), is_closed)
    return frozenset(each for each in session.scalars(dates) if each is not None)


def _waves(session: Session, newsletter_id: int) -> Sequence[Wave]:
    """Return the waves that are being prepared, in order."""
    waves = select(Wave).where(Wave.newsletter_id == newsletter_id, Wave.state == WaveState.PREPARING)
    return session.scalars(waves.order_by(Wave.instant, Wave.slot)).all()


def _opened_waves(session: Session, waves: Sequence[Wave], subscriber_id: int) -> list[Occasion]:
    """Return the opened waves that will still be prepared for this subscriber."""
    found = []
    for wave in waves:
        audience = audience_of(wave)
        among = and_(audience.chosen(), *([] if audience.among is None else [audience.among]))
        theirs = select(Subscription.frequency).where(among, Subscription.subscriber_id == subscriber_id)
        frequencies = frozenset(session.scalars(theirs)) if wave.prepared_to < subscriber_id else None
        if frequencies:
            found.append(Occasion(wave.instant, frequencies, wave.slot, wave.to_sequence))
    return found


def _served_dates(session: Session, newsletter_id: int, subscriber_id: int) -> frozenset[date]:
    dates = (
        select(Issue.slot)
        .join(Delivery, Delivery.issue_id == Issue.id)
        .where(Delivery.subscriber_id == subscriber_id, Issue.newsletter_id == newsletter_id)
    )
    return frozenset(each for each in session.scalars(dates) if each is not None)


def _ready_later(session: Session, topics: Mapping[int, str]) -> tuple[ReadyLater, ...]:
    """Return the held releases of these topics that become ready by themselves, in that order."""
    theirs = select(ReleaseTopic.release_id).where(ReleaseTopic.topic_id.in_(list(topics)))
    waiting = (
        select(Release)
        .where(Release.state == ReleaseState.HELD, Release.id.in_(theirs))
        .options(selectinload(Release.holds), selectinload(Release.topic_links))
    )
    found = []
    for release in session.scalars(waiting.order_by(Release.id)):
        moment = ready_by_itself_at(release)
        offers = {
            link.topic_id: Offer(
                0, link.first_sequence or 0, release.id, release.pinned, release.published_at,
                release.revision, release.language,
            )
            for link in links_to_renew(release)
            if link.topic_id in topics
        }  # fmt: skip
        if moment is not None and offers:
            found.append(ReadyLater(moment, offers))
    return tuple(sorted(found, key=lambda each: each.at))
