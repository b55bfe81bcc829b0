"""A claimed digest is recomposed: topics that ended and releases that are held are left out."""

from __future__ import annotations

from house import House, edit_release, unsubscribe_from_topic

from newsletter.messages.recompose import narrow
from newsletter.models import Frequency, Subscriber, Subscription
from newsletter.models.rendition_key import Section
from newsletter.releases.edit import ReleaseAction
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.choices import pauses

WEEKLY, DAILY = Frequency.WEEKLY, Frequency.DAILY


def arrange(house: House) -> tuple[int, int, int]:
    """Arrange the topics energy and sea, and a subscriber of both; return the three ids."""
    energy, sea = house.topic("energy"), house.topic("sea")
    return energy, sea, house.add_subscriber(energy, sea, name="ann")


def bodies(house: House) -> list[str]:
    from email import message_from_bytes, policy

    messages = [message_from_bytes(each.content, policy=policy.SMTP) for each in house.transport.sent]
    return [each.get_body(("plain",)).get_content() for each in messages]


def test_a_topic_that_was_left_after_preparing_is_not_emailed(either_house: House):
    house = either_house
    energy, _sea, ann = arrange(house)
    house.release("A new energy cable")
    wave = house.release("A sea wave")
    house.open()
    unsubscribe_from_topic(house, ann, energy)

    house.drain()

    assert house.releases_sent(ann) == [wave]
    (body,) = bodies(house)
    assert "sea wave" in body
    assert "energy" not in body.lower()


def test_a_release_moves_to_another_topic_that_is_kept_and_that_the_issue_serves(either_house: House):
    house = either_house
    energy, _sea, ann = arrange(house)
    both = house.release("An energy cable under the sea")
    house.open()
    unsubscribe_from_topic(house, ann, energy)

    house.drain()

    assert house.releases_sent(ann) == [both]
    (body,) = bodies(house)
    assert "Energy" not in body.splitlines()


def test_what_was_left_out_comes_with_the_next_issue_of_another_topic(either_house: House):
    house = either_house
    energy, sea = house.topic("energy"), house.topic("sea")
    ann = house.add_subscriber(energy, frequency=WEEKLY, name="ann")
    with house.runtime.session() as session:
        subscription_rows.take_up(session, ann, sea, DAILY, house.clock())
        session.commit()
    both = house.release("An energy cable under the sea")
    house.open(WEEKLY)
    unsubscribe_from_topic(house, ann, energy)

    house.drain()

    assert house.states() == ["skipped"]
    house.send(DAILY)
    assert house.releases_sent(ann)[-1:] == [both]
    assert len(house.transport.sent) == 1


def test_a_release_that_is_held_after_preparing_is_not_sent_until_it_is_ready(
    either_house: House,
):
    house = either_house
    _, _, ann = arrange(house)
    cable = house.release("A new energy cable")
    wave = house.release("A sea wave")
    house.open()
    edit_release(house, cable, ReleaseAction.HOLD)

    house.drain()
    edit_release(house, cable, ReleaseAction.READY)
    house.send()

    assert house.releases_sent(ann) == [wave, cable]
    assert "cable" not in bodies(house)[0]


def test_an_issue_of_excluded_releases_only_is_skipped_and_finishes(either_house: House):
    house = either_house
    arrange(house)
    cable = house.release("A new energy cable")
    issue_id = house.open()
    edit_release(house, cable, ReleaseAction.EXCLUDE)

    house.drain()

    assert house.states(issue_id) == ["skipped"]
    assert house.issue_state(issue_id) == "finished"
    assert house.transport.sent == []


def test_who_pauses_while_a_worker_holds_their_digest_gets_it_after_the_pause(either_house: House):
    house = either_house
    _, _, ann = arrange(house)
    cable = house.release("A new energy cable")
    house.open()
    with house.runtime.session() as session:
        session.get_one(Subscriber, ann).snoozed_until = house.clock.moment.replace(year=2027)
        session.commit()

    house.drain()

    assert house.states() == ["skipped"]
    with house.runtime.session() as session:
        pauses.resume(session, session.get_one(Subscriber, ann), 10, house.clock(), "test")
        session.commit()
    house.send()
    assert house.releases_sent(ann)[-1:] == [cable]


def test_what_is_skipped_for_somebody_who_unsubscribed_waits_for_their_return(either_house: House):
    house = either_house
    energy, sea, ann = arrange(house)
    house.release("A new energy cable")
    house.open()
    unsubscribe_from_topic(house, ann, energy)
    unsubscribe_from_topic(house, ann, sea)

    house.drain()

    with house.runtime.session() as session:
        marks = session.query(Subscription.covered_to).filter_by(subscriber_id=ann, topic_id=energy).all()
    assert marks == [(0,)]


def test_narrowing_keeps_the_order_and_says_what_is_left_out():
    selection = (Section(1, WEEKLY, (10, 11)), Section(2, WEEKLY, (12,)), Section(3, DAILY, (13,)))

    keep, gone = narrow(
        selection,
        kept={2: DAILY, 3: DAILY},
        unready={12},
        others=lambda release: [3] if release == 11 else [],
    )

    assert keep == (Section(3, DAILY, (11, 13)),)
    assert gone == (Section(1, WEEKLY, (10,)), Section(2, WEEKLY, (12,)))
