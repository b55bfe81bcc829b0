"""The owner is asked about refusals that may be wrong, and the answer is kept."""

from __future__ import annotations

import pytest
from house import House, meanwhile
from outbox.refused.test_judge import list_of, refuse, sweep, verdicts
from sqlalchemy import func, insert, select, update

from newsletter.models import BounceVerdict, Delivery, Issue, IssueState, Notice, Subscriber, Suppression
from newsletter.notices import NoticeKind, open_notices, words
from newsletter.outbox import control
from newsletter.outbox.refused import judge as judging
from newsletter.outbox.refused.ask_owner import ask_about_domain
from newsletter.outbox.refused.held_domains import HELD_FOR, RELEASED
from newsletter.outbox.refused.judge import judge_all, judge_bounces, pause_if_wrong
from newsletter.outbox.refused.notices import tell_about_domain
from newsletter.outbox.refused.outcome_keys import domain_number, relay_number
from newsletter.outbox.refused.owner_decisions import Question, questions, really_gone, send_again
from newsletter.smtp.replies import Reply

FULL = Reply(552, ("5.2.2 the mailbox p0@example.org is full",))


def asked(house: House) -> Question:
    with house.runtime.session() as session:
        (only,) = questions(session)
        return only


def answer(house: House, *, again: bool) -> int:
    question, now = asked(house), house.clock()
    with house.runtime.session() as session:
        if again:
            done = send_again(session, question.notice.id, question.number, "owner", now)
        else:
            tokens = house.runtime.tokens
            done = really_gone(session, tokens, question.notice.id, question.number, "owner", now)
        session.commit()
    sweep(house)
    return done


@pytest.mark.parametrize("people", [1, 4, 30])
def test_an_issue_whose_every_email_is_refused_for_any_reason_pauses_and_asks(house: House, people: int):
    list_of(house, people)
    for number in range(people):
        house.transport.answer(f"p{number}@example.org", FULL)

    issue_id = house.send()

    assert house.issue_state(issue_id) == "paused"
    question = asked(house)
    assert question.number == people
    assert question.notice.kind == NoticeKind.ISSUE_REFUSED.key
    assert "552 5.2.2" in words(question.notice).sentence
    assert "p0@" not in words(question.notice).sentence
    sweep(house)
    assert house.issue_state(issue_id) == "paused"


def test_an_issue_that_reached_nobody_finishes_after_the_owner_says_that_this_is_final(either_house: House):
    house = either_house
    list_of(house, 3)
    refuse(house, 0)
    for number in (1, 2):
        house.transport.answer(f"p{number}@example.org", FULL)
    issue_id = house.send()

    assert answer(house, again=False) == 1

    assert house.issue_state(issue_id) == "finished"
    assert len(house.all(Suppression)) == 1
    assert sorted(verdicts(house)) == [BounceVerdict.FINAL, BounceVerdict.FINAL, BounceVerdict.GONE]


def test_an_issue_that_reached_nobody_is_sent_again(either_house: House):
    house = either_house
    list_of(house, 3)
    for number in range(3):
        house.transport.answer(f"p{number}@example.org", FULL)
    issue_id = house.send()

    assert answer(house, again=True) == 3
    house.drain()

    assert house.issue_state(issue_id) == "finished"
    assert house.states(issue_id) == ["accepted"] * 3


def test_finishing_alone_never_ends_an_issue_that_reached_nobody(house: House):
    from newsletter.outbox.record import finish

    list_of(house, 1)
    house.transport.answer("p0@example.org", FULL)
    issue_id = house.send()
    with house.runtime.session() as session:
        session.execute(update(Issue).where(Issue.id == issue_id).values(state=IssueState.SENDING))
        session.execute(update(Delivery).values(verdict=None))
        session.commit()

        assert finish(session, house.clock()) == []


