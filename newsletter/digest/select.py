"""Which releases an issue can hold, and what a chunk of readers gets of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from newsletter.digest.compose import Catalogue, Interest, Offer
from newsletter.models import (
    NOT_SENT,
    Delivery,
    Frequency,
    Release,
    ReleaseState,
    ReleaseTopic,
    RenditionRelease,
    Subscription,
    SubscriptionState,
    Topic,
)


def audience(frequencies: Iterable[Frequency]) -> Select[Subscription]:
    """Return the query for the subscriptions that an issue of these frequencies serves."""
    return select(Subscription).where(
        Subscription.state == SubscriptionState.ACTIVE, Subscription.frequency.in_(list(frequencies))
    )


def load_catalogue(session: Session, above: int, to_sequence: int) -> Catalogue:
    """Return what is mailable with a sequence above `above` and up to `to_sequence`."""
    rows = session.execute(
        select(ReleaseTopic.topic_id, ReleaseTopic.sequence, Release.id, Release.pinned, Release.published_at)
        .join(Release, Release.id == ReleaseTopic.release_id)
        .where(
            ReleaseTopic.sequence > above,
            ReleaseTopic.sequence <= to_sequence,
            Release.state == ReleaseState.READY,
        )
    )
    offers: dict[int, list[Offer]] = defaultdict(list)
    for topic_id, sequence, release_id, pinned, published_at in rows:
        if sequence is not None:
            offers[topic_id].append(Offer(sequence, release_id, pinned, published_at))
    return Catalogue(list(session.scalars(select(Topic.id).order_by(Topic.position, Topic.id))), offers)


def floor(session: Session, frequencies: Iterable[Frequency]) -> int | None:
    """Return the lowest `covered_to` of an audience, or None when there is nobody."""
    rows = audience(frequencies).with_only_columns(func.min(Subscription.covered_to))
    return session.scalar(rows)


def sent_before(session: Session, subscriber_ids: Sequence[int]) -> Mapping[int, set[int]]:
    """Return the releases that other deliveries hold for these readers, sent or still to be."""
    rows = session.execute(
        select(Delivery.subscriber_id, RenditionRelease.release_id)
        .join(RenditionRelease, RenditionRelease.rendition_id == Delivery.rendition_id)
        .where(Delivery.subscriber_id.in_(subscriber_ids), Delivery.state.not_in(NOT_SENT))
    )
    held: dict[int, set[int]] = defaultdict(set)
    for subscriber_id, release_id in rows:
        if subscriber_id is not None:
            held[subscriber_id].add(release_id)
    return held


def interests_of(subscriptions: Iterable[Subscription]) -> dict[int, list[Interest]]:
    """Return the interests of each reader among `subscriptions`, by subscriber id."""
    interests: dict[int, list[Interest]] = defaultdict(list)
    for each in subscriptions:
        interests[each.subscriber_id].append(Interest(each.topic_id, each.frequency, each.covered_to))
    return interests


def count_readers(session: Session, frequencies: Iterable[Frequency], to_sequence: int) -> int:
    """Return how many readers an issue of these frequencies would reach: the deliveries it would have."""
    already = (
        select(Delivery.id)
        .join(RenditionRelease, RenditionRelease.rendition_id == Delivery.rendition_id)
        .where(
            Delivery.subscriber_id == Subscription.subscriber_id,
            Delivery.state.not_in(NOT_SENT),
            RenditionRelease.release_id == ReleaseTopic.release_id,
        )
    )
    something = (
        select(ReleaseTopic.release_id)
        .join(Release, Release.id == ReleaseTopic.release_id)
        .where(
            ReleaseTopic.topic_id == Subscription.topic_id,
            ReleaseTopic.sequence > Subscription.covered_to,
            ReleaseTopic.sequence <= to_sequence,
            Release.state == ReleaseState.READY,
            ~exists(already.correlate(Subscription, ReleaseTopic)),
        )
        .correlate(Subscription)
    )
    readers = audience(frequencies).with_only_columns(func.count(Subscription.subscriber_id.distinct()))
    return session.scalar(readers.where(exists(something))) or 0
