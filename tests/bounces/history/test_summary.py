"""The numbers of returned mail by issue, by domain and by reason, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from bounces.reports.test_receive import report, take
from house import House
from sqlalchemy import update

from newsletter.bounces.history.summary import (
    Returned,
    count_by_domain,
    count_by_issue,
    count_by_reason,
    in_weeks,
)
from newsletter.models import BounceStep, Delivery, Subscriber


@pytest.fixture
def returned(either_house: House) -> House:
    """An issue to four people: one mailbox does not exist, and one is full."""
    house = either_house
    topic = house.topic("harbours")
    for name in ("ann", "bob", "cat", "dan"):
        house.add_subscriber(topic, name=name)
    house.release("Harbours open")
    house.send()
    people = {each.id: each.email for each in house.all(Subscriber)}
    first, second = house.all(Delivery)[:2]
    take(house, report(house, "5.1.1", delivery=first.id, to=people[first.subscriber_id]))
    take(house, report(house, "5.2.2", delivery=second.id, to=people[second.subscriber_id]))
    return house


def test_each_issue_has_its_numbers(returned: House):
    with returned.runtime.reading() as session:
        (issue,) = count_by_issue(session)

    assert issue.numbers == Returned(4, hard=1, soft=1)
    assert (issue.numbers.percent("hard"), issue.numbers.percent("complaint")) == (25.0, 0.0)
    assert Returned(0).percent("hard") == 0.0


def test_each_domain_has_its_numbers_and_a_former_address_none(returned: House):
    since = returned.clock() - timedelta(days=1)
    tokens = returned.runtime.tokens
    with returned.runtime.session() as session:
        (domain,) = count_by_domain(session, tokens, since)
        assert (domain.domain, domain.numbers) == ("example.org", Returned(4, hard=1, soft=1))
        assert count_by_domain(session, tokens, returned.clock() + timedelta(days=1)) == []

        session.execute(update(BounceStep).values(domain=""))
        assert count_by_domain(session, tokens, since) == []


def test_a_step_that_was_undone_does_not_count(returned: House):
    since = returned.clock() - timedelta(days=1)
    with returned.runtime.session() as session:
        (day,) = count_by_reason(session, since).items()
        assert day == (returned.clock().date(), {"no such user": 1, "mailbox full": 1})

        session.execute(update(BounceStep).values(undone_at=returned.clock()))

        assert count_by_reason(session, since) == {}
        assert count_by_issue(session)[0].numbers == Returned(4)


def test_weeks_begin_on_monday_and_none_is_left_out():
    days = {
        date(2026, 3, 1): {"rate": 1},
        date(2026, 3, 2): {"rate": 2},
        date(2026, 3, 8): {"rate": 3, "x": 1},
    }

    weeks = in_weeks(days, date(2026, 2, 26), date(2026, 3, 17))

    assert weeks == [
        (date(2026, 2, 23), {"rate": 1}),
        (date(2026, 3, 2), {"rate": 5, "x": 1}),
        (date(2026, 3, 9), {}),
        (date(2026, 3, 16), {}),
    ]
