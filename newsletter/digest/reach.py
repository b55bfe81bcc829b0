"""Count the subscribers of an issue before it is sent: all, those who are due, and those it would reach now.

Pages and commands show these three numbers under the names of `Reach`. They are counted only here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from newsletter.digest.select import Audience, Selector
from newsletter.models import FIRST_NEWSLETTER, Frequency, Subscription


class Reach(NamedTuple):
    """Three numbers of people.

    `subscribers` have an active subscription of one of the frequencies. Those of them who are `due` do
    not pause and are not suppressed. `would_reach_now` counts the due ones for whom a release waits that
    no other email brings them. It is the number of emails of an issue that is sent now.
    """

    would_reach_now: int
    due: int
    subscribers: int

    def in_words(self) -> str:
        """Return the three numbers for a command's output."""
        now, due, chose = (f"{count:,}" for count in self)
        return f"would reach now {now}, due {due}, subscribers {chose}."


def count_reach(
    session: Session,
    frequencies: Iterable[Frequency],
    to_sequence: int,
    newsletter_id: int = FIRST_NEWSLETTER,
) -> Reach:
    """Return the three numbers for an issue of these frequencies with the releases up to `to_sequence`."""
    audience = Audience(newsletter_id, tuple(frequencies))
    return Reach(
        would_reach_now=count_would_reach(session, audience, to_sequence),
        due=count_due(session, audience),
        subscribers=count_subscribers(session, audience),
    )


def count_would_reach(session: Session, audience: Audience, to_sequence: int) -> int:
    """Return how many people an issue would reach now: its number of emails."""
    selector = Selector(session, audience, to_sequence)
    return sum(len(chunk.selections) for chunk in selector.chunks(session, 50_000))


def count_due(session: Session, audience: Audience) -> int:
    """Return how many people are due for an issue now, also those for whom no release is new."""
    return _count_people(session, audience.condition())


def count_subscribers(session: Session, audience: Audience) -> int:
    """Return how many people chose one of the frequencies, paused and suppressed ones included."""
    return _count_people(session, audience.chosen())


def count_by_frequency(session: Session, newsletter_id: int) -> dict[Frequency, int]:
    """Return `count_subscribers` of each frequency; one that nobody chose is left out."""
    counted = {each: count_subscribers(session, Audience(newsletter_id, (each,))) for each in Frequency}
    return {each: count for each, count in counted.items() if count}


def _count_people(session: Session, subscriptions: ColumnElement[bool]) -> int:
    counted = select(func.count(Subscription.subscriber_id.distinct())).where(subscriptions)
    return session.scalar(counted) or 0
