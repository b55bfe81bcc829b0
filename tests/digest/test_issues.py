"""Issues: each subscriber gets every release of their topics exactly once, also late and held ones."""

from __future__ import annotations

import pytest
from house import House

from newsletter.digest.issues import FIRST_LOOK, Preparer, open_issue, send_test
from newsletter.digest.preview import preview
from newsletter.digest.reach import count_reach
from newsletter.errors import StateConflict
from newsletter.models import (
    Delivery,
    Frequency,
    Issue,
    Release,
    ReleaseState,
    Subscription,
    current_sequence,
)
from newsletter.outbox.control import cancel
from newsletter.releases.editing.edit import ReleaseAction, change_release


def change(house: House, release_id: int, action: ReleaseAction) -> None:
    with house.runtime.session() as session:
        public_id = session.get_one(Release, release_id).public_id
        change_release(session, public_id, action, "ed", house.clock())
        session.commit()


def test_each_subscriber_gets_their_topics_only_and_each_release_once(either_house: House):
    house = either_house
    energy, ports = house.topic("energy"), house.topic("ports")
    both, one = house.add_subscriber(energy, ports), house.add_subscriber(ports)
    cable = house.release("An energy cable")
    quay = house.release("All ports get a quay")
    shared = house.release("Energy for ports")

    house.send()

    assert sorted(house.releases_sent(both)) == [cable, quay, shared]
    assert sorted(house.releases_sent(one)) == [quay, shared]


def test_sending_again_at_once_sends_nothing(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("energy"))
    house.release("An energy cable")
    house.send()

    with pytest.raises(StateConflict):
        house.open()

    assert len(house.transport.sent) == 1


def test_an_issue_opens_although_nothing_waits_for_the_first_subscribers(either_house: House):
    house = either_house
    energy, ports = house.topic("energy"), house.topic("ports")
    for _ in range(FIRST_LOOK):
        house.add_subscriber(energy)
    last = house.add_subscriber(ports)
    quay = house.release("All ports get a quay")

    house.send()

    assert list(house.releases_sent(last)) == [quay]
    assert len(house.transport.sent) == 1


def test_a_release_in_a_daily_and_in_a_weekly_topic_comes_once(house: House):
    energy, ports = house.topic("energy"), house.topic("ports")
    subscriber = house.add_subscriber(energy, frequency=Frequency.DAILY)
    with house.runtime.session() as session:
        session.add(house.subscription(subscriber, ports, Frequency.WEEKLY, current_sequence(session)))
        session.commit()
    shared = house.release("Energy for ports")
    quay = house.release("All ports get a quay")

    house.send(Frequency.DAILY)
    house.send(Frequency.WEEKLY)

    assert house.releases_sent(subscriber) == [shared, quay]


def test_a_backdated_release_is_not_lost(house: House):
    subscriber = house.add_subscriber(house.topic("energy"))
    house.release("An energy cable")
    house.send()
    house.clock.pass_(days=-30)

    late = house.release("Energy news of last month")
    house.clock.pass_(days=31)
    house.send()

    assert house.releases_sent(subscriber)[1:] == [late]


def test_a_release_held_while_issues_pass_comes_when_it_is_freed_and_only_once(either_house: House):
    house = either_house
    subscriber = house.add_subscriber(house.topic("energy"))
    first, second = house.release("An energy cable"), house.release("Energy prices fall")
    change(house, second, ReleaseAction.HOLD)
    house.send()
    change(house, first, ReleaseAction.HOLD)

    change(house, first, ReleaseAction.READY)
    change(house, second, ReleaseAction.READY)
    house.send()

    assert house.releases_sent(subscriber) == [first, second]


def test_a_held_or_excluded_release_is_not_sent(house: House):
    subscriber = house.add_subscriber(house.topic("energy"))
    house.release("Energy secret", state=ReleaseState.HELD)
    shown = house.release("An energy cable")

    house.send()

    assert house.releases_sent(subscriber) == [shown]


def test_the_number_of_subscribers_is_the_number_of_deliveries(either_house: House):
    house = either_house
    energy, ports = house.topic("energy"), house.topic("ports")
    for topics in ((energy,), (ports,), (energy, ports), ()):
        house.add_subscriber(*topics)
    house.release("An energy cable")
    with house.runtime.session() as session:
        foreseen = count_reach(session, [Frequency.WEEKLY], current_sequence(session)).would_reach_now

    issue_id = house.send()

    assert foreseen == 2
    assert len(house.states(issue_id)) == 2


