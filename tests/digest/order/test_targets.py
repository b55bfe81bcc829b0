"""Which issues have an order that can be changed."""

from __future__ import annotations

import pytest
from scheduled import Scheduled

from newsletter.digest.order.targets import Target, find_target
from newsletter.errors import NotFound
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue


def find(one: Scheduled, name: str) -> Target:
    with one.house.runtime.reading() as session:
        return find_target(session, FIRST_NEWSLETTER, name, one.house.clock())


def test_a_date_of_the_schedule_is_open_until_it_is_over(one: Scheduled):
    one.house.add_subscriber(one.house.topic("energy"))
    one.start("2026-03-09 12:00")

    assert find(one, "2026-03-10").closed == ""
    assert find(one, "2026-03-10").frequencies == (Frequency.DAILY, Frequency.WEEKLY)
    assert find(one, "2026-03-11").frequencies == (Frequency.DAILY,)
    one.work("2026-03-10 08:00")
    assert (
        find(one, "2026-03-10").closed == "The date 2026-03-10 is over. The next issue brings its releases."
    )


def test_a_date_of_a_schedule_that_is_off_is_none(one: Scheduled):
    with pytest.raises(NotFound, match="The schedule has no issue for 2026-03-10"):
        find(one, "2026-03-10")


def test_an_issue_that_is_sent_is_closed_and_an_urgent_one_or_a_test_has_none(one: Scheduled):
    one.house.add_subscriber(one.house.topic("energy"))
    one.house.release("An energy cable")
    one.house.send()
    with one.house.runtime.reading() as session:
        public_id = session.query(Issue.public_id).scalar()

    assert "so its order stays as it is" in find(one, public_id).closed
    with one.house.runtime.session() as session:
        session.query(Issue).update({Issue.is_test: True})
        session.commit()
    with pytest.raises(NotFound):
        find(one, public_id)
