"""Who has an earlier text of a corrected release by email, and who of them gets a notice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session

from newsletter.models import (
    CorrectionNotice,
    Delivery,
    DeliveryState,
    Issue,
    IssueRelease,
    Release,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.models.rendition_key import name_of
from newsletter.models.tables.issue import has_names
from newsletter.releases.revisions.store import Texts
from newsletter.suppression import suppressed_subscribers

# In these states the email has arrived, or may have.
ARRIVED = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)


class NoticeReach(NamedTuple):
    """Numbers of people with an email that has an earlier text.

    `have` get the notice. `sending` are being sent an earlier text at this moment: they get the notice if it
    arrives. `waiting` get the present text with their email, and no notice. `left_out` have an earlier text
    and get no notice, because they unsubscribed, pause, or are suppressed.
    """

    have: int
    sending: int
    waiting: int
    left_out: int


class Recipient(NamedTuple):
    """A person who gets a notice: from which newsletter, and the revision that they have."""

    subscriber_id: int
    newsletter_id: int
    revision: int
    language: str


def earlier_texts(release: Release) -> dict[int, Texts]:
    """Return the texts of earlier revisions that differ from the present one, by number."""
    present = Texts.of(release)
    rows = {each.number: Texts.of(each) for each in release.revisions if each.number < release.revision}
    return {number: texts for number, texts in rows.items() if texts != present}


def count_reach(session: Session, release: Release) -> NoticeReach:
    """Return how many people a notice of the present revision would reach. Tests do not count."""
    numbers = earlier_texts(release)
    if not numbers:
        return NoticeReach(0, 0, 0, 0)
    arrived, may = Delivery.state.in_(ARRIVED), _may_be_told()

    def people(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((and_(*conditions), Delivery.subscriber_id)).distinct())

    counted = select(
        people(arrived, may),
        people(Delivery.state == DeliveryState.LEASED),
        people(Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.DEFERRED))),
        people(arrived),
    )
    have, sending, waiting, all_of_them = session.execute(
        counted.select_from(Delivery)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(Issue, Issue.id == Delivery.issue_id)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*_with_earlier_text(release.id, numbers))
    ).one()
    return NoticeReach(have, sending, waiting, all_of_them - have)


def is_being_sent(session: Session, release_id: int, numbers: Collection[int]) -> bool:
    """Return whether a worker holds a digest with one of these revisions, which it may still send."""
    held = (
        select(Delivery.id)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(Issue, Issue.id == Delivery.issue_id)
        .where(Delivery.state == DeliveryState.LEASED, *_with_earlier_text(release_id, numbers))
    )
    return session.scalar(held.limit(1)) is not None


def next_recipients(
    session: Session, notice: CorrectionNotice, numbers: Collection[int], limit: int
) -> Sequence[Recipient]:
    """Return the next people above `enqueued_to` who are told, each once, in the order of their ids.

    A person who has it from several newsletters is told by the first of them.
    """
    told = exists().where(Delivery.correction_notice_id == notice.id, Delivery.subscriber_id == Subscriber.id)
    query = (
        select(Subscriber.id, Issue.newsletter_id, Rendition.key, Subscriber.language)
        .select_from(Delivery)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(Issue, Issue.id == Delivery.issue_id)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(
            Delivery.subscriber_id > notice.enqueued_to,
            Delivery.state.in_(ARRIVED),
            *_with_earlier_text(notice.release_id, numbers),
            _may_be_told(),
            ~told.correlate(Subscriber),
        )
        .order_by(Delivery.subscriber_id, Issue.newsletter_id, Delivery.id)
        .limit(limit)
    )
    names = {name_of(notice.release_id, each): each for each in numbers}
    found: dict[int, Recipient] = {}
    for subscriber_id, newsletter_id, key, language in session.execute(query):
        revision = next(names[each] for each in _names(key) if each in names)
        found.setdefault(subscriber_id, Recipient(subscriber_id, newsletter_id, revision, language))
    return list(found.values())


def _names(key: str) -> list[str]:
    return [each for part in key.split(";") for each in part.partition(":")[2].split(",")]


def _with_earlier_text(release_id: int, numbers: Collection[int]) -> Sequence[ColumnElement[bool]]:
    carrying = select(IssueRelease.issue_id).where(IssueRelease.release_id == release_id)
    return (
        Delivery.issue_id.in_(carrying),
        Issue.is_test.is_(False),
        has_names([name_of(release_id, each) for each in numbers]),
    )


def _may_be_told() -> ColumnElement[bool]:
    """Return the condition that a person still subscribes to the newsletter, and gets emails now."""
    subscribes = exists().where(
        Subscription.subscriber_id == Delivery.subscriber_id,
        Subscription.newsletter_id == Issue.newsletter_id,
        Subscription.state == SubscriptionState.ACTIVE,
    )
    return and_(
        Subscriber.email.is_not(None),
        Subscriber.snoozed_until.is_(None),
        Subscriber.id.not_in(suppressed_subscribers()),
        subscribes.correlate(Delivery, Issue),
    )
