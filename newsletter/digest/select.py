"""Select releases for an issue of a newsletter: load its catalogue, and find each subscriber's selection.

The database joins each subscriber's subscriptions into one short text. Subscribers with the same text, who
chose the same languages of releases, get the same selection. So it is composed once for all of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, literal_column, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter import coverage
from newsletter.digest.compose import Catalogue, Interest, Offer
from newsletter.models import (
    Frequency,
    Release,
    ReleaseState,
    ReleaseTopic,
    Subscriber,
    Subscription,
    Topic,
    is_one_of,
)
from newsletter.models.release_languages import read_choice
from newsletter.models.rendition_key import BY_LETTER, write_key
from newsletter.suppression import suppressed_subscribers

# How many ids a range may have for each subscriber who gets an issue, before it is better to list their ids.
WIDEST = 4
# Makes the condition on a column of subscriber ids.
Whose = Callable[[InstrumentedAttribute[Any]], ColumnElement[bool]]
# Limit of cached compositions. If all subscribers differ, the cache does not help and must not grow.
MOST_KEPT = 100_000


@dataclass(frozen=True)
class Audience:
    """The subscriptions that an issue serves: the active ones of a newsletter with these frequencies.

    Paused subscribers are left out until the pause ends, and suppressed ones until the suppression is lifted.
    Their `covered_to` does not change meanwhile.
    """

    newsletter_id: int
    frequencies: tuple[Frequency, ...]
    # A further condition on subscriptions, for a wave of a schedule.
    among: ColumnElement[bool] | None = None

    def chosen(self) -> ColumnElement[bool]:
        """Return the SQL condition on subscriptions, without leaving anybody out."""
        return and_(
            # A literal, so that the partial index of active subscriptions is used.
            Subscription.state == literal_column("'active'"),
            Subscription.newsletter_id == self.newsletter_id,
            Subscription.frequency.in_(self.frequencies),
        )

    def condition(self) -> ColumnElement[bool]:
        """Return the SQL condition on the subscriptions that are served."""
        # Few subscribers pause. Both databases run this sub-query once and look subscriptions up in it.
        pausing = select(Subscriber.id).where(Subscriber.snoozed_until.is_not(None))
        return and_(
            self.chosen(),
            Subscription.subscriber_id.not_in(pausing),
            Subscription.subscriber_id.not_in(suppressed_subscribers()),
            *([] if self.among is None else [self.among]),
        )

    def floor(self, session: Session) -> int | None:
        """Return the lowest served sequence of the audience: no release at or below it waits for anybody."""
        return session.scalar(select(func.min(_served_to(session))).where(self.condition()))


def load_catalogue(session: Session, newsletter_id: int, above: int, to_sequence: int) -> Catalogue:
    """Return the ready releases of a newsletter's topics with a sequence in this range, by topic.

    The sequences are above `above` and up to `to_sequence`.
    """
    return Catalogue(*load_offers(session, newsletter_id, above, to_sequence))


def load_offers(
    session: Session, newsletter_id: int, above: int, to_sequence: int
) -> tuple[Sequence[int], dict[int, list[Offer]]]:
    """Return a newsletter's topics in their order, and the offers of each, as `load_catalogue` needs them."""
    shown = select(Topic.id).where(Topic.newsletter_id == newsletter_id)
    topic_ids = session.scalars(shown.order_by(Topic.position, Topic.id)).all()
    rows = session.execute(
        select(
            ReleaseTopic.topic_id,
            ReleaseTopic.sequence,
            ReleaseTopic.first_sequence,
            Release.id,
            Release.pinned,
            Release.published_at,
            Release.revision,
            Release.language,
        )
        .join(Release, Release.id == ReleaseTopic.release_id)
        .where(
            ReleaseTopic.topic_id.in_(topic_ids),
            ReleaseTopic.sequence > above,
            ReleaseTopic.sequence <= to_sequence,
            Release.state == ReleaseState.READY,
        )
    )
    offers: dict[int, list[Offer]] = defaultdict(list)
    for topic_id, sequence, first, release_id, pinned, published_at, revision, language in rows:
        if sequence is not None:
            offer = Offer(sequence, first or sequence, release_id, pinned, published_at, revision, language)
            offers[topic_id].append(offer)
    return topic_ids, offers


