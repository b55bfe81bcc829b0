"""Explain a subscriber's next email of a newsletter. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from newsletter.calendar.instants import zone_of
from newsletter.digest.explain.facts import Facts, read_facts, read_schedule
from newsletter.digest.explain.foresee import Email, choose_target, foresee
from newsletter.digest.explain.reasons import Reasoner, Sent, Verdict, releases_of
from newsletter.digest.order.store import AS_IT_HAPPENS, BY_HAND
from newsletter.errors import InputError, NotFound
from newsletter.identity import Identity
from newsletter.models import (
    Delivery,
    Issue,
    Release,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
    is_one_of,
    order_of_target,
)
from newsletter.models.hand_order import arrange
from newsletter.models.rendition_key import read_key, read_name, release_ids
from newsletter.tokens import Tokens

# A release is recent if it was added within this time. A month is the longest that one can wait.
RECENT = timedelta(days=35)
MOST_RELEASES = 200
FURTHEST_AHEAD = timedelta(days=366)


@dataclass(frozen=True)
class Explanation:
    """What a subscriber gets at `email.occasion`, what comes before, and the reason for each release.

    `zone` is the subscriber's if they chose an hour, or else that of the schedule.
    """

    subscriber: Subscriber
    email: Email
    before: Sequence[Email]
    verdicts: Sequence[Verdict]
    zone: ZoneInfo
    is_on: bool
    summary: str

    @property
    def count(self) -> int:
        """How many releases the email has."""
        return len(release_ids(self.email.selection))

    def say_time(self, moment: datetime) -> str:
        """Return a moment in the time zone of the subscriber's emails."""
        return say_time(moment, self.zone)


def say_time(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment with its weekday and time zone."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M} ({zone.key})"


def explain(
    session: Session,
    tokens: Tokens,
    email_key: str,
    identity: Identity,
    *,
    catch_up: int,
    now: datetime,
    at: datetime | None = None,
) -> Explanation:
    """Return what a subscriber gets with the first issue at `at` or later, and why. Writes nothing.

    Without `at` it is the next issue. Raises NotFound if nobody has this canonical address, and InputError
    for a time that is more than a year ahead.
    """
    if at is not None and at > now + FURTHEST_AHEAD:
        raise InputError("Choose a time within the next year.")
    person = session.scalar(select(Subscriber).where(Subscriber.email_key == email_key))
    if person is None:
        raise NotFound("There is no subscriber with this address.")
    newsletter_id = identity.newsletter_id
    facts = read_facts(session, tokens, person, read_schedule(session, identity, now), catch_up)
    foreseen = foresee(facts, choose_target(facts, at))
    zone = zone_of(facts.hour[0] if facts.hour else facts.calendar.time_zone)
    order = order_of_target(session, newsletter_id, _target_of(facts, foreseen.email))
    reasoner = Reasoner(
        facts,
        foreseen,
        _sent(session, person.id, newsletter_id),
        _pending_topics(session, person.id),
        lambda moment: say_time(moment, zone),
        order,
    )
    recent = _recent_releases(session, releases_of(foreseen), now)
    blocks = arrange(foreseen.email.selection, [each.release_ids for each in order])
    names = [read_name(name)[0] for block in blocks for name in block.names]
    places = {release_id: place for place, release_id in enumerate(names)}
    # Those in the email come first, in its order.
    verdicts = sorted(
        (reasoner.judge(each) for each in recent), key=lambda each: places.get(each.release.id, len(places))
    )
    return Explanation(
        subscriber=person,
        email=foreseen.email,
        before=foreseen.before,
        verdicts=verdicts,
        zone=zone,
        is_on=facts.schedule.is_on,
        summary=_summary(facts, foreseen.email, say_time(foreseen.email.occasion.at, zone)),
    )


def _target_of(facts: Facts, email: Email) -> str:
    """Return the target of the email's issue (digest/order/targets.py)."""
    if email.occasion.slot is not None:
        return str(email.occasion.slot)
    return AS_IT_HAPPENS if facts.schedule.is_on else BY_HAND


def _summary(facts: Facts, email: Email, at: str) -> str:
    """Return what the subscriber gets, in one sentence or two."""
    if not facts.interests:
        return "This person has no active subscription of this newsletter."
    found = len(release_ids(email.selection))
    what = f"{found} release{'' if found == 1 else 's'}" if found else "no email"
    if email.occasion.slot is not None:
        said = f"At {at}, the subscriber gets {what}."
        if not found:
            return f"{said} No release waits for them."
        waits = email.occasion.slot in facts.schedule.unapproved
        return f"{said} But the issue of this date waits for an approval." if waits else said
    if facts.schedule.is_on:
        return f"With an issue as it happens at {at}, the subscriber gets {what}."
    return f"The schedule is off. With an issue that you send at {at}, the subscriber gets {what}."


def _recent_releases(session: Session, named: set[int], now: datetime) -> Sequence[Release]:
    wanted = or_(Release.created_at > now - RECENT, is_one_of(session, Release.id, named))
    loaded = select(Release).options(selectinload(Release.holds), selectinload(Release.topic_links))
    newest = loaded.where(wanted).order_by(Release.created_at.desc(), Release.id.desc())
    return session.scalars(newest.limit(MOST_RELEASES + len(named))).all()


def _sent(session: Session, subscriber_id: int, newsletter_id: int) -> list[Sent]:
    """Return the deliveries of a newsletter to a subscriber, the newest first."""
    rows = session.execute(
        select(Issue.title, Delivery.state, Delivery.settled_at, Delivery.created_at, Rendition.key)
        .join(Delivery, Delivery.issue_id == Issue.id)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(
            Delivery.subscriber_id == subscriber_id,
            Issue.newsletter_id == newsletter_id,
            Issue.is_test.is_(False),
        )
        .order_by(Delivery.id.desc())
    )
    return [
        Sent(title, state, settled_at or created_at, frozenset(release_ids(read_key(key))))
        for title, state, settled_at, created_at, key in rows
    ]


def _pending_topics(session: Session, subscriber_id: int) -> frozenset[int]:
    waiting = select(Subscription.topic_id).where(
        Subscription.subscriber_id == subscriber_id, Subscription.state == SubscriptionState.PENDING
    )
    return frozenset(session.scalars(waiting))