def test_a_one_person_issue_whose_mailbox_is_gone_pauses_no_other(house: House):
    people = list_of(house, 30)
    other = house.open()
    lonely = house.topic("harbour")
    with house.runtime.session() as session:
        session.add(house.subscription(people[0], lonely))
        session.commit()
    house.release("Harbour opens")
    alone = house.open()
    with house.runtime.session() as session:
        first = session.query(Delivery).filter_by(issue_id=alone).one()
        first.state, first.verdict, first.bounced_at = "rejected", BounceVerdict.UNJUDGED, house.clock()
        first.settled_at, first.reply_code, first.reply_text = house.clock(), 550, "5.1.1 no such user"
        first.relay_key = relay_number(house.runtime.settings.relay.key)
        first.answered_microseconds = 1
        session.commit()

    sweep(house)

    assert house.issue_state(alone) == "paused"
    assert house.issue_state(other) == "sending"
    assert asked(house).notice.detail["issues"] == [asked(house).notice.subject]


def test_refusals_that_the_owner_disbelieves_never_count_again(house: House):
    """This holds too for a cancelled issue, which is not sent again."""
    list_of(house, 10)
    for week in range(2):
        refuse(house, *range(10))
        issue_id = house.send()
        with house.runtime.session() as session:
            control.cancel(session, session.get_one(Issue, issue_id), "owner", house.clock())
            session.commit()
        assert answer(house, again=True) == 0
        house.clock.pass_(days=5)
        house.release(f"Energy number {week}")
    refuse(house, 7)

    house.send()

    assert verdicts(house) == [BounceVerdict.WAIT]
    assert all(each.bounced_at is None for each in house.all(Delivery) if each.verdict is None)


def test_an_answer_leaves_an_issue_paused_that_somebody_paused_since(house: House):
    list_of(house, 30)
    refuse(house, *range(30))
    issue_id = house.send()
    with house.runtime.session() as session:
        issue = session.get_one(Issue, issue_id)
        control.resume(session, issue, "owner", house.clock())
        control.pause(session, issue, "editor", house.clock())
        session.commit()

    answer(house, again=True)

    assert house.issue_state(issue_id) == "paused"


def test_a_domain_is_named_by_what_was_refused_though_its_people_moved(house: House):
    list_of(house, 3)
    issue_id = house.send()
    tokens, now = house.runtime.tokens, house.clock()
    domain = domain_number(tokens, "p1@example.org")
    relay = relay_number(house.runtime.settings.relay.key)
    with house.runtime.session() as session:
        unjudged = {"state": "rejected", "verdict": BounceVerdict.UNJUDGED, "bounced_at": now}
        session.execute(update(Delivery).where(Delivery.issue_id == issue_id).values(**unjudged))
        # The deliveries of people who moved have the latest replies, so they are read first.
        session.execute(update(Delivery).values(answered_microseconds=100 - Delivery.subscriber_id))
        for moved in (1, 2):
            person = session.get_one(Subscriber, moved)
            person.email = person.email_key = f"p{moved}@large.example"
        session.flush()

        assert domain is not None
        assert ask_about_domain(session, house.runtime.messages, relay, domain, now) == 3
        assert [each.subject for each in open_notices(session)] == ["example.org"]

        session.execute(update(Subscriber).values(email_key=Subscriber.public_id + "@large.example"))
        assert ask_about_domain(session, house.runtime.messages, relay, domain, now) == 0


