"""Retention of addresses: end unconfirmed requests, and empty addresses that are no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal_column, select
from sqlalchemy.orm import Session

from newsletter.messages.kinds import wanted_with
from newsletter.models import (
    ConsentAct,
    Delivery,
    EndedReason,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.consent.ledger import note_topics
from newsletter.subscribers.privacy.empty_address import forget_addresses
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.tokens import Tokens


def unconfirmed(policy: Policy, among: Sequence[int] | None = None) -> Select[Any]:
    """Return the ids of people with an unconfirmed request that is too old, and no link that still works.

    `among` limits the result to some ids.
    """
    due = select(Subscription.subscriber_id).where(
        # A literal, not a parameter, so that the database can use the partial index of pending subscriptions.
        Subscription.state == literal_column("'pending'"),
        Subscription.created_at < policy.asked_before,
        ~_link_works(policy, Subscription.subscriber_id),
    )
    if among is not None:
        due = due.where(Subscription.subscriber_id.in_(among))
    return due.distinct().order_by(Subscription.subscriber_id)


def expire(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """End the old requests of these people, and empty the addresses of those who never confirmed.

    Return how many people. Commits nothing.
    """
    people = _locked(session, ids, unconfirmed(policy, ids))
    never_confirmed_people = []
    for subscriber in people:
        pending = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
        old = [row for row in pending if row.created_at < policy.asked_before]
        subscription_rows.end(session, old, EndedReason.EXPIRED, policy.now)
        chosen = subscription_rows.topics_of(old)
        note_topics(session, subscriber.id, ConsentAct.EXPIRED, "time", policy.now, chosen)
        if subscriber.confirmed_at is None and len(old) == len(pending):
            never_confirmed_people.append(subscriber)
    forget_addresses(session, tokens, never_confirmed_people, policy.now)
    return len(people)


def never_confirmed(policy: Policy) -> Select[Any]:
    """Return the ids of people who never confirmed and have nothing pending that they could still confirm."""
    return (
        select(Subscriber.id)
        .where(
            Subscriber.email_key.is_not(None),
            Subscriber.confirmed_at.is_(None),
            Subscriber.created_at < policy.asked_before,
            ~_is_live(),
            ~_link_works(policy, Subscriber.id),
        )
        .order_by(Subscriber.id)
    )


def left(policy: Policy) -> Select[Any] | None:
    """Return the ids of people who ended their last subscription long ago, or None if none is emptied."""
    if policy.left_before is None:
        return None
    theirs = Subscription.subscriber_id == Subscriber.id
    return (
        select(Subscriber.id)
        .where(
            Subscriber.email_key.is_not(None),
            Subscriber.confirmed_at < policy.left_before,
            ~_is_live(),
            exists().where(theirs),
            ~exists().where(theirs, Subscription.ended_at >= policy.left_before),
        )
        .order_by(Subscriber.id)
    )


def forget(session: Session, tokens: Tokens, policy: Policy, ids: Sequence[int]) -> int:
    """Empty the addresses of these people, if that is still due; return how many. Commits nothing."""
    people = _locked(session, ids, never_confirmed(policy).where(Subscriber.id.in_(ids)))
    left_people = left(policy)
    if left_people is not None:
        people += _locked(session, ids, left_people.where(Subscriber.id.in_(ids)))
    forget_addresses(session, tokens, people, policy.now)
    return len(people)


def _locked(session: Session, ids: Sequence[int], due: Select[Any]) -> list[Subscriber]:
    """Lock these people, and return those that are still due: one may just have signed up again."""
    people = session.scalars(
        select(Subscriber).where(Subscriber.id.in_(ids)).order_by(Subscriber.id).with_for_update()
    ).all()
    # A second statement after the lock, so that it sees the changes for which the first one waited.
    still = set(session.scalars(due))
    return [person for person in people if person.id in still]


def _is_live() -> ColumnElement[bool]:
    live = (SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    return exists().where(Subscription.subscriber_id == Subscriber.id, Subscription.state.in_(live))


def _link_works(policy: Policy, subscriber_id: Any) -> ColumnElement[bool]:
    """Whether an email with a link that still works was sent to them or is in the outbox."""
    return exists().where(
        Delivery.subscriber_id == subscriber_id,
        Delivery.template.in_(wanted_with(SubscriptionState.PENDING)),
        func.coalesce(Delivery.settled_at, policy.now) > policy.link_lives_since,
    )
