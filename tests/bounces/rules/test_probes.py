"""Probes on both databases: who gets one, what follows from it, and what ends it."""

from __future__ import annotations

import pytest
from bounces.reports.test_receive import report, take
from house import House
from sqlalchemy import update

from newsletter import bounce_steps, suppression
from newsletter.bounce_steps import Step
from newsletter.bounces.history.steps import list_steps
from newsletter.bounces.rules.probes import MOST_FAILED_A_DAY
from newsletter.errors import StateConflict
from newsletter.models import (
    BounceStep,
    Delivery,
    DeliveryState,
    Lane,
    Notice,
    Probe,
    ProbeResult,
    StepKind,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from newsletter.models.tables.returned_mail import ReportOutcome
from newsletter.notices import words
from newsletter.service.returned_mail import follow_up

WEEKS = 4


@pytest.fixture
def house(either_house: House) -> House:
    """An installation whose issues to Ada came back four weeks in a row, because her mailbox is full."""
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    for number in range(WEEKS):
        house.clock.pass_(days=7)
        issue(house, f"Harbours, week {number}")
        assert take(house, report(house, "5.2.2", "over quota", newest(house))) is ReportOutcome.SOFT
    return house


def issue(house: House, title: str) -> None:
    house.release(title)
    house.send()


def newest(house: House) -> int:
    return max(each.id for each in house.all(Delivery))


def ada(house: House) -> Subscriber:
    return house.all(Subscriber)[0]


def steps(house: House) -> list[StepKind]:
    with house.runtime.reading() as session:
        return [each.kind for each in list_steps(session, ada(house).id)][::-1]


def send_probe(house: House) -> Delivery:
    """Follow up, and let the relay accept the probe email."""
    follow_up(house.runtime)
    (probe,) = house.all(Probe)
    with house.runtime.session() as session:
        sent = update(Delivery).where(Delivery.id == probe.delivery_id)
        session.execute(sent.values(state=DeliveryState.ACCEPTED, settled_at=house.clock()))
        session.commit()
    return next(each for each in house.all(Delivery) if each.id == probe.delivery_id)


def test_four_weeks_of_failures_send_one_probe_email(house: House):
    follow_up(house.runtime)
    follow_up(house.runtime)

    (probe,) = house.all(Probe)
    emails = [each for each in house.all(Delivery) if each.lane is Lane.SINGLE]
    assert [(each.id, each.template) for each in emails] == [(probe.delivery_id, "probe")]
    assert steps(house) == [StepKind.SOFT] * WEEKS + [StepKind.PROBED]
    assert house.all(Suppression) == []


@pytest.mark.parametrize("status", ["5.1.1", "5.2.2", "4.4.7"])
def test_a_probe_that_comes_back_suppresses_the_address(house: House, status: str):
    probe = send_probe(house)
    take(house, report(house, status, "no", probe.id))

    follow_up(house.runtime)

    (row,) = house.all(Suppression)
    assert (row.reason, row.subscriber_id) == (SuppressionReason.SOFT_BOUNCE, ada(house).id)
    assert [each.result for each in house.all(Probe)] == [ProbeResult.FAILED]
    assert steps(house)[-2:] == [StepKind.PROBE_FAILED, StepKind.SUPPRESSED]
    (subscription,) = house.all(Subscription)
    assert subscription.state is SubscriptionState.ACTIVE  # lifting brings everything back
    with pytest.raises(StateConflict):
        issue(house, "Harbours for nobody")


def test_a_probe_that_does_not_come_back_resets_the_count(house: House):
    send_probe(house)
    house.clock.pass_(days=6)
    follow_up(house.runtime)
    assert house.all(Probe)[0].ended_at is None

    house.clock.pass_(days=1)
    follow_up(house.runtime)

    assert steps(house)[-2:] == [StepKind.PROBE_PASSED, StepKind.RESET]
    house.clock.pass_(days=30)
    issue(house, "Harbours again")
    take(house, report(house, "5.2.2", "over quota", newest(house)))
    follow_up(house.runtime)
    assert len(house.all(Probe)) == 1  # one failure since
    assert house.all(Suppression) == []


def test_a_report_about_policy_ends_the_probe_and_suppresses_nobody(house: House):
    probe = send_probe(house)
    take(house, report(house, "5.7.1", "listed at a blocklist", probe.id))

    follow_up(house.runtime)

    assert [each.result for each in house.all(Probe)] == [ProbeResult.ENDED]
    assert house.all(Suppression) == []


def test_a_probe_to_somebody_who_left_or_is_suppressed_ends(house: House):
    send_probe(house)
    house.clock.pass_(days=8)
    with house.runtime.session() as session:
        suppression.add_by_hand(
            session, house.runtime.tokens, ada(house).email_key or "", "kim", house.clock()
        )
        session.commit()

    follow_up(house.runtime)

    assert [each.result for each in house.all(Probe)] == [ProbeResult.ENDED]


def test_failures_at_a_former_address_do_not_count(house: House):
    with house.runtime.session() as session:
        suppression.forget_subscriber(session, ada(house).id)
        session.commit()

    follow_up(house.runtime)

    assert house.all(Probe) == []
    assert {each.weighed_at for each in house.all(BounceStep)} == {house.clock()}


def test_a_hard_report_that_a_later_email_contradicts_asks_for_a_probe_at_once(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    issue(house, "Harbours open")
    first = newest(house)
    house.clock.pass_(hours=5)
    issue(house, "Harbours close")

    assert take(house, report(house, delivery=first)) is ReportOutcome.SOFT
    follow_up(house.runtime)

    assert [each.begun_at for each in house.all(Probe)] == [house.clock()]
    assert house.all(Suppression) == []


def test_no_second_probe_follows_within_thirty_days(house: House):
    send_probe(house)
    house.clock.pass_(days=7)
    follow_up(house.runtime)
    first = newest(house)
    issue(house, "Harbours, one")
    house.clock.pass_(hours=5)
    issue(house, "Harbours, two")
    sent = sorted(each.id for each in house.all(Delivery))[-2]
    assert sent > first

    take(house, report(house, delivery=sent))
    follow_up(house.runtime)

    assert len(house.all(Probe)) == 1


def test_a_relay_that_says_mailbox_full_for_days_counts_once_with_its_report(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    issue(house, "Harbours open")
    with house.runtime.session() as session:
        session.execute(update(Delivery).values(state=DeliveryState.REJECTED))
        session.commit()

    outcome = take(house, report(house, "5.2.2", "over quota"))

    assert outcome is ReportOutcome.REPEATED
    assert house.all(BounceStep) == []


def test_a_domain_that_returns_many_probes_is_at_fault_and_the_owner_is_told(house: House):
    domain = (ada(house).email_key or "").partition("@")[2]
    probe = send_probe(house)
    take(house, report(house, delivery=probe.id))
    other = house.add_subscriber(name="ben")
    with house.runtime.session() as session:
        for _ in range(MOST_FAILED_A_DAY):
            bounce_steps.add(session, Step(StepKind.PROBE_FAILED, other), house.clock())
        session.commit()

    follow_up(house.runtime)

    assert [each.result for each in house.all(Probe)] == [ProbeResult.ENDED]
    assert house.all(Suppression) == []
    (notice,) = house.all(Notice)
    assert (notice.kind, notice.subject) == ("probes_fail", domain)
    assert "unsuppress --reason soft_bounce --since 20" in words(notice).remedy
