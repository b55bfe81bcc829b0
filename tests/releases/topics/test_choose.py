"""A person puts a release under topics and takes topics off it, and rules do not change that."""

from __future__ import annotations

import pytest
from house import House, correct_release, public_id
from sqlalchemy import select

from newsletter.errors import NotFound
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import Release, ReleaseTopic
from newsletter.releases.editing.edit import find_release
from newsletter.releases.store import add_release
from newsletter.releases.topics.choose import choose_topics


def choose(house: House, release: int, *slugs: str) -> None:
    name = public_id(house, release)
    with house.runtime.session() as session:
        choose_topics(session, find_release(session, name), slugs, "test", house.clock())
        session.commit()


def pairs(house: House) -> dict[int, tuple[int | None, int | None]]:
    with house.runtime.reading() as session:
        rows = session.execute(
            select(ReleaseTopic.topic_id, ReleaseTopic.sequence, ReleaseTopic.first_sequence)
        )
        return {topic: (sequence, first) for topic, sequence, first in rows}


def test_a_topic_that_is_added_by_hand_brings_the_release(either_house: House):
    house = either_house
    house.topic("sea")
    ann = house.add_subscriber(house.topic("trade"))
    wave = house.release("A sea wave")

    choose(house, wave, "sea", "trade")
    house.send()

    assert house.releases_sent(ann) == [wave]


def test_a_release_leaves_the_digests_of_a_topic_that_is_taken_off(either_house: House):
    house = either_house
    sea, trade = house.topic("sea"), house.topic("trade")
    ann, ben = house.add_subscriber(sea, name="ann"), house.add_subscriber(sea, trade, name="ben")
    wave = house.release("A sea wave of trade")
    house.open()

    choose(house, wave, "trade")
    house.drain()

    assert house.states() == ["skipped", "accepted"]
    assert house.recipients() == ["ben@example.org"]
    assert b"Sea" not in house.transport.sent[0].content
    assert house.releases_sent(ben) == [wave]
    choose(house, wave, "sea", "trade")
    house.send()
    assert house.releases_sent(ann)[-1] == wave
    assert house.recipients() == ["ann@example.org", "ben@example.org"]


def test_a_topic_that_comes_back_keeps_its_first_sequence(either_house: House):
    house = either_house
    sea = house.topic("sea")
    wave = house.release("A sea wave")

    choose(house, wave)
    choose(house, wave, "sea")

    assert pairs(house) == {sea: (2, 1)}


def test_a_rule_does_not_bring_back_a_topic_that_was_taken_off(either_house: House):
    house = either_house
    house.topic("sea")
    energy = house.topic("energy")
    wave = house.release("A sea wave")
    choose(house, wave)

    correct_release(house, wave, "A sea wave of energy")

    assert pairs(house).keys() == {energy}


def test_a_topic_that_was_taken_off_can_be_named_again(either_house: House):
    house = either_house
    sea = house.topic("sea")
    ann = house.add_subscriber(sea)
    wave = house.release("A sea wave")
    choose(house, wave)
    with house.runtime.session() as session:
        found = session.get_one(Release, wave)
        day, text = found.published_on, found.body_text
        press = PressRelease(found.title, found.publisher, day, "en", (text,))
        add_release(session, press, now=house.clock(), topics=["sea"])
        session.commit()

    house.send()

    assert pairs(house) == {sea: (2, 1)}
    assert house.releases_sent(ann) == [wave]


def test_the_same_topics_change_nothing_and_unknown_ones_are_refused(house: House):
    sea = house.topic("sea")
    wave = house.release("A sea wave")

    choose(house, wave, "sea")
    with pytest.raises(NotFound):
        choose(house, wave, "sea", "moon")

    assert pairs(house) == {sea: (1, 1)}
