"""Which releases subscribers get who chose languages of releases, and what a change of that choice brings."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from house import NOON, House

from newsletter import coverage
from newsletter.digest.overdue import find_overdue
from newsletter.digest.preview import preview
from newsletter.digest.reach import count_would_reach
from newsletter.digest.select import Audience, Selector
from newsletter.errors import StateConflict
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import (
    FIRST_NEWSLETTER,
    Frequency,
    ReleaseState,
    Subscriber,
    current_sequence,
)
from newsletter.releases.store import add_release

WEEKLY = Frequency.WEEKLY
NUMBERS = itertools.count(1)


def add(house: House, language: str) -> int:
    """Add a release about energy in a language; return its id."""
    number = next(NUMBERS)
    title, body = f"Energy bulletin {number}", f"Power station {number} opens on Monday."
    press = PressRelease(title, "Port", NOON.date(), language, (body,))
    with house.runtime.session() as session:
        made, _ = add_release(session, press, now=house.clock(), topics=["energy"], state=ReleaseState.READY)
        session.commit()
        return made.id


def choose(house: House, subscriber: int, *languages: str) -> None:
    with house.runtime.session() as session:
        session.get_one(Subscriber, subscriber).release_languages = ",".join(languages) or None
        session.commit()


def sent(house: House, subscriber: int) -> list[int]:
    return sorted(house.releases_sent(subscriber))


def test_no_choice_brings_every_language_and_a_choice_these_and_the_unknown(either_house: House):
    energy = either_house.topic("energy")
    every, german, portuguese = (either_house.add_subscriber(energy) for _ in range(3))
    choose(either_house, german, "de")
    choose(either_house, portuguese, "de", "pt")
    de, en, pt, und = (add(either_house, each) for each in ("de", "en", "pt-BR", "und"))

    either_house.send()

    assert sent(either_house, every) == [de, en, pt, und]
    assert sent(either_house, german) == [de, und]
    assert sent(either_house, portuguese) == [de, pt, und]


def test_adding_a_language_brings_what_came_since_the_last_issue(either_house: House):
    energy = either_house.topic("energy")
    reader = either_house.add_subscriber(energy)
    choose(either_house, reader, "de")
    first = add(either_house, "de")
    add(either_house, "en")  # served past it
    either_house.send()
    second, third = add(either_house, "en"), add(either_house, "de")

    choose(either_house, reader, "de", "en")
    either_house.send()
    choose(either_house, reader)
    with pytest.raises(StateConflict):
        either_house.send()

    assert sent(either_house, reader) == [first, second, third]


def test_an_issue_that_brings_a_subscriber_nothing_still_moves_their_mark(house: House):
    energy = house.topic("energy")
    german, other = house.add_subscriber(energy), house.add_subscriber(energy)
    choose(house, german, "de")
    english = add(house, "en")

    house.send()
    choose(house, german)
    later = add(house, "en")
    house.send()

    assert sent(house, german) == [later]
    assert sent(house, other) == [english, later]


def test_preview_and_count_leave_out_what_is_not_chosen(house: House):
    energy = house.topic("energy")
    german = house.add_subscriber(energy, name="ann")
    house.add_subscriber(energy)
    choose(house, german, "de")
    english = add(house, "en")

    with house.runtime.reading() as session:
        reached = count_would_reach(session, Audience(FIRST_NEWSLETTER, (WEEKLY,)), current_sequence(session))
        shown = preview(
            session, house.runtime.renderer, frequencies=[WEEKLY], now=NOON, email_key="ann@example.org"
        )
    german_release = add(house, "de")
    with house.runtime.reading() as session:
        both = preview(
            session, house.runtime.renderer, frequencies=[WEEKLY], now=NOON, email_key="ann@example.org"
        )

    assert reached == 1
    assert shown is None  # no release that they want, not even an older one as a sample
    assert [each.id for each in both.releases] == [german_release]
    assert english not in {each.id for each in both.releases}


def test_subscribers_with_the_same_topics_and_other_languages_get_other_selections(house: House):
    energy = house.topic("energy")
    people = [house.add_subscriber(energy) for _ in range(4)]
    for person, language in zip(people, ("de", "en", "de", None), strict=True):
        choose(house, person, *([language] if language else []))
    add(house, "de"), add(house, "en")

    with house.runtime.reading() as session:
        selector = Selector(session, Audience(FIRST_NEWSLETTER, (WEEKLY,)), current_sequence(session))
        keys = dict(selector.chunk(session, 0, 10).selections)

    assert keys[people[0]] == keys[people[2]]
    assert len(set(keys.values())) == 3


def test_after_a_pause_the_newest_releases_in_their_languages_come(house: House):
    energy = house.topic("energy")
    reader = house.add_subscriber(energy)
    choose(house, reader, "de")
    german = [add(house, "de") for _ in range(3)]
    for _ in range(3):
        add(house, "en")

    with house.runtime.session() as session:
        coverage.skip_ahead(session, reader, 2)
        session.commit()
    house.send()

    assert sent(house, reader) == german[1:]


def test_a_welcome_counts_only_releases_in_their_languages(house: House):
    energy = house.topic("energy")
    german = [add(house, "de") for _ in range(3)]
    add(house, "en"), add(house, "en")
    reader = house.add_subscriber()
    choose(house, reader, "de")

    with house.runtime.session() as session:
        row = house.subscription(reader, energy)
        coverage.begin(session, row, 2)
        session.add(row)
        session.commit()
    house.send()

    assert sent(house, reader) == german[1:]


def test_a_release_that_nobody_chose_is_not_overdue(either_house: House):
    energy = either_house.topic("energy")
    reader = either_house.add_subscriber(energy)
    choose(either_house, reader, "de")
    add(either_house, "en")
    either_house.clock.moment += timedelta(days=9)

    with either_house.runtime.reading() as session:
        quiet = find_overdue(session, either_house.clock())
    choose(either_house, reader, "de", "en")
    with either_house.runtime.reading() as session:
        (late,) = find_overdue(session, either_house.clock())

    assert quiet == []
    assert late.releases == 1
