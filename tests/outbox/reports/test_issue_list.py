"""Lists of issues and of their deliveries: the newest first, and tests left out."""

from __future__ import annotations

import pytest
from house import House

from newsletter.models import DeliveryState, Issue, IssueState
from newsletter.outbox.reports.issue_list import (
    count_by_issue,
    held_issues,
    list_issues,
    newest_issues,
    page_of_deliveries,
)


@pytest.fixture
def issues(house: House):
    """Three issues to two subscribers: one sent, one waiting, and a test. Return their ids."""
    topic = house.topic("energy")
    for name in ("ann", "bob"):
        house.add_subscriber(topic, name=name)
    ids = []
    for month in ("March", "April", "May"):
        house.release(f"Energy in {month}")
        ids.append(house.open())
        if month == "March":
            house.drain()
    with house.runtime.session() as session:
        session.get_one(Issue, ids[2]).is_test = True
        session.commit()
    return ids


def test_the_newest_issue_is_first_and_tests_are_not_listed(house: House, issues):
    with house.runtime.reading() as session:
        page = list_issues(session, 1, 1)

        assert [issue.id for issue in page.items] == [issues[1]]
        assert page.total == 2
        assert [issue.id for issue in newest_issues(session, 5)] == [issues[1], issues[0]]
        assert held_issues(session, 5) == []


def test_an_issue_that_waits_for_a_person_is_listed(house: House, issues):
    with house.runtime.session() as session:
        session.get_one(Issue, issues[0]).state = IssueState.HELD
        session.commit()

        assert [issue.id for issue in held_issues(session, 5)] == [issues[0]]


def test_deliveries_are_counted_by_issue_and_state(house: House, issues):
    with house.runtime.reading() as session:
        counts = count_by_issue(session, [*issues[:2], 99])

    assert counts == {issues[0]: {DeliveryState.ACCEPTED: 2}, issues[1]: {DeliveryState.QUEUED: 2}, 99: {}}


def test_deliveries_come_page_by_page_with_their_subscribers(house: House, issues):
    with house.runtime.reading() as session:
        page, people = page_of_deliveries(session, issues[0], None, 2, 1)
        none, nobody = page_of_deliveries(session, issues[0], DeliveryState.QUEUED, 1, 10)

        assert page.total == 2
        assert [people[each.subscriber_id].email for each in page.items] == ["bob@example.org"]
        assert (none.total, nobody) == (0, {})
