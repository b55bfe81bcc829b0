"""Messages that cannot be built wait. They are never rejected, and their issue does not finish."""

from __future__ import annotations

from house import House
from sqlalchemy import delete, select

from newsletter.models import Delivery, Fragment, Issue, Subscriber
from newsletter.outbox import control
from newsletter.outbox.unbuildable import count_unbuildable, skip_unbuildable


def lose(house: House, issue_id: int, release: int, language: str = "en") -> Fragment:
    """Delete the fragment of a release, as a damaged database would; return it."""
    with house.runtime.session() as session:
        lost = session.get_one(Fragment, (issue_id, language, f"release:{release}"))
        session.expunge(lost)
        session.execute(delete(Fragment).where(Fragment.part == lost.part, Fragment.issue_id == issue_id))
        session.commit()
        return lost


def note_of(house: House, issue_id: int) -> str:
    with house.runtime.session() as session:
        return session.get_one(Issue, issue_id).note


def find(session, house: House, issue_id: int) -> Issue:
    return control.find_issue(session, session.get_one(Issue, issue_id).public_id)


def test_one_message_that_cannot_be_made_waits_alone_however_long(either_house: House):
    house = either_house
    energy, sea = house.topic("energy"), house.topic("sea")
    house.add_subscriber(energy, name="ann")
    house.add_subscriber(sea, name="ben")
    cable = house.release("A new energy cable")
    house.release("A sea wave")
    issue_id = house.open()
    lose(house, issue_id, cable)

    for _ in range(3):
        house.drain()
        house.clock.pass_(days=3)

    assert house.states(issue_id) == ["deferred", "accepted"]
    assert house.issue_state(issue_id) == "sending"
    with house.runtime.session() as session:
        assert count_unbuildable(session) == 1


def test_it_is_sent_once_it_can_be_made(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("energy"), name="ann")
    house.add_subscriber(house.topic("sea"), name="ben")
    cable = house.release("A new energy cable")
    house.release("A sea wave")
    issue_id = house.open()
    lost = lose(house, issue_id, cable)
    house.drain()
    with house.runtime.session() as session:
        session.merge(lost)
        session.commit()
    house.clock.pass_(hours=12)

    house.drain()

    assert house.states(issue_id) == ["accepted", "accepted"]
    assert house.issue_state(issue_id) == "finished"
    with house.runtime.session() as session:
        assert count_unbuildable(session) == 0


def test_an_issue_of_which_nothing_can_be_made_pauses_and_names_the_fault(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    issue_id = house.open()
    lose(house, issue_id, cable)

    house.drain()

    assert house.issue_state(issue_id) == "paused"
    assert "in English" in note_of(house, issue_id)
    assert f"release:{cable}" in note_of(house, issue_id)


def test_the_owner_skips_them_and_their_releases_come_with_the_next_issue(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    issue_id = house.open()
    lose(house, issue_id, cable)
    house.drain()

    with house.runtime.session() as session:
        issue = find(session, house, issue_id)
        assert skip_unbuildable(session, issue, "test", house.clock()) == 1
        control.resume(session, issue, "test", house.clock())
        session.commit()
    house.drain()
    house.send()

    assert house.issue_state(issue_id) == "finished"
    assert house.releases_sent(ann)[-1:] == [cable]
    assert len(house.transport.sent) == 1


def test_a_language_of_which_nothing_can_be_made_pauses_the_issue(house: House):
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    house.add_subscriber(house.topic("sea"), name="ben")
    house.release("A sea wave")
    cable = house.release("A new energy cable")
    with house.runtime.session() as session:
        session.get_one(Subscriber, ann).language = "de"
        session.commit()
    issue_id = house.open()
    lose(house, issue_id, cable)

    house.drain()

    assert house.states(issue_id) == ["deferred", "accepted"]
    assert "in German" in note_of(house, issue_id)


def test_a_single_email_that_cannot_be_made_waits(house: House):
    from newsletter.outbox.enqueue import enqueue_single

    ann = house.add_subscriber(house.topic("energy"), name="ann")
    with house.runtime.session() as session:
        enqueue_single(
            session, subscriber_id=ann, template="no-such-template", context={}, purpose_key="x",
            language="en", now=house.clock(),
        )  # fmt: skip
        session.commit()

    for _ in range(3):
        house.drain("single")
        house.clock.pass_(days=3)

    assert house.states() == ["deferred"]
    with house.runtime.session() as session:
        assert session.scalars(select(Delivery.build_failed_at)).one() is not None
