"""A claimed digest is recomposed: topics that ended and releases that are held are left out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from half_sent import half_sent, send_the_rest, subjects, the_wave
from house import House, correct_release, edit_release, public_id, unsubscribe_from_topic

from newsletter.digest.archive import read_issue
from newsletter.messages.digests.recompose import Change, narrow
from newsletter.models import Delivery, Frequency, Lane, Subscriber, Subscription
from newsletter.models.rendition_key import Section
from newsletter.outbox.lease import claim, give_back, still_wanted
from newsletter.releases.editing.delete import delete_release, undo_delete
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.embargo import set_embargo
from newsletter.runtime import Runtime
from newsletter.service.sending.prepare_issues import end_all_holds
from newsletter.smtp.replies import Reply
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.choices import pauses

WEEKLY, DAILY = Frequency.WEEKLY, Frequency.DAILY


def arrange(house: House) -> tuple[int, int, int]:
    """Arrange the topics energy and sea, and a subscriber of both; return the three ids."""
    energy, sea = house.topic("energy"), house.topic("sea")
    return energy, sea, house.add_subscriber(energy, sea, name="ann")


def bodies(house: House) -> list[str]:
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
        changed={12: Change(False, 1, frozenset())},
        others=lambda release: [3] if release == 11 else [],
    )

    assert keep == (Section(3, DAILY, (11, 13)),)
    assert gone == (Section(1, WEEKLY, (10,)), Section(2, WEEKLY, (12,)))


def test_a_release_that_is_corrected_half_way_is_sent_to_the_rest_with_its_new_text(either_house: House):
    house = either_house
    _, leased = half_sent(house)

    correct_release(house, the_wave(house), "A sea storm", summary="It comes tomorrow.")

    with house.runtime.reading() as session:
        assert still_wanted(session, leased, [], "another") == set()
    send_the_rest(house, leased)
    assert house.states() == ["accepted"] * 6
    assert subjects(house) == ["A sea wave, and 1 more"] * 2 + ["A sea storm, and 1 more"] * 4
    for body in bodies(house)[2:]:
        assert "It comes tomorrow." in body
        assert "wave" not in body
    for sent in house.transport.sent[2:]:
        html = message_from_bytes(sent.content, policy=policy.SMTP).get_body(("html",)).get_content()
        assert "A sea storm" in html
        assert "wave" not in html


def test_an_email_that_was_sent_keeps_the_old_text_in_the_browser(either_house: House):
    house = either_house
    _, leased = half_sent(house)
    correct_release(house, the_wave(house), "A sea storm", summary="It comes tomorrow.")
    send_the_rest(house, leased)

    with house.runtime.reading() as session:
        shown = [
            read_issue(session, house.runtime.messages, public_id, delivery, house.clock())
            for delivery, public_id in session.query(Delivery.id, Subscriber.public_id)
            .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
            .order_by(Delivery.id)
        ]

    storms = ["A sea storm" in page for page in shown]
    assert storms == [True, True, False, False, True, True]
    assert ["A sea wave" in page for page in shown] == [not each for each in storms]


def test_a_release_that_is_corrected_twice_is_sent_with_its_last_text(either_house: House):
    house = either_house
    _, leased = half_sent(house)
    correct_release(house, the_wave(house), "A sea storm")
    wave = next(each for each in house.releases_sent(1))
    house.clock.pass_(minutes=1)
    correct_release(house, wave, "A sea gale")

    send_the_rest(house, leased)

    assert subjects(house)[2:] == ["A sea gale, and 1 more"] * 4


@pytest.mark.parametrize("action", [ReleaseAction.HOLD, ReleaseAction.EXCLUDE])
def test_a_release_that_is_held_or_excluded_half_way_leaves_the_rest(
    either_house: House, action: ReleaseAction
):
    house = either_house
    _, leased = half_sent(house)

    edit_release(house, the_wave(house), action)

    send_the_rest(house, leased)
    assert subjects(house) == ["A sea wave, and 1 more"] * 2 + ["A calm sea"] * 4
    edit_release(house, the_wave(house), ReleaseAction.READY)
    house.send()
    assert subjects(house)[6:] == ["A sea wave"] * 4


def embargo(house: House, wave: str) -> None:
    with house.runtime.session() as session:
        set_embargo(session, wave, house.clock() + timedelta(hours=3), "test", house.clock())
        session.commit()


def end_embargo(house: House, _wave: str) -> None:
    house.clock.pass_(hours=3)
    end_all_holds(house.runtime)


def delete(house: House, wave: str) -> None:
    with house.runtime.session() as session:
        delete_release(session, wave, "test", house.clock())
        session.commit()


def undo(house: House, wave: str) -> None:
    with house.runtime.session() as session:
        undo_delete(session, wave, "test", house.clock())
        session.commit()


@pytest.mark.parametrize(("act", "back"), [(embargo, end_embargo), (delete, undo)])
def test_a_release_that_is_embargoed_or_deleted_half_way_leaves_the_rest(
    either_house: House, act: Callable[[House, str], None], back: Callable[[House, str], None]
):
    house = either_house
    _, leased = half_sent(house)
    wave = public_id(house, the_wave(house))

    act(house, wave)

    send_the_rest(house, leased)
    assert subjects(house) == ["A sea wave, and 1 more"] * 2 + ["A calm sea"] * 4
    with house.runtime.reading() as session:
        sent = session.query(Delivery.id, Subscriber.public_id).join(
            Subscriber, Subscriber.id == Delivery.subscriber_id
        )
        pages = [
            read_issue(session, house.runtime.messages, whose, delivery, house.clock())
            for delivery, whose in sent
        ]
    assert [page for page in pages if "wave" in page] == []
    back(house, wave)
    house.send()
    assert subjects(house)[6:] == ["A sea wave"] * 4


def test_a_correction_reaches_every_language_of_an_issue(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    german = house.add_subscriber(house.topic("trade", "sea"), name="ben")
    with house.runtime.session() as session:
        session.get_one(Subscriber, german).language = "de"
        session.commit()
    wave = house.release("A sea wave")
    calm = house.release("A calm sea")
    house.open()

    correct_release(house, wave, "A sea storm")
    correct_release(house, calm, "A quiet sea")

    house.drain()
    assert sorted(subjects(house)) == ["A quiet sea und 1 weitere", "A quiet sea, and 1 more"]


def test_a_process_that_knows_the_issue_reads_a_correction_that_another_one_rendered(either_house: House):
    house = either_house
    sea = house.topic("sea")
    house.add_subscriber(sea, name="ann")
    house.add_subscriber(sea, name="ben")
    wave = house.release("A sea wave")
    issue_id = house.open()
    with house.runtime.session() as session:
        leased = claim(session, Lane.BULK, issue_id, "another", 1, house.clock())
        session.commit()
    house.drain()
    correct_release(house, wave, "A sea storm")
    with house.runtime.session() as session:
        give_back(session, leased, "another", house.clock())
        session.commit()
    # Another host, with caches of its own, renders the correction. The relay defers the message.
    other = House(Runtime(house.runtime.settings, now=house.clock), house.clock)
    other.transport.answer("ann@example.org", Reply(450, ("4.2.1 mailbox busy",)))
    other.drain()
    other.runtime.engine.dispose()
    assert house.states() == ["deferred", "accepted"]

    house.clock.pass_(hours=2)
    house.drain()

    assert subjects(house) == ["A sea wave", "A sea storm"]
