"""What is read about a subscriber: the waves that are due, and the releases that become ready."""

from __future__ import annotations

from house import House, public_id
from scheduled import Scheduled, at

from newsletter.digest.explain.facts import Facts, Schedule, read_facts, read_schedule
from newsletter.digest.schedule.clock import open_waves
from newsletter.models import FIRST_NEWSLETTER, Frequency, HoldReason, Subscriber
from newsletter.releases.editing.edit import find_release
from newsletter.releases.editing.embargo import set_embargo
from newsletter.releases.holds import hold

DAILY = Frequency.DAILY


def read(house: House, subscriber: int) -> tuple[Schedule, Facts]:
    parts = house.runtime
    identity = parts.identities.recent(parts.reading, FIRST_NEWSLETTER)
    with parts.reading() as session:
        schedule = read_schedule(session, identity, house.clock())
        person = session.get_one(Subscriber, subscriber)
        return schedule, read_facts(session, parts.tokens, person, schedule, catch_up=3)


def test_an_opened_wave_is_due_for_those_whom_it_has_not_reached(either: Scheduled):
    house = either.house
    energy = house.topic("energy")
    anna, ben = (house.add_subscriber(energy, frequency=DAILY) for _ in range(2))
    either.start("2026-03-09 12:00")
    either.choose_hour(ben, "UTC", 20)
    house.clock.moment = at("2026-03-10 08:00")
    with house.runtime.session() as session:
        open_waves(session, FIRST_NEWSLETTER, house.clock())
        session.commit()

    _, hers = read(house, anna)
    _, his = read(house, ben)

    assert [(each.at, each.frequencies) for each in hers.to_prepare] == [(house.clock(), {DAILY})]
    assert his.to_prepare == ()


def test_a_late_wave_that_will_be_skipped_is_not_due(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-09 12:00")
    house.clock.moment = at("2026-03-10 15:00")

    due = {frequency for each in read(house, anna)[1].to_prepare for frequency in each.frequencies}

    assert due == {Frequency.WEEKLY}


def test_a_release_with_two_holds_becomes_ready_at_the_end_of_the_later_one(one: Scheduled):
    house = one.house
    anna = house.add_subscriber(house.topic("energy"), frequency=DAILY)
    one.start("2026-03-09 12:00")
    cable, plant = house.release("An energy cable"), house.release("An energy plant")
    with house.runtime.session() as session:
        now = house.clock()
        set_embargo(session, public_id(house, cable), at("2026-03-11 07:00"), "test", now)
        later = at("2026-03-12 07:00")
        first, second = (find_release(session, public_id(house, each)) for each in (cable, plant))
        hold(first, HoldReason.DATE, "test", now, until=later)
        hold(second, HoldReason.DATE, "test", now, until=later)
        hold(second, HoldReason.EDITOR, "test", now)
        session.commit()

    schedule, _ = read(house, anna)

    found = [(each.at, [offer.release_id for offer in each.offers.values()]) for each in schedule.ready_later]
    assert found == [(at("2026-03-12 07:00"), [cable])]
