"""The three numbers before an issue is sent: would reach now, due, subscribers."""

from __future__ import annotations

from house import House

from newsletter import suppression
from newsletter.digest.reach import Reach, count_by_frequency, count_reach
from newsletter.models import FIRST_NEWSLETTER, Frequency, Subscriber, current_sequence
from newsletter.subscribers.choices import pauses

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def test_the_three_numbers_differ_if_some_pause_are_suppressed_or_have_nothing_new(either_house: House):
    house = either_house
    energy, sea = house.topic("energy"), house.topic("sea")
    house.add_subscriber(energy, sea)
    house.add_subscriber(sea)  # nothing new
    paused, gone = house.add_subscriber(energy), house.add_subscriber(energy, name="gone")
    house.add_subscriber(energy, frequency=DAILY)
    house.release("A new energy cable")
    with house.runtime.session() as session:
        pauses.pause(session, session.get_one(Subscriber, paused), 1, house.clock(), "test")
        key = session.get_one(Subscriber, gone).email_key
        suppression.add_by_hand(session, house.runtime.tokens, key, "test", house.clock())
        session.commit()

    with house.runtime.reading() as session:
        found = count_reach(session, [WEEKLY], current_sequence(session))
        both = count_reach(session, [DAILY, WEEKLY], current_sequence(session))
        by_frequency = count_by_frequency(session, FIRST_NEWSLETTER)
    issue_id = house.send()

    assert found == Reach(would_reach_now=1, due=2, subscribers=4)
    assert both == Reach(would_reach_now=2, due=3, subscribers=5)
    assert by_frequency == {DAILY: 1, WEEKLY: 4}
    assert len(house.states(issue_id)) == found.would_reach_now


def test_with_nobody_all_three_are_zero(house: House):
    with house.runtime.reading() as session:
        found = count_reach(session, list(Frequency), current_sequence(session))

        assert count_by_frequency(session, FIRST_NEWSLETTER) == {}
    assert found == Reach(0, 0, 0)
    assert found.in_words() == "would reach now 0, due 0, subscribers 0."
