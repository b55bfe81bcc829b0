"""Store the parts of a wave, and find their subscribers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    and_,
    exists,
    false,
    or_,
    select,
    tuple_,
    union,
)

from newsletter.calendar.plan import Part
from newsletter.digest.select import Audience
from newsletter.models import (
    Delivery,
    Frequency,
    Issue,
    PersonalInstant,
    Subscriber,
    Subscription,
    Wave,
)


def write_parts(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return the parts of a wave as they are stored."""
    return [
        {
            "frequencies": [each.value for each in Frequency if each in part.frequencies],
            "own": None in part.hours,
            "hours": sorted([zone, hour] for zone, hour in (each for each in part.hours if each is not None)),
        }
        for part in parts
    ]


def audience_of(wave: Wave) -> Audience:
    """Return the subscriptions of a wave.

    They belong to the subscribers whose hour comes at its instant, or who have a personal instant that is
    equal. Subscribers with a delivery of its issue, in any state, are left out: their marks do not move.
    """
    frequencies = {Frequency(each) for part in wave.parts for each in part["frequencies"]}
    # The issue is looked up by its date, because the first chunk makes it.
    issue = select(Issue.id).where(Issue.newsletter_id == wave.newsletter_id, Issue.slot == wave.slot)
    has_delivery = exists().where(
        Delivery.issue_id == issue.scalar_subquery(), Delivery.subscriber_id == Subscription.subscriber_id
    )
    among = and_(or_(false(), *(_part_condition(wave, part) for part in wave.parts)), ~has_delivery)
    if not any(part["own"] for part in wave.parts):
        # The other conditions alone would read the subscriptions of all subscribers.
        among = and_(Subscription.subscriber_id.in_(_with_hour_of(wave)), among)
    ordered = tuple(each for each in Frequency if each in frequencies)
    return Audience(wave.newsletter_id, ordered, among)


def _with_hour_of(wave: Wave) -> CompoundSelect[int]:
    """Return the query for the few subscribers who can be in a wave of subscribers' own hours."""
    pairs = {tuple(each) for part in wave.parts for each in part["hours"]}
    by_hour = select(Subscriber.id).where(
        Subscriber.preferred_hour.is_not(None),
        tuple_(Subscriber.time_zone, Subscriber.preferred_hour).in_(sorted(pairs)),
    )
    personally = select(PersonalInstant.subscriber_id).where(
        PersonalInstant.newsletter_id == wave.newsletter_id, PersonalInstant.instant == wave.instant
    )
    return union(by_hour, personally)


def _part_condition(wave: Wave, part: dict[str, Any]) -> ColumnElement[bool]:
    whose = PersonalInstant.subscriber_id == Subscription.subscriber_id
    date = and_(PersonalInstant.newsletter_id == wave.newsletter_id, PersonalInstant.slot == wave.slot)
    personally = exists().where(
        whose, date, PersonalInstant.instant == wave.instant,
        PersonalInstant.frequency == Subscription.frequency,
    )  # fmt: skip
    by_hour: list[ColumnElement[bool]] = []
    with_hour = select(Subscriber.id).where(Subscriber.preferred_hour.is_not(None))
    if part["own"]:
        by_hour.append(Subscription.subscriber_id.not_in(with_hour))
    if part["hours"]:
        pairs = [tuple(each) for each in part["hours"]]
        chosen = with_hour.where(tuple_(Subscriber.time_zone, Subscriber.preferred_hour).in_(pairs))
        by_hour.append(Subscription.subscriber_id.in_(chosen))
    usual = and_(or_(false(), *by_hour), ~exists().where(whose, date))
    frequencies = [Frequency(each) for each in part["frequencies"]]
    return and_(Subscription.frequency.in_(frequencies), or_(usual, personally))
