"""Refused addresses are judged by the relay's replies to other emails, with the real worker."""

from __future__ import annotations

import pytest
from house import House, make_house, make_settings
from memory_transport import MemoryTransport
from outbox.refused.relay_faults import FAULTS, Town, play

from newsletter.errors import StateConflict
from newsletter.models import (
    BounceVerdict,
    Delivery,
    Issue,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from newsletter.notices import NoticeKind, find_open, open_notices, words
from newsletter.outbox.drain.worker import journal_folder
from newsletter.outbox.enqueue import enqueue_single
from newsletter.outbox.journals.journal import Journal
from newsletter.outbox.lease import claim
from newsletter.outbox.record import finish
from newsletter.outbox.recover import recover
from newsletter.outbox.refused.judge import judge_all
from newsletter.outbox.refused.owner_decisions import list_refusals, questions, really_gone, send_again
from newsletter.smtp.replies import Reply

NO_SUCH_USER = Reply(550, ("5.1.1 no such user",))


def list_of(house: House, people: int, domain: str = "example.org") -> list[int]:
    """A topic, and subscribers who have received one issue."""
    topic = house.topic("energy")
    house.release("Energy at first")
    subscribers = [house.add_subscriber(topic, name=f"p{number}") for number in range(people)]
    house.release("Energy again")
    house.send()
    house.clock.pass_(days=7)
    house.release("Energy and no end")
    return subscribers


def refuse(house: House, *numbers: int) -> None:
    for number in numbers:
        house.transport.answer(f"p{number}@example.org", NO_SUCH_USER)


def verdicts(house: House) -> list[BounceVerdict]:
    return [each.verdict for each in house.all(Delivery) if each.verdict is not None]


def sweep(house: House) -> None:
    with house.runtime.session() as session:
        judge_all(session, house.runtime.messages, house.clock())
        finish(session, house.clock())
        session.commit()


def test_an_address_that_is_refused_among_acceptances_is_gone(either_house: House):
    list_of(either_house, 50)
    refuse(either_house, 25)

    issue_id = either_house.send()

    assert verdicts(either_house) == [BounceVerdict.GONE]
    (suppression,) = either_house.all(Suppression)
    assert suppression.reason is SuppressionReason.HARD_BOUNCE
    assert either_house.issue_state(issue_id) == "finished"
    either_house.release("Energy after all")
    either_house.send()
    assert either_house.recipients().count("p25@example.org") == 1
    assert either_house.recipients().count("p24@example.org") == 3


def test_a_relay_that_refuses_everybody_empties_no_list_and_pauses(either_house: House):
    list_of(either_house, 50)
    refuse(either_house, *range(50))

    issue_id = either_house.send()

    assert either_house.all(Suppression) == []
    assert either_house.issue_state(issue_id) == "paused"
    with either_house.runtime.session() as session:
        assert "say" in session.get_one(Issue, issue_id).note
        (notice,) = open_notices(session, NoticeKind.RELAY_REFUSES)
        assert "127.0.0.1:2525" in words(notice).sentence
        (question,) = questions(session)
        count = len(list_refusals(session, question))
        assert question.number == count == notice.detail["refused"] > 0
        with pytest.raises(StateConflict):
            send_again(session, notice.id, count + 1, "owner", either_house.clock())
        assert send_again(session, notice.id, count, "owner", either_house.clock()) == count
        session.commit()
    either_house.transport = MemoryTransport()
    either_house.drain()

    assert either_house.recipients() == sorted(f"p{number}@example.org" for number in range(50))
    assert either_house.issue_state(issue_id) == "finished"
    assert either_house.all(Suppression) == []
    with either_house.runtime.session() as session:
        assert find_open(session, NoticeKind.RELAY_REFUSES, "127.0.0.1:2525") is None


def test_the_owner_can_say_that_they_are_really_gone(house: House):
    list_of(house, 50)
    refuse(house, *range(10, 20))
    issue_id = house.send()
    with house.runtime.session() as session:
        (question,) = questions(session)

        new = really_gone(
            session, house.runtime.tokens, question.notice.id, question.number, "owner", house.clock()
        )
        session.commit()

    assert new == question.number > 4
    assert len(house.all(Suppression)) == new
    sweep(house)
    assert house.issue_state(issue_id) == "finished"


def test_refusals_after_an_answer_are_judged_anew(house: House):
    list_of(house, 60)
    refuse(house, *range(10, 60))
    issue_id = house.send()
    with house.runtime.session() as session:
        (first,) = questions(session)
        first_id = first.notice.id
        send_again(session, first_id, first.number, "owner", house.clock())
        session.commit()

    refuse(house, *range(10, 60))
    house.drain()

    with house.runtime.session() as session:
        (second,) = questions(session)
        assert second.notice.id != first_id
    assert house.issue_state(issue_id) == "paused"
    assert house.all(Suppression) == []


def test_an_issue_that_is_resumed_without_an_answer_can_finish(house: House):
    from newsletter.outbox import control

    list_of(house, 3)
    refuse(house, 0, 1, 2)
    issue_id = house.send()
    with house.runtime.session() as session:
        control.resume(session, session.get_one(Issue, issue_id), "owner", house.clock())
        session.commit()

    sweep(house)

    assert house.issue_state(issue_id) == "finished"
    assert house.all(Suppression) == []


def test_a_single_refused_issue_of_one_subscriber_asks_the_owner(house: House):
    list_of(house, 1)
    refuse(house, 0)

    issue_id = house.send()

    assert house.issue_state(issue_id) == "paused"
    assert house.all(Suppression) == []


def test_three_refusals_over_a_week_are_believed_on_a_small_list(house: House):
    list_of(house, 4)
    for number in range(3):
        refuse(house, 1)
        house.send()
        assert len(house.all(Suppression)) == (number == 2)
        house.clock.pass_(days=4)
        house.release(f"Energy number {number}")

    assert verdicts(house) == [BounceVerdict.WAIT, BounceVerdict.WAIT, BounceVerdict.GONE]


def test_an_acceptance_between_refusals_starts_the_count_anew(house: House):
    list_of(house, 4)
    for number in range(5):
        if number != 2:
            refuse(house, 1)
        house.send()
        house.clock.pass_(days=4)
        house.release(f"Energy number {number}")

    assert house.all(Suppression) == []


def test_an_address_that_waits_is_retried(house: House):
    from newsletter.outbox import control

    list_of(house, 4)
    refuse(house, 1)
    issue_id = house.send()
    assert verdicts(house) == [BounceVerdict.WAIT]

    with house.runtime.session() as session:
        control.retry_rejected(session, session.get_one(Issue, issue_id), "owner", house.clock())
        session.commit()
    house.drain()

    assert house.recipients().count("p1@example.org") == 2
    assert [each.bounced_at for each in house.all(Delivery)] == [None] * 8
    assert verdicts(house) == []


def test_a_domain_that_refuses_everybody_waits_and_nobody_else_does(house: House):
    town = Town(house, 400, domains=3)
    town.issue()

    issue_id = town.issue(FAULTS["wrong for one large domain"])

    with house.runtime.session() as session:
        kinds = {each.kind for each in open_notices(session)}
    assert kinds
    assert town.wrongly() == set()
    town.answer()
    town.send(issue_id, lambda *_: False)
    assert town.accepted(issue_id) == 400


def confirmations(house: House, count: int, *, start: int = 0, refused: bool = True) -> None:
    """Sign people up whose confirmation emails are refused, or accepted."""
    now = house.clock()
    with house.runtime.session() as session:
        for number in range(start, start + count):
            person = house.subscriber(f"x{number}")
            session.add(person)
            session.flush()
            waiting = house.subscription(person.id, 1)
            waiting.state = SubscriptionState.PENDING
            session.add(waiting)
            enqueue_single(
                session, subscriber_id=person.id, template="confirm", context={"upto": 0, "topics": []},
                purpose_key=f"confirm:{number}", language="en", now=now,
            )  # fmt: skip
            if refused:
                house.transport.answer(f"x{number}@example.org", NO_SUCH_USER)
        session.commit()
    house.drain("single")
    sweep(house)
    house.clock.pass_(minutes=1)


def told_of_confirmations(house: House) -> bool:
    with house.runtime.session() as session:
        return find_open(session, NoticeKind.CONFIRMATIONS_REFUSED, "") is not None


def test_refused_confirmations_stop_nothing_and_ten_in_a_row_are_told(either_house: House):
    house = either_house
    list_of(house, 20)
    issue_id = house.open()

    confirmations(house, 9)
    told = [told_of_confirmations(house)]
    confirmations(house, 1, start=9)
    told.append(told_of_confirmations(house))
    house.drain()

    assert told == [False, True]
    assert house.all(Suppression) == []
    assert house.issue_state(issue_id) == "finished"
    assert house.states(issue_id) == ["accepted"] * 20


def test_one_accepted_confirmation_ends_the_matter(house: House):
    house.topic("energy")
    confirmations(house, 9)
    confirmations(house, 1, start=9, refused=False)
    confirmations(house, 9, start=10)
    told = [told_of_confirmations(house)]
    confirmations(house, 5, start=30)
    told.append(told_of_confirmations(house))
    confirmations(house, 1, start=50, refused=False)
    told.append(told_of_confirmations(house))

    assert told == [False, True, False]
    assert house.all(Suppression) == []


def test_a_crash_suppresses_nobody_who_was_refused(house: House):
    list_of(house, 30)
    house.open()
    journal = Journal(journal_folder(house.runtime.settings))
    from newsletter.models import Lane
    from newsletter.smtp.outcomes import Fate, Outcome, Step

    with house.runtime.session() as session:
        issue_id = session.query(Issue).order_by(Issue.id.desc()).first().id
        ids = claim(session, Lane.BULK, issue_id, journal.name, 100, house.clock())
        session.commit()
    for each in ids:
        journal.start(each)
        journal.reply(each, Outcome(Fate.REPLIED, Step.RCPT, NO_SUCH_USER))
    journal.abandon()

    with house.runtime.session() as session:
        recover(session, house.runtime.messages, journal_folder(house.runtime.settings), house.clock())
    sweep(house)

    assert len(ids) == 30
    assert house.all(Suppression) == []
    assert house.issue_state(issue_id) == "paused"
    assert set(verdicts(house)) == {BounceVerdict.RELAY}


@pytest.mark.parametrize("people", [1, 3, 9, 60])
@pytest.mark.parametrize("name", [*FAULTS, "healthy"])
def test_no_fault_of_a_relay_suppresses_anybody_who_exists(tmp_path, name, people):
    house = make_house(make_settings(tmp_path))

    told = play(house, name, people)

    assert (told.wrongly_at_once, told.wrongly_later) == (0, 0)
    assert told.reached >= people - told.dead


@pytest.mark.parametrize("people", [1, 3, 9, 60])
@pytest.mark.parametrize(
    ("name", "dead"), [("wrong from the start", 0.0), ("one of four back ends wrong", 0.0), ("import", 0.2)]
)
def test_no_fault_suppresses_anybody_who_exists_on_a_list_that_is_new(tmp_path, name, dead, people):
    house = make_house(make_settings(tmp_path))

    told = play(house, name, people, known=False, dead=dead)

    assert (told.wrongly_at_once, told.wrongly_later) == (0, 0)
    assert told.reached >= people - told.dead
