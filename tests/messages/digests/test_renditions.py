"""Each selection of an issue's releases has one rendition, however often it is needed."""

from __future__ import annotations

import pytest
from house import House

from newsletter.messages.digests.renditions import make_renditions, store_renditions
from newsletter.models import Delivery, IssueRelease, Rendition


@pytest.fixture
def issue(house: House):
    """An issue of two subscribers with one release, and a second release that it lacks."""
    topic = house.topic("energy")
    for _ in range(2):
        house.add_subscriber(topic)
    house.release("Energy in March")
    made = house.open()
    house.release("Energy in April")
    return made


def test_the_same_selection_has_one_rendition(house: House, issue):
    (first,) = house.all(Rendition)

    with house.runtime.session() as session:
        made = make_renditions(session, issue, [first.key, "1w:2"])
        again = make_renditions(session, issue, ["1w:2", first.key])
        session.commit()

    assert made == again
    assert made[first.key] == first.id
    assert len(house.all(Rendition)) == 2
    assert sorted(each.release_id for each in house.all(IssueRelease)) == [1, 2]


def test_no_selection_makes_no_rendition(house: House, issue):
    with house.runtime.session() as session:
        assert make_renditions(session, issue, []) == {}
        store_renditions(session, issue, {})
        session.commit()

    assert len(house.all(Rendition)) == 1


def test_each_delivery_gets_the_rendition_of_its_key(house: House, issue):
    one, two = house.all(Delivery)

    with house.runtime.session() as session:
        store_renditions(session, issue, {one.id: "1w:2", two.id: "1w:1,2"})
        session.commit()

    keys = {each.id: each.key for each in house.all(Rendition)}
    assert [keys[each.rendition_id] for each in house.all(Delivery)] == ["1w:2", "1w:1,2"]
