"""The outcomes of a relay are read in the order of its replies, with the history of each address."""

from __future__ import annotations

import pytest
from house import House
from sqlalchemy import select

from newsletter.models import BounceVerdict, Delivery, DeliveryState, Issue
from newsletter.outbox.refused import outcome_rows
from newsletter.smtp.replies import Reply

NO_SUCH_USER = Reply(550, ("5.1.1 no such user",))


@pytest.fixture
def relay(house: House):
    """Two issues to p0, p1 and p2. In the second, p1's address is refused. Return the relay's key."""
    topic = house.topic("energy")
    for number in range(3):
        house.add_subscriber(topic, name=f"p{number}")
    house.release("Energy in March")
    house.send()
    house.clock.pass_(days=7)
    house.transport.answer("p1@example.org", NO_SUCH_USER)
    house.release("Energy in April")
    house.send()
    return house.all(Delivery)[0].relay_key


def read(house: House, relay, *conditions, newest_first=False, limit=10, by_domain=False):
    with house.runtime.reading() as session:
        query = outcome_rows.of_relay(relay, by_domain=by_domain).where(*conditions)
        return outcome_rows.read(session, query, newest_first=newest_first, limit=limit)


def test_each_outcome_says_whether_the_address_accepted_an_email_before(house: House, relay):
    outcomes = [row.outcome for row in read(house, relay)]

    assert [each.witness for each in outcomes] == [False] * 3 + [True] * 3
    assert [each.refused for each in outcomes].count(True) == 1
    assert sum(each.accepted for each in outcomes) == 5
    assert read(house, relay, by_domain=True)[0].outcome == outcomes[0]
    assert read(house, relay + 1) == []


def test_the_oldest_or_the_newest_are_taken_and_always_the_oldest_comes_first(house: House, relay):
    places = [row.place for row in read(house, relay)]

    assert places == sorted(places)
    assert [row.place for row in read(house, relay, limit=2)] == places[:2]
    assert [row.place for row in read(house, relay, limit=2, newest_first=True)] == places[-2:]


def test_outcomes_before_and_after_a_place_leave_it_out_unless_asked(house: House, relay):
    places = [row.place for row in read(house, relay)]
    third = places[2]

    assert [row.place for row in read(house, relay, *outcome_rows.before(third))] == places[:2]
    assert [row.place for row in read(house, relay, *outcome_rows.after(third))] == places[3:]
    assert [row.place for row in read(house, relay, *outcome_rows.after(third, itself=True))] == places[2:]
    assert outcome_rows.after(None) == ()


def test_a_refusal_that_was_decided_is_handled(house: House, relay):
    with house.runtime.session() as session:
        for verdict in (BounceVerdict.WAIT, BounceVerdict.GONE):
            refused = session.scalars(select(Delivery).where(Delivery.state == DeliveryState.REJECTED)).one()
            refused.verdict = verdict
            session.commit()
            handled = [row.outcome.handled for row in read(house, relay)]
            assert any(handled) is (verdict is BounceVerdict.GONE)


def test_an_issue_reached_nobody_if_all_its_deliveries_were_refused(house: House, relay):
    def found():
        with house.runtime.reading() as session:
            return list(session.scalars(select(Issue.id).where(outcome_rows.reached_nobody(Issue.id))))

    assert found() == []
    with house.runtime.session() as session:
        for delivery in session.query(Delivery).filter_by(issue_id=2):
            delivery.state, delivery.verdict = DeliveryState.REJECTED, BounceVerdict.UNJUDGED
        session.commit()
    assert found() == [2]


def test_a_domain_is_read_once_with_its_outcomes_before_and_after(house: House, relay):
    rows = read(house, relay)
    with house.runtime.reading() as session:
        domains = outcome_rows.DomainOutcomes(session, relay, rows[2], rows[3])
        for at in (2, 3):
            sides = domains.around(rows[at])
            assert [[each.place for each in side] for side in sides] == [
                [each.place for each in rows[:at]],
                [each.place for each in rows[at + 1 :]],
            ]
        rows[2].domain = None
        assert domains.around(rows[2]) == ((), ())


def test_a_refusal_that_was_just_believed_is_handled(house: House, relay):
    rows = read(house, relay)
    at = next(at for at, row in enumerate(rows) if row.outcome.refused)
    with house.runtime.reading() as session:
        domains = outcome_rows.DomainOutcomes(session, relay, rows[0], rows[-1])
        others = [each for side in domains.around(rows[at - 1]) for each in side]
        domains.note_gone(rows[at])

    assert [each.place for each in others if each.outcome.handled] == [rows[at].place]