@dataclass(frozen=True)
class Chunk:
    """The subscribers with an id above `after` and up to `last`, and what each one gets.

    `selections` has pairs of subscriber id and rendition key. `subscription_ids` has all subscriptions that
    were read, also those of subscribers who get nothing. Exactly these may be marked as served.
    """

    after: int
    last: int
    selections: Sequence[tuple[int, str]]
    subscription_ids: Sequence[int]

    def covers(self, session: Session, column: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        """Return the condition that `column` is a subscriber with a selection. Others may meet it too."""
        ids = [subscriber_id for subscriber_id, _ in self.selections]
        return _is_among(session, column, ids, self.after, self.last)


class Selector:
    """Finds the selection of each subscriber of an audience, chunk by chunk. Writes nothing."""

    def __init__(
        self, session: Session, audience: Audience, to_sequence: int, floor: int | None = None
    ) -> None:
        """Load the releases above `floor`. By default, it is the lowest served sequence of the audience."""
        self.audience = audience
        self._to_sequence = to_sequence
        if floor is None:
            floor = audience.floor(session)
        self._load(session, to_sequence if floor is None else floor)

    def _load(self, session: Session, floor: int) -> None:
        self._floor = floor
        self.catalogue = load_catalogue(session, self.audience.newsletter_id, floor, self._to_sequence)
        self._renewed = self.catalogue.renewed()
        self._composed: dict[str, str] = {}

    def chunks(self, session: Session, size: int, after: int = 0) -> Iterator[Chunk]:
        """Yield the audience with ids above `after`, `size` subscribers at a time."""
        while (chunk := self.chunk(session, after, size)) is not None:
            yield chunk
            after = chunk.last

    def chunk(
        self,
        session: Session,
        after: int,
        size: int,
        *,
        lock: bool = False,
        once_locked: Callable[[Sequence[int]], None] | None = None,
    ) -> Chunk | None:
        """Return the next `size` subscribers with an id above `after`, or None when there are no more.

        With `lock` they are locked before we read what decides their selections. So nothing of that changes
        until the transaction ends. `once_locked` is called with their ids before we read.
        """
        mine = and_(self.audience.condition(), Subscription.subscriber_id > after)
        chosen = select(Subscription.subscriber_id).where(mine).distinct()
        # On the connection: the session would add a third to the time of a chunk.
        ids = session.connection().scalars(chosen.order_by(Subscription.subscriber_id).limit(size)).all()
        if not ids:
            return None
        if lock:
            coverage.lock(session, ids)
        if once_locked is not None:
            once_locked(ids)
        last = ids[-1]
        just_these = _are_just(session, Subscription.subscriber_id, ids, after)
        theirs = and_(self.audience.condition(), just_these)
        rows = self._read(session, theirs)
        lowest = min(map(itemgetter(3), rows), default=self._to_sequence)
        if lowest < self._floor:
            # Another transaction put releases back after the catalogue was loaded, so load it again.
            self._load(session, lowest)
            rows = self._read(session, theirs)
        covered = partial(_is_among, session, ids=ids, after=after, last=last)
        held = self._held(session, covered)
        languages = self._chosen_languages(session, covered)
        usual = {each: self._compose(each) for each in set(map(itemgetter(1), rows))}
        others = {*held, *languages}
        selections = [
            (subscriber_id, key)
            for subscriber_id, interests, _, _ in rows
            if (
                key := usual[interests]
                if subscriber_id not in others
                else self._compose(interests, held.get(subscriber_id), languages.get(subscriber_id))
            )
        ]
        read = ",".join(map(itemgetter(2), rows))
        return Chunk(after, last, selections, json.loads(f"[{read}]"))

    def _read(self, session: Session, theirs: ColumnElement[bool]) -> Sequence[tuple[int, str, str, int]]:
        """Return for each subscriber: id, interests as a text, subscription ids, lowest served sequence.

        The interests are in no order: to sort them here would take longer than `_compose` does.
        """
        folded = (
            select(
                Subscription.subscriber_id,
                func.aggregate_strings(_interest(session, self._renewed), ";"),
                func.aggregate_strings(_text(session, Subscription.id), ","),
                func.min(_served_to(session)),
            )
            .where(theirs)
            .group_by(Subscription.subscriber_id)
            .order_by(Subscription.subscriber_id)
        )
        with session.connection().execute(folded) as found:
            # The driver's rows have these types. SQLAlchemy's rows would add a sixth to the time of a chunk.
            return found.cursor.fetchall() if found.cursor is not None else []

    def _held(self, session: Session, whose: Whose) -> Mapping[int, set[int]]:
        """Return the catalogue's releases that other deliveries of these subscribers hold."""
        return coverage.held_releases(
            session,
            whose,
            self.audience.newsletter_id,
            releases=self.catalogue.release_ids(),
        )

    def _chosen_languages(self, session: Session, whose: Whose) -> Mapping[int, str]:
        """Return the stored choices of languages of these subscribers. Few of them choose any."""
        chosen = select(Subscriber.id, Subscriber.release_languages).where(
            Subscriber.release_languages.is_not(None), whose(Subscriber.id)
        )
        return {subscriber_id: languages or "" for subscriber_id, languages in session.execute(chosen)}

    def _compose(self, interests: str, held: set[int] | None = None, chosen: str | None = None) -> str:
        """Return the key of the selection for these interests, "" for none.

        `chosen` is the subscriber's stored choice of languages.
        """
        if held:
            wanted = read_choice(chosen)
            return write_key(self.catalogue.compose(_read_interests(interests), held, wanted))
        of = interests if chosen is None else f"{interests}|{chosen}"
        key = self._composed.get(of)
        if key is None:
            # Subscribers who chose the same topics share a key in whatever order the database returned them.
            in_order = ";".join(sorted(interests.split(";")))
            if in_order != interests:
                key = self._compose(in_order, None, chosen)
            else:
                wanted = read_choice(chosen)
                key = write_key(self.catalogue.compose(_read_interests(interests), languages=wanted))
            if len(self._composed) < MOST_KEPT:
                self._composed[of] = key
        return key


def _are_just(
    session: Session, column: InstrumentedAttribute[int], ids: Sequence[int], after: int
) -> ColumnElement[bool]:
    """Return the condition that `column` is in `ids`: the whole audience above `after`, up to the last id."""
    if session.get_bind().dialect.name == "sqlite":
        # Nothing changes within a transaction, so nobody else of the audience is in between.
        return _is_among(session, column, ids, after, ids[-1])
    return is_one_of(session, column, ids)


def _is_among(
    session: Session, column: InstrumentedAttribute[Any], ids: Sequence[int], after: int, last: int
) -> ColumnElement[bool]:
    """Return the condition that `column` is in `ids`, or in the range above `after` up to `last`.

    The range is faster, but may have other people: of other newsletters, or of another wave. So it is used
    only if at least one id in WIDEST of it is in `ids`.
    """
    if last - after <= WIDEST * len(ids):
        return and_(column > after, column <= last)
    return is_one_of(session, column, ids)


def _interest(session: Session, renewed: Sequence[int]) -> ColumnElement[str]:
    """Return a subscription as text: topic, frequency's first character, served sequence, and perhaps floor.

    The floor is needed only for releases that became ready again. It is rounded to the range of their first
    sequences, so that subscribers who get the same selection have the same text.
    """
    text = (
        _text(session, Subscription.topic_id)
        + func.substr(_text(session, Subscription.frequency), 1, 1)
        + _text(session, _served_to(session))
    )
    if not renewed:
        return text
    at_least = _greater(session, Subscription.started_sequence, literal(renewed[0] - 1))
    return text + "/" + _text(session, _lesser(session, at_least, literal(renewed[-1])))


def _served_to(session: Session) -> ColumnElement[int]:
    """Return `covered_to`, or the floor if that is higher: no release at or below either waits."""
    return _greater(session, Subscription.covered_to, Subscription.started_sequence)


def _text(session: Session, of: Any) -> ColumnElement[str]:
    """Return a value as text. SQLite joins numbers to texts by itself, and its casts take time."""
    return (type_coerce if session.get_bind().dialect.name == "sqlite" else cast)(of, String)


def _greater(session: Session, *of: Any) -> ColumnElement[int]:
    return (func.max if session.get_bind().dialect.name == "sqlite" else func.greatest)(*of)


def _lesser(session: Session, *of: Any) -> ColumnElement[int]:
    return (func.min if session.get_bind().dialect.name == "sqlite" else func.least)(*of)


def _read_interests(text: str) -> Iterable[Interest]:
    for part in text.split(";"):
        at = next(index for index, letter in enumerate(part) if letter in BY_LETTER)
        served_to, _, started = part[at + 1 :].partition("/")
        yield Interest(int(part[:at]), BY_LETTER[part[at]], int(served_to), int(started or 0))


def interests_of_subscriber(
    session: Session, audience: Audience, subscriber_id: int, *, left_out_too: bool = False
) -> list[Interest]:
    """Return the interests of one subscriber that belong to the audience.

    With `left_out_too`, they are returned even if the subscriber is paused or suppressed.
    """
    condition = audience.chosen() if left_out_too else audience.condition()
    rows = session.execute(
        select(
            Subscription.topic_id,
            Subscription.frequency,
            _served_to(session),
            Subscription.started_sequence,
        ).where(condition, Subscription.subscriber_id == subscriber_id)
    )
    return [Interest(*row) for row in rows]