def test_preparing_that_was_cut_off_goes_on_where_it_stopped(either_house: House):
    house = either_house
    energy = house.topic("energy")
    for _ in range(5):
        house.add_subscriber(energy)
    house.release("An energy cable")
    with house.runtime.session() as session:
        issue_id = open_issue(session, [Frequency.WEEKLY], actor="ed", now=house.clock()).id
        session.commit()
    with house.runtime.session() as session:
        Preparer(house.runtime.renderer, issue_id).step(session, house.clock())
        session.rollback()  # the process died before its commit

    house.prepare(issue_id)
    house.prepare(issue_id)

    assert len(house.states(issue_id)) == 5
    assert len({each.subscriber_id for each in house.all(Delivery)}) == 5


def test_a_form_sent_twice_opens_one_issue(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("An energy cable")
    with house.runtime.session() as session:
        key = {"actor": "ed", "now": house.clock(), "request_key": "once"}

        first = open_issue(session, [Frequency.WEEKLY], **key)
        again = open_issue(session, [Frequency.WEEKLY], **key)

        assert first is again


def test_a_test_serves_nobody(house: House):
    subscriber = house.add_subscriber(house.topic("energy"))
    release = house.release("An energy cable")
    with house.runtime.session() as session:
        shown = preview(session, house.runtime.renderer, frequencies=[Frequency.WEEKLY], now=house.clock())
        send_test(
            session, house.runtime.renderer, shown.selection,
            recipient="boss@example.com", actor="ed", now=house.clock(),
        )  # fmt: skip
        session.commit()
    house.drain("single")
    assert house.recipients() == ["boss@example.com"]

    house.send()

    assert house.releases_sent(subscriber) == [release]
    assert [each.title for each in house.all(Issue) if not each.is_test] == ["No. 1"]


def test_a_preview_is_the_email_that_is_sent_and_changes_nothing(house: House):
    subscriber = house.add_subscriber(house.topic("energy"), name="ann")
    house.release("An energy cable")
    with house.runtime.session() as session:
        shown = preview(
            session, house.runtime.renderer,
            frequencies=[Frequency.WEEKLY], now=house.clock(), email_key="ann@example.org",
        )  # fmt: skip
        assert not session.dirty
        assert not session.new

    house.send()

    content = house.transport.sent[0].content
    assert shown.subject.encode() in content
    assert not shown.is_sample
    assert [each.id for each in shown.releases] == house.releases_sent(subscriber)
    assert shown.reach.would_reach_now == 1


def test_a_preview_after_a_cancel_shows_what_people_still_wait_for(house: House):
    topic = house.topic("energy")
    house.add_subscriber(topic)
    house.release("An energy plan")
    house.send()
    waiting = house.release("An energy cable")
    issue_id = house.open()
    with house.runtime.session() as session:
        cancel(session, session.get_one(Issue, issue_id), "test", house.clock(), session.commit)
        session.commit()
        shown = preview(session, house.runtime.renderer, frequencies=[Frequency.WEEKLY], now=house.clock())

    assert [each.id for each in shown.releases] == [waiting]
    assert not shown.is_sample


def test_with_nothing_new_a_preview_shows_older_releases_and_says_so(house: House):
    house.add_subscriber(house.topic("energy"), name="ann")
    house.release("An energy cable")
    house.send()
    with house.runtime.session() as session:
        shown = preview(
            session, house.runtime.renderer,
            frequencies=[Frequency.WEEKLY], now=house.clock(), email_key="ann@example.org",
        )  # fmt: skip

    assert shown.is_sample
    assert shown.reach.would_reach_now == 0
    assert len(shown.releases) == 1


def test_a_changed_frequency_loses_nothing_and_repeats_nothing(house: House):
    subscriber = house.add_subscriber(house.topic("energy"), frequency=Frequency.WEEKLY)
    first = house.release("An energy cable")
    house.send(Frequency.WEEKLY)
    second = house.release("Energy prices fall")
    with house.runtime.session() as session:
        session.query(Subscription).update({"frequency": Frequency.DAILY})
        session.commit()

    house.send(Frequency.DAILY)

    assert house.releases_sent(subscriber) == [first, second]