def test_one_call_judges_no_more_than_its_bound_and_says_that_there_is_more(house: House):
    people = 2 * judging.AT_ONCE + 11
    topic = house.topic("energy")
    with house.runtime.session() as session:
        made = [house.subscriber(f"p{number}") for number in range(people)]
        session.add_all(made)
        session.flush()
        session.add_all([house.subscription(each.id, topic) for each in made])
        session.commit()
    house.release("Energy")
    house.open()
    relay = relay_number(house.runtime.settings.relay.key)
    with house.runtime.session() as session:
        # One was accepted. The others accepted a later email, so their refusals are not believed.
        values = {"state": "rejected", "verdict": BounceVerdict.UNJUDGED, "relay_key": relay}
        session.execute(
            update(Delivery).values(**values, bounced_at=house.clock(), answered_microseconds=Delivery.id)
        )
        accepted = {"state": "accepted", "verdict": None, "bounced_at": None}
        session.execute(update(Delivery).where(Delivery.id == 1).values(**accepted))
        session.commit()
    house.release("Energy again")
    later = house.open()
    with house.runtime.session() as session:
        session.execute(update(Delivery).where(Delivery.issue_id == later).values(state="accepted"))
        session.commit()
        first = judge_bounces(session, house.runtime.messages, house.clock())
        session.commit()

        assert (first.wait, first.more) == (judging.AT_ONCE, True)
        waiting = select(func.count()).where(Delivery.verdict == BounceVerdict.WAIT)
        judge_all(session, house.runtime.messages, house.clock(), ending=lambda: True)
        assert session.scalar(waiting) == 2 * judging.AT_ONCE
        judge_all(session, house.runtime.messages, house.clock())
        assert session.scalar(waiting) == people - 1


def test_a_worker_does_not_wait_for_another_process_that_judges(big_house: House):
    house = big_house
    relay = relay_number(house.runtime.settings.relay.key)
    with house.runtime.session() as judge, house.runtime.session() as worker:
        judge.execute(select(func.pg_advisory_xact_lock(relay)))

        assert pause_if_wrong(worker, house.runtime.messages, relay, house.clock()) is False


def test_an_answer_and_a_new_question_about_a_relay_do_not_wait_for_each_other(big_house: House):
    house = big_house
    list_of(house, 30)
    refuse(house, *range(30))
    issue_id = house.send()
    question = asked(house)
    with house.runtime.session() as session:
        control.resume(session, session.get_one(Issue, issue_id), "owner", house.clock())
        session.commit()
    with house.runtime.session() as judge:
        # A question begins by locking the issues.
        judge.execute(select(Issue.id).with_for_update(key_share=True))

        def give_answer() -> None:
            with house.runtime.session() as session:
                send_again(session, question.notice.id, question.number, "owner", house.clock())
                session.commit()

        with meanwhile(house, give_answer):
            # Then it needs the notice, so the answer must not hold that yet.
            judge.execute(update(Notice).values(seen_at=house.clock()))
            judge.commit()

    assert "rejected" not in house.states(issue_id)


def test_emails_to_a_held_domain_wait_for_about_a_day_or_for_the_answer(either_house: House):
    house = either_house
    list_of(house, 30)
    issue_id = house.open()
    number = domain_number(house.runtime.tokens, "p1@example.org")
    with house.runtime.session() as session:
        tell_about_domain(session, "example.org", number or 0, house.clock())
        session.commit()

    house.drain()

    waits = {each.due_at - house.clock() for each in house.all(Delivery) if each.issue_id == issue_id}
    assert len(waits) > 20
    assert all(HELD_FOR / 2 <= each <= 1.5 * HELD_FOR for each in waits)
    house.clock.pass_(hours=1)
    assert house.drain() == 0

    answer(house, again=True)
    house.drain()

    assert house.states(issue_id) == ["accepted"] * 30


def test_more_held_emails_than_one_answer_releases_are_released_by_the_sweep(house: House):
    topic = house.topic("energy")
    house.add_subscriber(topic)
    house.release("Energy")
    held = {"lane": "bulk", "issue_id": house.open(), "state": "queued", "created_at": house.clock(),
            "due_at": house.clock() + HELD_FOR, "domain_key": 7, "language": "en", "attempt": 0}  # fmt: skip
    with house.runtime.session() as session:
        tell_about_domain(session, "example.org", 7, house.clock())
        session.execute(insert(Delivery), [held] * (RELEASED + 5))
        session.commit()
    due = select(func.count()).where(Delivery.due_at <= house.clock(), Delivery.rendition_id.is_(None))
    question = asked(house)

    with house.runtime.session() as session:
        send_again(session, question.notice.id, 0, "owner", house.clock())
        session.commit()
        assert session.scalar(due) == RELEASED

    sweep(house)
    with house.runtime.session() as session:
        assert session.scalar(due) == RELEASED + 5
