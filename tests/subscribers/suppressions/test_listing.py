"""The list of suppressions in slices, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from house import House
from sqlalchemy import event

from newsletter.errors import NotFound
from newsletter.models import Subscriber, Suppression, SuppressionReason
from newsletter.subscribers.suppressions.listing import (
    PER_SLICE,
    Filter,
    count_by_reason,
    find_suppression,
    known_suppressions,
    list_suppressions,
)
from newsletter.suppression import add, suppression_hash

MANY = 2 * PER_SLICE + 7


@pytest.fixture
def listed(either_house: House) -> House:
    """More than two slices: every third is a complaint, ten have one time. One belongs to a subscriber."""
    house = either_house
    house.add_subscriber(house.topic("energy"), name="ann")
    tokens = house.runtime.tokens
    with house.runtime.session() as session:
        ann = session.query(Subscriber).one()
        for number in range(MANY):
            at = house.clock() + timedelta(hours=number // 10)
            reason = SuppressionReason.MANUAL if number % 3 else SuppressionReason.COMPLAINT
            key = ann.email_key if number == 50 else f"p{number}@example.org"
            add(session, suppression_hash(tokens, key), reason, at, ann.id if number == 50 else None)
        session.commit()
    return house


def walk(house: House, wanted: Filter) -> list[int]:
    """Follow the links to older slices, and return the numbers of all rows."""
    numbers, place = [], ""
    with house.runtime.reading() as session:
        while place is not None:
            found = list_suppressions(session, house.runtime.tokens, wanted, older_than=place)
            assert len(found.rows) <= PER_SLICE
            numbers += [each.number for each in found.rows]
            place = found.older
    return numbers


def test_following_the_links_shows_each_row_once_newest_first(listed: House):
    rows = sorted(listed.all(Suppression), key=lambda each: (each.since, each.id), reverse=True)

    assert walk(listed, Filter()) == [each.id for each in rows]
    complaints = [each.id for each in rows if each.reason is SuppressionReason.COMPLAINT]
    assert walk(listed, Filter(SuppressionReason.COMPLAINT)) == complaints


def test_the_way_back_shows_the_same_slices(listed: House):
    tokens = listed.runtime.tokens
    with listed.runtime.reading() as session:
        first = list_suppressions(session, tokens, Filter())
        second = list_suppressions(session, tokens, Filter(), older_than=first.older)
        third = list_suppressions(session, tokens, Filter(), older_than=second.older)

        assert list_suppressions(session, tokens, Filter(), newer_than=third.newer) == second
        assert list_suppressions(session, tokens, Filter(), newer_than=second.newer).rows == first.rows
    assert first.newer is None and third.older is None


@pytest.mark.parametrize("place", ["x", "1", "1.x", ".", "1." + "9" * 30, "²3.1", "-1.2"])
def test_a_damaged_place_is_ignored(listed: House, place: str):
    tokens = listed.runtime.tokens
    with listed.runtime.reading() as session:
        first = list_suppressions(session, tokens, Filter())

        assert list_suppressions(session, tokens, Filter(), older_than=place) == first


def test_the_days_of_a_filter_are_included(listed: House):
    begun = listed.clock().date()
    rows = listed.all(Suppression)

    for since, until in ((begun, begun), (begun + timedelta(days=1), None), (None, begun), (None, date.max)):
        expected = {
            each.id
            for each in rows
            if (since or date.min) <= each.since.date() <= (until or date.max)
        }  # fmt: skip
        assert set(walk(listed, Filter(since=since, until=until))) == expected


def test_the_address_is_shown_only_while_the_subscriber_has_it(listed: House):
    tokens = listed.runtime.tokens
    with listed.runtime.session() as session:
        ann = session.query(Subscriber).one()
        (known,) = known_suppressions(session, tokens, Filter())
        assert (known.email, known.public_id) == (ann.email, ann.public_id)
        assert find_suppression(session, tokens, known.number) == known

        ann.email = ann.email_key = "new@example.org"
        session.flush()
        assert list(known_suppressions(session, tokens, Filter())) == []
        assert find_suppression(session, tokens, known.number).email is None
        with pytest.raises(NotFound):
            find_suppression(session, tokens, 0)


def test_the_counts_name_every_reason(listed: House):
    with listed.runtime.reading() as session:
        counts = count_by_reason(session)

    assert sum(counts.values()) == MANY and len(counts) == len(SuppressionReason)
    assert counts[SuppressionReason.ERASED] == 0


def test_a_slice_begins_at_a_place_in_an_index(house: House):
    plans = []
    tokens = house.runtime.tokens
    place = "1700000000000000.5"
    with house.runtime.reading() as session:

        @event.listens_for(session.get_bind(), "before_cursor_execute")
        def explain(connection, cursor, statement, parameters, *_):
            if "FROM suppression" in statement and not statement.startswith("EXPLAIN"):
                raw = connection.connection.cursor()
                raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.append(" ".join(str(row[3]) for row in raw.fetchall()))

        for wanted in (Filter(), Filter(SuppressionReason.ERASED)):
            list_suppressions(session, tokens, wanted, older_than=place)
            list_suppressions(session, tokens, wanted, newer_than=place)

    assert len(plans) == 8
    for plan in plans:
        assert "INDEX ix_suppression_" in plan and "TEMP B-TREE" not in plan, plan
