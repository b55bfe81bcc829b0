"""What a subscriber gets next, in words."""

from __future__ import annotations

import pytest
from digest_explained import explain_in
from scheduled import Scheduled, at

from newsletter.digest.explain.explain import explain
from newsletter.digest.order.change import GivenSection, change_order
from newsletter.digest.schedule.approval import approve
from newsletter.errors import NotFound
from newsletter.models import (
    FIRST_NEWSLETTER,
    Frequency,
    Issue,
    IssueState,
    Release,
    ReleaseState,
    current_sequence,
)
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


def test_releases_are_in_the_order_of_the_email_with_their_sections(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-09 12:00")
    house.release("An energy mast")
    cable = house.release("An energy cable")
    house.release("An energy law")
    with house.runtime.session() as session:
        section = GivenSection("Top stories", [session.get_one(Release, cable).public_id])
        change_order(
            session, FIRST_NEWSLETTER, "2026-03-10", [section], 0,
            languages=["en"], actor="test", now=house.clock(),
        )  # fmt: skip
        session.commit()

    found = explain_in(house, anna)

    assert [(each.release.title, each.sentence) for each in found.verdicts] == [
        ("An energy cable", "It is new under Energy (daily), and stands in the section “Top stories”."),
        ("An energy law", "It is new under Energy (daily)."),
        ("An energy mast", "It is new under Energy (daily)."),
    ]


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


def test_a_date_that_waits_for_an_approval_is_named(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-09 12:00", approval_hours=24)
    house.release("An energy cable")
    one.work("2026-03-09 12:01")

    assert explain_in(house, anna).summary == (
        "At Tue 2026-03-10 08:00 (UTC), the subscriber gets 1 release. "
        "But the issue of this date waits for an approval."
    )


def test_an_approved_date_has_only_what_the_approver_saw(either: Scheduled):
    house = either.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    either.start("2026-03-09 12:00", approval_hours=24)
    cable = house.release("An energy cable")
    either.work("2026-03-09 12:01")
    with house.runtime.session() as session:
        slot, seen = at("2026-03-10 08:00").date(), current_sequence(session)
        approve(session, FIRST_NEWSLETTER, slot, seen, house.clock(), actor="ed", now=house.clock())
        session.commit()
    late = house.release("A second energy cable")

    found = explain_in(house, anna)

    assert release_ids(found.email.selection) == [cable]
    (verdict,) = [each for each in found.verdicts if each.release.id == late]
    assert (verdict.why, verdict.sentence) == (
        "after_approval",
        "It became ready after the issue of this date was approved. It comes with the next one.",
    )
    either.work("2026-03-10 08:00")
    assert house.releases_sent(anna) == [cable]


def test_a_release_that_is_marked_urgent_comes_alone(either: Scheduled):
    house = either.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    either.start("2026-03-09 12:00")
    cable = house.release("An energy cable")
    urgent = house.release("An urgent energy cable")
    with house.runtime.session() as session:
        session.get_one(Release, urgent).urgent = True
        session.commit()

    found = explain_in(house, anna)

    assert release_ids(found.email.selection) == [cable]
    (verdict,) = [each for each in found.verdicts if each.release.id == urgent]
    assert verdict.sentence == "It is marked urgent, so it is sent now in an email of its own."
    either.work("2026-03-09 12:01")
    either.work("2026-03-10 08:00")
    assert house.releases_sent(anna) == [urgent, cable]


def test_a_held_release_says_that_it_is_urgent(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-09 12:00")
    held = house.release("An energy cable", state=ReleaseState.HELD)
    with house.runtime.session() as session:
        session.get_one(Release, held).urgent = True
        session.commit()

    (verdict,) = explain_in(house, anna).verdicts

    assert verdict.why == "held"
    assert verdict.sentence.endswith("It is marked urgent, so it is sent alone as soon as it is ready.")
