"""Which releases an issue can hold, and what each of its readers gets of them.

The database folds each reader's subscriptions into one short text, and readers with the same
text get the same: a selection is composed once for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, and_, cast, func, literal_column, select
from sqlalchemy.orm import Session

from newsletter.digest.compose import Catalogue, Interest, Offer
from newsletter.models import (
    NOT_SENT,
    Delivery,
    Frequency,
    Issue,
    IssueRelease,
    Release,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    Subscriber,
    Subscription,
    Topic,
)
from newsletter.outbox.edition import BY_LETTER, read_key, release_ids, write_key

# Compositions kept for readers to come; a list where each differs does not need them.
MOST_KEPT = 100_000
# When a pause is over, the sweep has this long to limit what is caught up on; then it is over anyway.
RESUMING = timedelta(minutes=2)


@dataclass(frozen=True)
class Audience:
    """The subscriptions that an issue serves: of these frequencies, and made by `until`.

    Whoever joins or changes their mind while an issue is being prepared is served by the next,
    so what is read and what is marked as served are the same rows. Who pauses is left out.
    """

    frequencies: tuple[Frequency, ...]
    until: datetime

    def condition(self) -> ColumnElement[bool]:
        """Return the condition on subscriptions."""
        # There are few, and PostgreSQL and SQLite look each of them up in what this finds once.
        pausing = select(Subscriber.id).where(Subscriber.snoozed_until > self.until - RESUMING)
        return and_(
            # Written out, so that the partial index of active subscriptions serves it.
            Subscription.state == literal_column("'active'"),
            Subscription.frequency.in_(self.frequencies),
            Subscription.created_at <= self.until,
            Subscription.confirmed_at <= self.until,
            Subscription.subscriber_id.not_in(pausing),
        )

    def floor(self, session: Session) -> int | None:
        """Return the lowest `covered_to`, or None when there is nobody."""
        return session.scalar(select(func.min(Subscription.covered_to)).where(self.condition()))


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


def sent_before(
    session: Session, first: int, last: int, issues: Sequence[int] | None = None
) -> Mapping[int, set[int]]:
    """Return the releases that other deliveries hold for the readers from id `first` to `last`.

    Sent or still to be. Only those of `issues`, when given.
    """
    sent = (
        select(Delivery.subscriber_id, Rendition.key)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.subscriber_id.between(first, last), Delivery.state.not_in(NOT_SENT))
    )
    # What somebody got at the address that became theirs by joining two rows of one person.
    joined = (
        select(Subscriber.moved_to, Rendition.key)
        .join(Delivery, Delivery.subscriber_id == Subscriber.id)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Subscriber.moved_to.between(first, last), Delivery.state.not_in(NOT_SENT))
    )
    held: dict[int, set[int]] = defaultdict(set)
    for query in (sent, joined):
        for subscriber_id, key in session.execute(
            query if issues is None else query.where(Delivery.issue_id.in_(issues))
        ):
            if subscriber_id is not None:
                held[subscriber_id].update(release_ids(read_key(key)))
    return held


@dataclass(frozen=True)
class Chunk:
    """Some readers: those with an id above `after` and up to `last`, and the key of each one's selection."""

    after: int
    last: int
    selections: Sequence[tuple[int, str]]


class Selector:
    """Finds what each reader of an audience gets, chunk by chunk. Reads only."""

    def __init__(self, session: Session, audience: Audience, to_sequence: int) -> None:
        self.audience = audience
        # The catalogue begins above it: whoever is set back further meanwhile is not served in full.
        self.floor = audience.floor(session) or 0
        self.catalogue = load_catalogue(session, self.floor, to_sequence)
        # A release that is offered and went out before, in another frequency's issue for instance.
        self._overlapping = session.scalars(
            select(Issue.id)
            .where(
                Issue.is_test.is_(False),
                Issue.id.in_(
                    select(IssueRelease.issue_id).where(
                        IssueRelease.release_id.in_(
                            select(ReleaseTopic.release_id).where(
                                ReleaseTopic.sequence > self.floor,
                                ReleaseTopic.sequence <= to_sequence,
                            )
                        )
                    )
                ),
            )
            .order_by(Issue.id)
        ).all()
        self._composed: dict[str, str] = {}

    def chunks(self, session: Session, size: int) -> Iterator[Chunk]:
        """Yield the whole audience, `size` readers at a time."""
        after = 0
        while (chunk := self.chunk(session, after, size)) is not None:
            yield chunk
            after = chunk.last

    def chunk(self, session: Session, after: int, size: int, *, lock: bool = False) -> Chunk | None:
        """Return the next `size` readers with an id above `after`, or None when there are no more.

        With `lock` nobody else changes their subscriptions until the transaction ends (PostgreSQL;
        on SQLite it is the only one that writes): what is marked as served is what was read.
        """
        mine = and_(self.audience.condition(), Subscription.subscriber_id > after)
        readers = select(Subscription.subscriber_id).where(mine).distinct()
        bounds = readers.order_by(Subscription.subscriber_id).limit(size).subquery()
        last = session.scalar(select(func.max(bounds.c.subscriber_id)))
        if last is None:
            return None
        theirs = (
            select(Subscription.subscriber_id, _interest().label("interest"))
            .where(mine, Subscription.subscriber_id <= last)
            .order_by(Subscription.subscriber_id, Subscription.topic_id)
        )
        ordered = (theirs.with_for_update(key_share=True) if lock else theirs).subquery()
        folded = select(ordered.c.subscriber_id, func.aggregate_strings(ordered.c.interest, ";")).group_by(
            ordered.c.subscriber_id
        )
        rows = session.execute(folded.order_by(ordered.c.subscriber_id))
        sent = sent_before(session, after + 1, last, self._overlapping) if self._overlapping else {}
        selections = [
            (reader, key) for reader, interests in rows if (key := self._compose(interests, sent.get(reader)))
        ]
        return Chunk(after, last, selections)

    def _compose(self, interests: str, sent: set[int] | None) -> str:
        """Return the key of the selection for these interests, "" for none."""
        if sent:
            return write_key(self.catalogue.compose(_read_interests(interests), sent))
        key = self._composed.get(interests)
        if key is None:
            key = write_key(self.catalogue.compose(_read_interests(interests)))
            if len(self._composed) < MOST_KEPT:
                self._composed[interests] = key
        return key


def _interest() -> ColumnElement[str]:
    """Return a subscription as text: its topic, its frequency's first letter, what it has been served."""
    return (
        cast(Subscription.topic_id, String)
        + func.substr(cast(Subscription.frequency, String), 1, 1)
        + cast(Subscription.covered_to, String)
    )


def _read_interests(text: str) -> Iterable[Interest]:
    for part in text.split(";"):
        at = next(index for index, letter in enumerate(part) if letter in BY_LETTER)
        yield Interest(int(part[:at]), BY_LETTER[part[at]], int(part[at + 1 :]))


def interests_of_reader(session: Session, audience: Audience, subscriber_id: int) -> list[Interest]:
    """Return what one reader is interested in."""
    rows = session.execute(
        select(Subscription.topic_id, Subscription.frequency, Subscription.covered_to).where(
            audience.condition(), Subscription.subscriber_id == subscriber_id
        )
    )
    return [Interest(*row) for row in rows]


def count_readers(
    session: Session, frequencies: Iterable[Frequency], to_sequence: int, until: datetime
) -> int:
    """Return how many readers an issue of these frequencies would reach: the deliveries it would have."""
    selector = Selector(session, Audience(tuple(frequencies), until), to_sequence)
    return sum(len(chunk.selections) for chunk in selector.chunks(session, 50_000))
