"""Urgent issues: one release at once for everybody under its topics, and once for each person."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from half_sent import half_sent, the_wave
from house import House, correct_release, edit_release, public_id

from newsletter.digest.urgent import UrgentPreparer, UrgentReach, count_urgent, marked_releases
from newsletter.errors import StateConflict
from newsletter.models import Delivery, Frequency, Issue, Notice, Release, ReleaseState, Subscriber
from newsletter.outbox import control
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.embargo import set_embargo
from newsletter.releases.editing.urgent import mark_urgent
from newsletter.service.sending.prepare_issues import end_all_holds, prepare_issues
from newsletter.smtp.replies import Reply

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def mark(house: House, release: int) -> None:
    with house.runtime.session() as session:
        mark_urgent(session, public_id(house, release), 0, "ed@example.org", house.clock())
        session.commit()


def send_urgent(house: House) -> None:
    prepare_issues(house.runtime, lambda: False)
    house.drain()


def subjects(house: House) -> list[tuple[str, str]]:
    sent = [message_from_bytes(each.content, policy=policy.SMTP) for each in house.transport.sent]
    return [(each["To"].partition("@")[0], each["Subject"]) for each in sent]


def test_everybody_gets_it_at_once_and_the_next_issue_leaves_it_out(either_house: House):
    house = either_house
    sea = house.topic("sea")
    house.add_subscriber(sea, name="ann", frequency=DAILY)
    house.add_subscriber(sea, name="ben", frequency=WEEKLY)
    house.release("A calm sea")
    house.clock.pass_(hours=1)
    wave = house.release("A sea wave")

    mark(house, wave)
    send_urgent(house)
    assert sorted(subjects(house)) == [("ann", "Urgent: A sea wave"), ("ben", "Urgent: A sea wave")]
    house.send(DAILY, WEEKLY)

    assert sorted(subjects(house)[2:]) == [("ann", "A calm sea"), ("ben", "A calm sea")]


def test_deliveries_that_are_not_leased_give_it_up_to_the_urgent_one(either_house: House):
    house = either_house
    half_sent(house)  # two have it, two are being sent it, two have it in an email that waits
    wave = the_wave(house)
    with house.runtime.reading() as session:
        counted = count_urgent(session, session.get_one(Release, wave))
    assert counted == UrgentReach(would_get=2, waiting=2, have=4, away=0)

    mark(house, wave)
    send_urgent(house)
    assert [each for each in subjects(house) if "Urgent" in each[1]] == [
        ("jon", "Urgent: A sea wave"),
        ("kim", "Urgent: A sea wave"),
    ]
    house.clock.pass_(hours=2)
    house.drain()

    assert subjects(house)[-2:] == [("jon", "A calm sea"), ("kim", "A calm sea")]


def test_a_waiting_delivery_with_nothing_else_is_skipped(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    wave = house.release("A sea wave")
    issue_id = house.open()

    mark(house, wave)
    send_urgent(house)

    assert house.states(issue_id) == ["skipped"]
    assert subjects(house) == [("ann", "Urgent: A sea wave")]
    with pytest.raises(StateConflict, match="No release waits"):
        house.send()


def test_the_next_issue_brings_what_the_urgent_one_could_not(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    wave = house.release("A sea wave")
    house.transport.answer("ann@example.org", Reply(550, ("5.7.1 not today",)))
    mark(house, wave)
    send_urgent(house)

    house.send()

    assert subjects(house) == [("ann", "A sea wave")]


def test_cancelling_brings_it_with_the_next_issue_and_it_cannot_be_dropped(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    wave = house.release("A sea wave")
    mark(house, wave)
    prepare_issues(house.runtime, lambda: False)
    with house.runtime.session() as session:
        issue = session.query(Issue).one()
        with pytest.raises(StateConflict, match="cannot be dropped"):
            control.cancel(session, issue, "test", house.clock(), drop=True)
        control.cancel(session, issue, "test", house.clock())
        session.commit()

    house.send()

    assert subjects(house) == [("ann", "A sea wave")]


def test_who_pauses_left_or_wants_another_language_does_not_get_it(either_house: House):
    house = either_house
    sea, port = house.topic("sea"), house.topic("port")
    for name in ("ann", "ben", "eva"):
        house.add_subscriber(sea, name=name)
    house.add_subscriber(port, name="ida")
    wave = house.release("A sea wave")
    with house.runtime.session() as session:
        people = {each.email: each for each in session.query(Subscriber)}
        people["ben@example.org"].snoozed_until = house.clock().replace(year=2030)
        people["eva@example.org"].release_languages = "de"
        session.commit()
    with house.runtime.reading() as session:
        counted = count_urgent(session, session.get_one(Release, wave))
    assert counted == UrgentReach(would_get=1, waiting=0, have=0, away=1)

    mark(house, wave)
    send_urgent(house)

    assert subjects(house) == [("ann", "Urgent: A sea wave")]


def test_the_mark_waits_for_the_end_of_an_embargo(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    wave = house.release("A sea wave")
    with house.runtime.session() as session:
        until = house.clock() + timedelta(days=2)
        set_embargo(session, public_id(house, wave), until, "test", house.clock())
        session.commit()
    mark(house, wave)
    send_urgent(house)
    assert subjects(house) == []

    house.clock.pass_(days=2)
    end_all_holds(house.runtime)
    send_urgent(house)

    assert subjects(house) == [("ann", "Urgent: A sea wave")]


def test_a_release_that_becomes_ready_too_late_is_asked_about(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    wave = house.release("A sea wave", state=ReleaseState.HELD)
    mark(house, wave)
    house.clock.pass_(hours=30)
    edit_release(house, wave, ReleaseAction.READY)

    send_urgent(house)
    assert subjects(house) == []
    (notice,) = house.all(Notice)
    assert (notice.kind, notice.detail["hours"], notice.settled_at) == ("urgent_asks", 30, None)
    mark(house, wave)
    send_urgent(house)

    assert subjects(house) == [("ann", "Urgent: A sea wave")]
    assert house.all(Notice)[0].settled_at is not None


def test_a_person_gets_one_urgent_email_also_from_two_newsletters(either_house: House):
    house = either_house
    sea = house.topic("sea")
    port = house.topic("port", "sea", newsletter=house.newsletter("harbour"))
    house.add_subscriber(sea, port, name="ann")
    house.add_subscriber(port, name="ben")
    wave = house.release("A sea wave")

    mark(house, wave)
    send_urgent(house)

    assert sorted(subjects(house)) == [("ann", "Urgent: A sea wave"), ("ben", "Urgent: A sea wave")]
    # An issue of the other newsletter is complete by itself.
    house.send(newsletter=2)
    assert subjects(house)[2:] == [("ann", "A sea wave")]


def test_a_correction_is_sent_with_its_new_text_and_an_excluded_release_not_at_all(either_house: House):
    house = either_house
    sea = house.topic("sea")
    house.add_subscriber(sea, name="ann")
    wave, calm = house.release("A sea wave"), house.release("A calm sea")
    mark(house, wave)
    mark(house, calm)
    prepare_issues(house.runtime, lambda: False)

    correct_release(house, wave, "A sea storm")
    edit_release(house, calm, ReleaseAction.EXCLUDE)

    house.drain()
    assert subjects(house) == [("ann", "Urgent: A sea storm")]


def test_an_urgent_issue_is_sent_before_an_older_one(house: House):
    sea = house.topic("sea")
    for name in ("ann", "ben"):
        house.add_subscriber(sea, name=name)
    house.release("A calm sea")
    house.open()
    house.clock.pass_(hours=1)
    mark(house, house.release("A sea wave"))

    send_urgent(house)

    assert [subject for _, subject in subjects(house)] == ["Urgent: A sea wave"] * 2 + ["A calm sea"] * 2


def test_a_preparer_that_died_continues_after_its_last_chunk(either_house: House):
    house = either_house
    sea = house.topic("sea")
    for name in ("ann", "ben", "eva"):
        house.add_subscriber(sea, name=name)
    wave = house.release("A sea wave")
    mark(house, wave)
    from newsletter.digest.urgent import open_urgent

    with house.runtime.session() as session:
        (issue,) = open_urgent(session, house.runtime.renderer, wave, house.clock())
        issue_id = issue.id
        session.commit()
    with house.runtime.session() as session:
        UrgentPreparer(house.runtime.renderer, issue_id, chunk=1).step(session, house.clock())
        session.commit()

    send_urgent(house)

    with house.runtime.reading() as session:
        assert session.query(Delivery).count() == 3
        assert marked_releases(session) == []
    assert len(subjects(house)) == 3
