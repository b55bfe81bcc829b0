"""Unsubscribing, and undoing it."""

from __future__ import annotations

from newsletter.models import EndedReason, Frequency, Issue, Subscription, SubscriptionState
from newsletter.outbox import control
from newsletter.subscribers.leaving.undo import Returned, make_undo_token, undo
from newsletter.subscribers.leaving.unsubscribe import read_unsubscription, unsubscribe
from newsletter.subscribers.link import LinkFault
from newsletter.tokens import Purpose

ANN = "ann@example.org"
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def undo_token(people, left):
    runtime = people.house.runtime
    return make_undo_token(runtime.tokens, left.public_id, left.ended_at, people.house.clock())


def undo_by_link(people, token):
    with people.house.runtime.session() as session:
        done = undo(session, people.house.runtime.tokens, token, people.house.clock())
        session.commit()
        return done


def test_unsubscribing_ends_active_and_pending_rows_and_stores_the_delivery(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": DAILY})
    people.sign_up(ANN, {"sea": DAILY})

    left = people.leave(ANN, delivery_id=7)

    assert left.ended == 2
    rows = people.subscriptions(ANN)
    assert {row.state for row in rows} == {SubscriptionState.ENDED}
    assert {(row.ended_reason, row.ended_delivery_id) for row in rows} == {(EndedReason.UNSUBSCRIBED, 7)}
    assert people.acts(ANN)[-1] == "left"


def test_unsubscribing_twice_changes_nothing_more(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    first = people.leave(ANN)
    people.house.clock.pass_(minutes=5)

    again = people.leave(ANN)

    assert (again.ended, again.ended_at) == (0, first.ended_at)
    assert people.acts(ANN) == ["asked", "confirmed", "left"]


def test_reading_an_unsubscribe_link_changes_nothing_and_works_years_later(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    tokens = people.house.runtime.tokens
    token = tokens.make(Purpose.UNSUBSCRIBE, [people.person(ANN).public_id, 3], people.house.clock())
    people.house.clock.pass_(days=4000)

    with people.house.runtime.session() as session:
        unsubscription = read_unsubscription(session, tokens, token, people.house.clock())

    assert ([topic.name for topic in unsubscription.topics], unsubscription.delivery_id) == (["Energy"], 3)
    assert len(people.reads(ANN)) == 1


def test_a_link_of_an_unknown_subscriber_unsubscribes_nobody(people):
    with people.house.runtime.session() as session:
        done = unsubscribe(session, people.house.runtime.tokens, "", 1, people.house.clock(), "one-click")

    assert done is LinkFault.OUTDATED


def test_undoing_restores_each_subscription_with_its_marks(everywhere):
    people = everywhere
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    first = people.house.release("Energy first")
    people.house.send(WEEKLY)
    left = people.leave(ANN)
    second = people.house.release("Energy second")

    done = undo_by_link(people, undo_token(people, left))
    people.house.send(WEEKLY)

    assert isinstance(done, Returned)
    assert people.reads(ANN) == {energy: WEEKLY}
    assert people.house.releases_sent(people.person(ANN).id) == [first, second]
    assert people.acts(ANN)[-1] == "returned"


def test_releases_cancelled_while_a_subscriber_was_away_come_after_the_undo(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    release = people.house.release("Energy first")
    people.house.clock.pass_(seconds=1)
    issue_id = people.house.open(WEEKLY)
    left = people.leave(ANN)
    with people.house.runtime.session() as session:
        control.cancel(session, session.get_one(Issue, issue_id), "test", people.house.clock())
        session.commit()

    undo_by_link(people, undo_token(people, left))
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)

    assert people.house.releases_sent(people.person(ANN).id) == [release, release]  # one was cancelled
    assert people.house.recipients() == [ANN]


def test_undoing_twice_restores_once(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    token = undo_token(people, people.leave(ANN))
    undo_by_link(people, token)

    again = undo_by_link(people, token)

    assert again.restored == 0
    assert len(people.subscriptions(ANN)) == 2


def test_undoing_does_not_confirm_pending_subscriptions(people):
    energy = people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": DAILY})
    people.sign_up(ANN, {"sea": DAILY})
    left = people.leave(ANN)

    undo_by_link(people, undo_token(people, left))

    assert people.reads(ANN) == {energy: DAILY}


def test_undoing_works_for_a_week(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    token = undo_token(people, people.leave(ANN))

    people.house.clock.pass_(days=7, seconds=1)

    assert undo_by_link(people, token) is LinkFault.EXPIRED
    assert people.reads(ANN) == {}


def test_left_at_is_known_only_while_nothing_is_active_or_pending(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    tokens = people.house.runtime.tokens
    token = tokens.make(Purpose.UNSUBSCRIBE, [people.person(ANN).public_id, None], people.house.clock())

    def moment():
        with people.house.runtime.session() as session:
            return read_unsubscription(session, tokens, token, people.house.clock()).ended_at

    here = moment()
    people.leave(ANN)

    assert (here, moment()) == (None, people.house.clock())


def test_signing_up_again_needs_a_confirmation(people):
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    people.leave(ANN)
    people.house.clock.pass_(hours=1)

    people.sign_up(ANN, {"energy": DAILY})
    asked = people.reads(ANN)
    people.confirm(people.confirmation(ANN))

    assert asked == {}
    assert people.reads(ANN) == {energy: DAILY}
    with people.house.runtime.session() as session:
        assert session.query(Subscription).count() == 2
