"""While a domain warms up, a digest that waits is merged into the next: each release comes once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House, make_house, make_settings, make_upgraded
from scheduled import Scheduled
from sqlalchemy import select

from newsletter.models import Delivery, DeliveryState, Frequency, Rendition
from newsletter.models.rendition_key import read_key, release_ids

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Scheduled]:
    """A schedule, every day at 8 UTC, of a domain that may send two digests a day from 9 March 2026."""
    settings = make_settings(tmp_path, warm_up="example.org=2026-03-09:2*1:30")
    make_upgraded(settings.database)
    house = make_house(settings)
    yield Scheduled(house)
    house.runtime.engine.dispose()


def people(house: House, topic: int, count: int, frequency: Frequency = DAILY) -> list[int]:
    return [house.add_subscriber(topic, frequency=frequency) for _ in range(count)]


def got(house: House, subscriber: int) -> list[int]:
    """Return the releases in the emails that a subscriber really got."""
    sent = select(Rendition.key).join(Delivery, Delivery.rendition_id == Rendition.id)
    mine = sent.where(Delivery.subscriber_id == subscriber, Delivery.state == DeliveryState.ACCEPTED)
    with house.runtime.reading() as session:
        return [each for key in session.scalars(mine) for each in release_ids(read_key(key))]


def skipped(house: House) -> int:
    with house.runtime.reading() as session:
        chosen = select(Delivery.id).where(Delivery.state == DeliveryState.SKIPPED)
        return len(session.scalars(chosen).all())


def test_who_was_not_reached_gets_one_email_with_the_releases_of_both(town: Scheduled):
    house = town.house
    four = people(house, house.topic("energy"), 4)
    town.start("2026-03-09 07:00")
    first = house.release("A first energy cable")
    assert len(town.work("2026-03-09 08:00")) == 2
    second = house.release("A second energy cable")

    # The first two got their email a day ago; the others go first, with both releases.
    assert len(town.work("2026-03-10 08:30")) == 2

    assert sorted(sorted(got(house, each)) for each in four) == [
        [first],
        [first],
        [first, second],
        [first, second],
    ]
    assert skipped(house) == 2


def test_in_the_end_everybody_has_each_release_once(town: Scheduled):
    house = town.house
    five = people(house, house.topic("energy"), 5)
    town.start("2026-03-09 07:00")
    releases = []
    for day in range(9, 14):
        releases.append(house.release(f"Energy cable number {day}"))
        town.work(f"2026-03-{day:02} 08:30")
    for day in range(14, 24):
        town.work(f"2026-03-{day:02} 08:30")

    for each in five:
        assert Counter(got(house, each)) == Counter(releases)


def test_a_topic_that_the_next_issue_does_not_serve_keeps_its_own_email(town: Scheduled):
    """A weekly digest of Tuesday that waits is not taken into a daily one of Wednesday."""
    house = town.house
    energy, harbour = house.topic("energy"), house.topic("harbour")
    both = [house.add_subscriber(energy, frequency=DAILY) for _ in range(3)]
    rows = [house.subscription(each, harbour, WEEKLY) for each in both]
    with house.runtime.session() as session:
        session.add_all(rows)
        session.commit()
    town.start("2026-03-09 09:00")
    weekly = house.release("A new harbour quay")
    assert len(town.work("2026-03-10 08:00")) == 2  # a Tuesday
    daily = house.release("A new energy cable")

    for day in (11, 12, 13):
        town.work(f"2026-03-{day} 08:30")

    assert skipped(house) == 0
    for each in both:
        assert Counter(got(house, each)) == Counter([weekly, daily])


def test_without_a_warm_up_nothing_is_merged(town: Scheduled, tmp_path: Path):
    house = town.house
    people(house, house.topic("energy"), 4)
    town.start("2026-05-09 07:00")  # the warm-up has ended
    house.release("A first energy cable")

    assert len(town.work("2026-05-10 08:00")) == 4
    assert skipped(house) == 0
