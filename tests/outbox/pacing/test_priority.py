"""Which part of a relay's limits single emails, issues that go first, and other issues may use."""

from __future__ import annotations

import pytest
from house import House

from newsletter.models import Frequency, Issue, Lane
from newsletter.outbox.lease import issues_to_send, priority_of
from newsletter.outbox.pacing.priority import Priority, of_issue


@pytest.mark.parametrize(
    ("priority", "share"), [(Priority.SINGLE, 1.0), (Priority.FIRST_ISSUE, 0.95), (Priority.ISSUE, 0.85)]
)
def test_each_priority_leaves_a_part_to_those_before_it(house: House, priority: Priority, share: float):
    assert priority.share(house.runtime.settings) == pytest.approx(share)


def test_the_emails_of_issues_are_in_the_bulk_lane():
    assert [each.lane for each in Priority] == [Lane.SINGLE, Lane.BULK, Lane.BULK]


@pytest.mark.parametrize("frequency", [Frequency.WEEKLY, Frequency.IMMEDIATE])
def test_an_issue_and_the_query_of_issues_have_the_same_priority(either_house: House, frequency: Frequency):
    either_house.add_subscriber(either_house.topic("energy"), frequency=frequency)
    either_house.release("A new energy cable")
    issue_id = either_house.open(frequency)

    with either_house.runtime.session() as session:
        (found,) = issues_to_send(session, either_house.clock())
        issue = session.get_one(Issue, issue_id)

        assert priority_of(issue) is of_issue(goes_first=found.goes_first)
        assert found.goes_first is (frequency is Frequency.IMMEDIATE)
