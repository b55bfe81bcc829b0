"""Suppressions: add, find and lift them, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House, suppress_people
from sqlalchemy import select

from newsletter.errors import ReasonNeeded, StateConflict
from newsletter.models import AuditEntry, BounceVerdict, Delivery, Subscriber, Suppression, SuppressionReason
from newsletter.suppression import (
    Wanted,
    add,
    add_by_hand,
    find,
    forget_subscriber,
    has_changed_since,
    is_suppressed,
    lift,
    lift_many,
    lift_row,
    suppressed_among,
    suppression_hash,
)

ANN = "ann@example.org"


def suppress(house: House, *people: int, reason: SuppressionReason = SuppressionReason.HARD_BOUNCE) -> None:
    with house.runtime.session() as session:
        suppress_people(session, house.runtime.tokens, people, reason, house.clock())
        for delivery in session.query(Delivery).filter(Delivery.subscriber_id.in_(people)):
            delivery.bounced_at, delivery.verdict = house.clock(), BounceVerdict.GONE
        session.commit()


def suppressed(house: House) -> list[str]:
    tokens = house.runtime.tokens
    with house.runtime.session() as session:
        keys = sorted(each.email_key for each in session.query(Subscriber))
        return [key for key in keys if is_suppressed(session, tokens, key)]


@pytest.fixture
def crowd(either_house: House) -> House:
    """Three people who have got an issue."""
    house = either_house
    topic = house.topic("energy")
    for name in ("ann", "bob", "cat"):
        house.add_subscriber(topic, name=name)
    house.release("Energy")
    house.send()
    return house


def lift_all(house: House, wanted: Wanted, *, dry_run: bool = False) -> int:
    with house.runtime.session() as session:
        count = lift_many(session, house.runtime.tokens, wanted, "owner", house.clock(), 5, dry_run=dry_run)
        session.commit()
        return count


def test_an_address_is_suppressed_once_and_erasing_outranks_other_reasons(either_house: House):
    tokens, now = either_house.runtime.tokens, either_house.clock()
    with either_house.runtime.session() as session:
        mark = suppression_hash(tokens, ANN)
        new = [
            add(session, mark, reason, now)
            for reason in (SuppressionReason.HARD_BOUNCE, SuppressionReason.ERASED, SuppressionReason.MANUAL)
        ]
        found = find(session, tokens, ANN)
        assert new == [True, False, False]
        assert found is not None and found.reason is SuppressionReason.ERASED
        assert suppressed_among(session, [mark, "other"]) == {mark}
        assert has_changed_since(session, now)
        assert not has_changed_since(session, now + timedelta(seconds=1))


@pytest.mark.parametrize("reason", [SuppressionReason.COMPLAINT, SuppressionReason.ERASED])
def test_an_address_whose_person_wanted_no_email_is_lifted_only_with_a_reason(
    crowd: House, reason: SuppressionReason
):
    suppress(crowd, 1, reason=reason)
    tokens, now = crowd.runtime.tokens, crowd.clock()

    with crowd.runtime.session() as session:
        with pytest.raises(ReasonNeeded):
            lift(session, tokens, ANN, "owner", now, 5)
        lifted = lift(session, tokens, ANN, "owner", now, 5, "asked")

    assert lifted


def test_the_suppression_of_an_erased_person_is_not_lifted_without_the_address(crowd: House):
    suppress(crowd, 1, reason=SuppressionReason.ERASED)

    with crowd.runtime.session() as session:
        number = session.scalars(select(Suppression.id)).one()
        with pytest.raises(StateConflict, match="find the address first"):
            lift_row(session, number, "owner", crowd.clock(), 5, "asked")


def test_lifting_clears_the_bounce_and_adds_an_audit_entry(crowd: House):
    suppress(crowd, 1)

    with crowd.runtime.session() as session:
        lifted = [lift(session, crowd.runtime.tokens, ANN, "owner", crowd.clock(), 5) for _ in range(2)]
        session.commit()

    assert lifted == [True, False]
    assert suppressed(crowd) == []
    assert [(each.bounced_at, each.verdict) for each in crowd.all(Delivery)] == [(None, None)] * 3
    assert [each.action for each in crowd.all(AuditEntry)][-1] == "address.unsuppress"
    crowd.release("More energy")
    crowd.send()
    assert crowd.recipients().count(ANN) == 2


def test_refusals_at_a_former_address_do_not_count_for_the_new_one(crowd: House):
    with crowd.runtime.session() as session:
        ann = session.query(Subscriber).filter_by(email_key=ANN).one()
        refused = session.query(Delivery).filter_by(subscriber_id=ann.id).one()
        refused.bounced_at, refused.verdict = crowd.clock(), BounceVerdict.UNJUDGED
        session.flush()

        forget_subscriber(session, ann.id)
        session.commit()

        assert (refused.bounced_at, refused.verdict) == (None, None)


def test_a_dry_run_counts_and_changes_nothing(crowd: House):
    suppress(crowd, 1, 2)

    assert lift_all(crowd, Wanted(), dry_run=True) == 2
    assert suppressed(crowd) == [ANN, "bob@example.org"]


def test_lifting_many_lifts_only_hard_bounces(crowd: House):
    suppress(crowd, 1)
    suppress(crowd, 2, reason=SuppressionReason.COMPLAINT)
    suppress(crowd, 3, reason=SuppressionReason.ERASED)
    with crowd.runtime.session() as session:
        add_by_hand(session, crowd.runtime.tokens, "dan@example.org", "owner", crowd.clock())
        session.commit()

    assert lift_all(crowd, Wanted()) == 1

    assert suppressed(crowd) == ["bob@example.org", "cat@example.org"]
    assert len(crowd.all(Suppression)) == 3


def test_a_period_and_an_issue_limit_which_suppressions_are_lifted(crowd: House):
    suppress(crowd, 1)
    crowd.clock.pass_(hours=2)
    later = crowd.clock()
    suppress(crowd, 2)
    crowd.release("More energy")
    other_issue = crowd.open()

    assert lift_all(crowd, Wanted(since=later + timedelta(hours=1)), dry_run=True) == 0
    assert lift_all(crowd, Wanted(issue_id=other_issue), dry_run=True) == 0
    assert lift_all(crowd, Wanted(until=later), dry_run=True) == 1
    assert lift_all(crowd, Wanted(issue_id=1, since=later)) == 1
    assert suppressed(crowd) == [ANN]


def test_after_lifting_only_the_newest_releases_of_each_topic_still_come(crowd: House):
    suppress(crowd, 1)
    releases = [crowd.release(f"Energy number {number}") for number in range(6)]
    with crowd.runtime.session() as session:
        lift(session, crowd.runtime.tokens, ANN, "owner", crowd.clock(), 2)
        session.commit()

    crowd.send()

    assert sorted(crowd.releases_sent(1)[1:]) == releases[-2:]
    assert set(crowd.releases_sent(2)[1:]) == set(releases)
