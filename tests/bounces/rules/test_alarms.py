"""Alarms about an issue: the rates, the notices once each, the pause, and the next issue that waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House
from sqlalchemy import insert, update

from newsletter.bounces.rules.alarms import Alarm, AlarmRule, Counts, check_rates, judge_counts
from newsletter.models import (
    FIRST_NEWSLETTER,
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Notice,
)
from newsletter.notices import words
from newsletter.outbox import control

RULE = AlarmRule(complaints=0.1, bounces=2.0, pause=0.3)


@pytest.mark.parametrize(
    ("counts", "alarm"),
    [
        (Counts(1_000, 4, 0), Alarm(False, False, False)),  # too few complaints for a rate
        (Counts(1_600, 5, 0), Alarm(True, False, True)),
        (Counts(4_900, 5, 0), Alarm(True, False, False)),
        (Counts(5_000, 5, 0), Alarm(False, False, False)),  # 0.1 % is not past 0.1 %
        (Counts(900, 0, 19), Alarm(False, False, False)),
        (Counts(900, 0, 20), Alarm(False, True, False)),
        (Counts(1_000, 0, 20), Alarm(False, False, False)),
        (Counts(0, 0, 0), Alarm(False, False, False)),
    ],
)
def test_an_alarm_needs_a_number_and_a_rate(counts: Counts, alarm: Alarm):
    assert judge_counts(counts, RULE) == alarm


def test_zero_turns_an_alarm_off():
    assert judge_counts(Counts(10, 10, 10), AlarmRule(0, 0, 0)) == Alarm(False, False, False)


def an_issue(house: House, accepted: int, *, complaints: int = 0, bounces: int = 0) -> int:
    """Add an issue that is being sent, with settled deliveries to nobody in particular."""
    now = house.clock()
    with house.runtime.session() as session:
        issue = Issue(
            newsletter_id=FIRST_NEWSLETTER, number=1, title="No. 1", frequencies=["weekly"], to_sequence=0,
            state=IssueState.SENDING, created_by="test", created_at=now, started_at=now,
        )  # fmt: skip
        session.add(issue)
        session.flush()
        row = {
            "lane": Lane.BULK, "issue_id": issue.id, "state": DeliveryState.ACCEPTED, "due_at": now,
            "created_at": now, "language": "en", "attempt": 1, "bounced_at": None, "complained_at": None,
        }  # fmt: skip
        rows = [dict(row) for _ in range(accepted)]
        for each in rows[:complaints]:
            each["complained_at"] = now
        rows += [{**row, "state": DeliveryState.REJECTED, "bounced_at": now} for _ in range(bounces)]
        session.execute(insert(Delivery), rows)
        session.commit()
        return issue.id


def check(house: House) -> list[int]:
    with house.runtime.session() as session:
        waiting = check_rates(session, RULE, house.clock())
        session.commit()
    return waiting


def test_many_complaints_pause_the_issue_once_and_tell_the_owner_once(either_house: House):
    house = either_house
    issue_id = an_issue(house, 1_000, complaints=5)

    assert check(house) == [FIRST_NEWSLETTER]
    assert check(house) == []

    assert house.issue_state(issue_id) == "paused"
    (notice,) = house.all(Notice)
    said = words(notice)
    assert "5 of 1000 people" in said.sentence
    assert "0.5 %" in said.sentence
    assert "What was not sent yet is paused." in said.sentence
    assert "newsletter digest resume" in said.remedy
    with house.runtime.session() as session:
        control.resume(session, session.get_one(Issue, issue_id), "kim", house.clock())
        session.commit()
    house.clock.pass_(minutes=5)
    assert check(house) == []
    assert house.issue_state(issue_id) == "sending"
    assert len(house.all(Notice)) == 1


def test_fewer_complaints_only_tell(either_house: House):
    house = either_house
    issue_id = an_issue(house, 3_000, complaints=5)

    assert check(house) == []

    assert house.issue_state(issue_id) == "sending"
    assert [each.kind for each in house.all(Notice)] == ["complaints_high"]


def test_many_addresses_without_a_mailbox_tell_and_pause_nothing(either_house: House):
    house = either_house
    issue_id = an_issue(house, 500, bounces=20)

    check(house)
    check(house)

    assert house.issue_state(issue_id) == "sending"
    (notice,) = house.all(Notice)
    assert "20 of 520 emails" in words(notice).sentence


def test_refusals_that_may_be_the_relays_fault_are_no_bounces_of_the_list(either_house: House):
    house = either_house
    an_issue(house, 100, bounces=50)
    with house.runtime.session() as session:
        asked = update(Delivery).where(Delivery.bounced_at.is_not(None))
        session.execute(asked.values(verdict=BounceVerdict.RELAY))
        session.commit()

    check(house)

    assert house.all(Notice) == []


def test_an_old_issue_is_not_watched_and_its_notice_closes(either_house: House):
    house = either_house
    issue_id = an_issue(house, 500, bounces=20)
    check(house)
    with house.runtime.session() as session:
        session.execute(update(Issue).values(state=IssueState.FINISHED))
        session.commit()

    house.clock.moment += timedelta(days=15)
    check(house)

    assert house.issue_state(issue_id) == "finished"
    assert [each.settled_at for each in house.all(Notice)] == [house.clock()]
