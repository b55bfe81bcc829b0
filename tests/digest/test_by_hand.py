"""An issue that a person sends can wait for a time and for a second person, and be cancelled until then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from house import NOON, House
from scheduled import Scheduled, at

from newsletter.calendar.store import usual_calendar
from newsletter.digest.by_hand import any_to_start, approve_held, read_start
from newsletter.digest.issues import open_issue
from newsletter.errors import InputError, StateConflict
from newsletter.models import FIRST_NEWSLETTER, AuditEntry, Frequency, Issue
from newsletter.outbox import control


def opened(house: House, **more: object) -> str:
    """Open a weekly issue as Ann; return its public id."""
    with house.runtime.session() as session:
        issue = open_issue(session, [Frequency.WEEKLY], actor="ann", now=house.clock(), **more)
        session.commit()
        return issue.public_id


def ask_a_second_person(house: House) -> None:
    with house.runtime.session() as session:
        row = usual_calendar(FIRST_NEWSLETTER, "UTC")
        row.second_person = True
        session.add(row)
        session.commit()


def approve(house: House, issue: str, actor: str) -> None:
    with house.runtime.session() as session:
        approve_held(session, control.find_issue(session, issue), actor, house.clock())
        session.commit()


@pytest.fixture
def either(either_house: House) -> Scheduled:
    either_house.add_subscriber(either_house.topic("energy"), name="ann")
    either_house.release("An energy cable")
    return Scheduled(either_house)


def test_a_planned_issue_is_sent_at_its_time_with_the_releases_of_before(either: Scheduled):
    opened(either.house, starts_at=NOON + timedelta(hours=20))
    either.house.release("An energy mast")

    assert either.work("2026-03-11 07:59") == []
    with either.house.runtime.reading() as session:
        assert any_to_start(session, at("2026-03-11 08:00"))
    assert either.work("2026-03-11 08:00") == ["ann"]
    assert either.issues() == [(None, "finished")]
    assert either.house.releases_sent(1) == [1]
    assert b"March 11, 2026" in either.house.transport.sent[0].content


def test_a_planned_issue_can_be_cancelled_until_then(either: Scheduled):
    issue = opened(either.house, starts_at=NOON + timedelta(hours=20))

    with either.house.runtime.session() as session:
        control.cancel(session, control.find_issue(session, issue), "ann", either.house.clock())
        session.commit()

    assert either.work("2026-03-11 08:00") == []
    either.house.send()
    assert either.house.releases_sent(1) == [1]


def test_an_issue_waits_for_a_second_person(either: Scheduled):
    ask_a_second_person(either.house)
    issue = opened(either.house)

    assert either.work("2026-03-10 13:00") == []
    with pytest.raises(StateConflict, match="Another person"):
        approve(either.house, issue, "ann")
    approve(either.house, issue, "bob")
    assert either.work("2026-03-10 13:00") == ["ann"]
    with pytest.raises(StateConflict, match="waits for no approval"):
        approve(either.house, issue, "bob")
    assert ("bob", "issue.approve") in {(each.actor, each.action) for each in either.house.all(AuditEntry)}


def test_an_approved_issue_still_waits_for_its_time(either: Scheduled):
    ask_a_second_person(either.house)
    issue = opened(either.house, starts_at=NOON + timedelta(hours=20))
    approve(either.house, issue, "bob")

    assert either.work("2026-03-11 07:59") == []
    assert either.work("2026-03-11 08:00") == ["ann"]


def test_an_issue_that_the_schedule_opens_needs_no_second_person(either: Scheduled):
    ask_a_second_person(either.house)

    opened(either.house, by_hand=False)

    assert [str(each.state) for each in either.house.all(Issue)] == ["preparing"]


def test_a_typed_time_is_in_the_zone_of_the_newsletter():
    assert read_start("2026-03-11 08:00", "Europe/Vilnius", NOON) == datetime(2026, 3, 11, 6, tzinfo=UTC)
    assert read_start("2026-03-11T08:00+00:00", "Europe/Vilnius", NOON) == datetime(
        2026, 3, 11, 8, tzinfo=UTC
    )
    assert read_start(" ", "UTC", NOON) is None


@pytest.mark.parametrize("text", ["tomorrow", "2026-03-10 11:59", "2026-12-01 08:00"])
def test_a_time_that_cannot_be_used_says_why(text: str):
    with pytest.raises(InputError):
        read_start(text, "UTC", NOON)
