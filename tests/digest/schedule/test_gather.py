"""Issues as they happen open after the gathering delay, and only if somebody gets them."""

from __future__ import annotations

from scheduled import Scheduled

from newsletter.digest.schedule.gather import due_gatherings, gather, open_gathered
from newsletter.models import Frequency, Gathering, Issue, Release, Subscriber, WaitsAgain, current_sequence
from newsletter.outbox import control
from newsletter.releases.editing.edit import ReleaseAction, change_release
from newsletter.service.sending.prepare_issues import schedules_due
from newsletter.subscribers.choices import pauses

AT_ONCE = Frequency.IMMEDIATE


def test_an_issue_opens_after_the_delay_however_much_follows(either: Scheduled):
    house = either.house
    ann = house.add_subscriber(house.topic("energy"), frequency=AT_ONCE, name="ann")
    either.start("2026-03-09 12:00", gather_minutes=30)
    either.work("2026-03-09 12:00")
    first = house.release("An energy cable")

    assert either.work("2026-03-09 12:01") == []
    second = house.release("More energy")
    assert either.work("2026-03-09 12:30") == []
    assert either.work("2026-03-09 12:31") == ["ann"]
    assert sorted(house.releases_sent(ann)) == [first, second]
    assert either.work("2026-03-09 13:30") == []
    assert len(house.all(Gathering)) == 0


def test_it_opens_earlier_at_a_number_of_releases(one: Scheduled):
    house = one.house
    house.add_subscriber(house.topic("energy"), frequency=AT_ONCE, name="ann")
    one.start("2026-03-09 12:00", gather_minutes=60, gather_releases=2)
    one.work("2026-03-09 12:00")
    house.release("An energy cable")
    assert one.work("2026-03-09 12:01") == []
    house.release("More energy")

    assert one.work("2026-03-09 12:02") == ["ann"]


def test_nothing_gathers_if_nobody_would_get_it_and_the_clock_rests(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    house.add_subscriber(energy, frequency=Frequency.MONTHLY)
    either.start("2026-03-09 12:00")
    either.work("2026-03-09 12:00")
    house.release("An energy cable")

    either.work("2026-03-09 12:01")

    assert house.all(Gathering) == []
    with house.runtime.reading() as session:
        assert not schedules_due(session, house.clock())


def test_no_issue_is_made_if_nobody_is_left_at_the_end_of_the_delay(either: Scheduled):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=AT_ONCE)
    either.start("2026-03-09 12:00")
    release = house.release("An energy cable")
    either.work("2026-03-09 12:01")
    assert len(house.all(Gathering)) == 1
    with house.runtime.session() as session:
        public_id = session.get_one(Release, release).public_id
        change_release(session, public_id, ReleaseAction.HOLD, "ed", house.clock())
        session.commit()

    assert either.work("2026-03-09 12:31") == []
    assert either.issues() == []
    assert house.all(Gathering) == []


def test_the_end_of_a_pause_begins_to_gather(either: Scheduled):
    house = either.house
    ann = house.add_subscriber(house.topic("energy"), frequency=AT_ONCE, name="ann")
    either.start("2026-03-09 12:00")
    with house.runtime.session() as session:
        pauses.pause(session, session.get_one(Subscriber, ann), 1, house.clock(), "test")
        session.commit()
    house.release("An energy cable")
    either.work("2026-03-09 12:01")
    assert house.all(Gathering) == []

    with house.runtime.session() as session:
        pauses.resume(session, session.get_one(Subscriber, ann), 10, house.clock(), "test")
        session.commit()
    either.work("2026-03-09 13:00")

    assert either.work("2026-03-09 13:30") == ["ann"]
    assert house.all(WaitsAgain) == []


def test_what_a_cancelled_issue_puts_back_begins_to_gather(either: Scheduled):
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=AT_ONCE, name="ann")
    either.start("2026-03-09 12:00")
    house.release("An energy cable")
    house.open(AT_ONCE)
    either.house.clock.pass_(minutes=1)
    with house.runtime.session() as session:
        control.cancel(session, session.query(Issue).one(), "ed", house.clock())
        session.commit()

    either.work("2026-03-09 12:02")

    assert either.work("2026-03-09 12:32") == ["ann"]


def test_a_new_subscription_with_welcome_releases_begins_to_gather(one: Scheduled):
    from newsletter import coverage

    house, energy = one.house, one.house.topic("energy")
    house.release("An energy cable")
    one.start("2026-03-09 12:00")
    one.work("2026-03-09 12:00")
    person = house.add_subscriber(name="ann")
    with house.runtime.session() as session:
        row = house.subscription(person, energy, AT_ONCE, current_sequence(session))
        session.add(row)
        coverage.begin(session, row, 1)
        session.commit()

    one.work("2026-03-09 12:01")

    assert one.work("2026-03-09 12:31") == ["ann"]


def test_a_hand_made_issue_that_is_being_prepared_is_not_waited_for(one: Scheduled):
    house, energy = one.house, one.house.topic("energy")
    house.add_subscriber(energy, frequency=AT_ONCE, name="ann")
    house.add_subscriber(energy, frequency=Frequency.WEEKLY, name="ben")
    house.release("An energy cable")
    from newsletter.digest.issues import Preparer, open_issue

    with house.runtime.session() as session:
        open_issue(session, [Frequency.WEEKLY], actor="ed", now=house.clock())
        issue = open_issue(session, [AT_ONCE], actor="ed", now=house.clock())
        session.commit()
        assert Preparer(house.runtime.renderer, issue.id).step(session, house.clock())


def test_no_second_issue_opens_while_the_first_is_prepared(either: Scheduled):
    """On two hosts, one may look for what waits while the other prepares the issue that brings it."""
    house = either.house
    house.add_subscriber(house.topic("energy"), frequency=AT_ONCE, name="ann")
    either.start("2026-03-09 12:00", gather_minutes=0)
    house.release("An energy cable")
    with house.runtime.session() as session:
        gather(session, 1, house.clock())
        assert open_gathered(session, 1, house.clock()) is not None
        session.commit()
        # The first issue is being prepared: no mark has moved yet.
        assert gather(session, 1, house.clock())
        session.commit()

        assert due_gatherings(session, house.clock()) == []
        assert open_gathered(session, 1, house.clock()) is None
        session.commit()

    assert either.work("2026-03-09 12:01") == ["ann"]
    assert either.work("2026-03-09 12:02") == []
    assert len(either.issues()) == 1
    assert house.all(Gathering) == []
