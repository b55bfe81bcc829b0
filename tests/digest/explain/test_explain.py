"""What a subscriber gets next, in words."""

from __future__ import annotations

import pytest
from digest_explained import explain_in
from scheduled import Scheduled, at

from newsletter.digest.explain.explain import explain
from newsletter.errors import NotFound
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue, IssueState
from newsletter.models.rendition_key import release_ids

DAILY, WEEKLY, IMMEDIATE = Frequency.DAILY, Frequency.WEEKLY, Frequency.IMMEDIATE


def test_the_next_email_is_at_the_subscribers_own_hour(either: Scheduled):
    house = either.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    either.start("2026-03-09 12:00")
    either.choose_hour(anna, "Asia/Tokyo", 7)
    house.release("An energy cable")

    found = explain_in(house, anna)

    assert found.summary == "At Tue 2026-03-10 07:00 (Asia/Tokyo), the subscriber gets 1 release."
    assert found.email.occasion.at == at("2026-03-09 22:00")


def test_without_a_release_there_is_no_email(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"))
    one.start("2026-03-09 12:00")

    assert explain_in(house, anna).summary == (
        "At Tue 2026-03-10 08:00 (UTC), the subscriber gets no email. No release waits for them."
    )


def test_an_issue_as_it_happens_comes_before_the_weekly_one(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=IMMEDIATE)
    with house.runtime.session() as session:
        session.add(house.subscription(anna, house.topic("ports"), WEEKLY))
        session.commit()
    one.start("2026-03-09 12:00")
    cable, quay = house.release("An energy cable"), house.release("The ports and a quay")

    found = explain_in(house, anna)

    assert [each.occasion.at for each in found.before] == [at("2026-03-09 12:30")]
    assert release_ids(found.before[0].selection) == [cable]
    assert release_ids(found.email.selection) == [quay]


def test_while_the_schedule_is_off_it_says_what_a_sent_issue_would_bring(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    house.release("An energy cable")

    assert explain_in(house, anna).summary == (
        "The schedule is off. With an issue that you send at Tue 2026-03-10 12:00 (UTC), the subscriber gets "
        "1 release."
    )


def test_a_wave_that_is_late_by_a_minute_is_explained_as_due(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-09 12:00")
    cable = house.release("An energy cable")
    house.clock.moment = at("2026-03-10 08:01")

    found = explain_in(house, anna)

    assert (found.email.occasion.at, release_ids(found.email.selection)) == (house.clock(), [cable])
    assert one.work("2026-03-10 08:01") == ["reader1"]


def test_an_unknown_address_is_refused(one: Scheduled):
    parts = one.house.runtime
    identity = parts.identities.recent(parts.reading, FIRST_NEWSLETTER)

    with parts.reading() as session, pytest.raises(NotFound):
        explain(session, parts.tokens, "nobody@example.org", identity, catch_up=1, now=one.house.clock())


def test_a_date_whose_issue_was_cancelled_is_passed_over(one: Scheduled):
    house = one.house
    energy = house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY)
    ben = house.add_subscriber(energy, frequency=DAILY)
    one.start("2026-03-09 12:00")
    one.choose_hour(ben, "UTC", 20)
    house.release("An energy cable")
    one.work("2026-03-10 08:00")
    with house.runtime.session() as session:
        session.query(Issue).one().state = IssueState.CANCELLED
        session.commit()

    assert explain_in(house, ben).email.occasion.at == at("2026-03-11 20:00")
