"""A relay that refuses our sender, our EHLO name or our account: both lanes wait, and nobody is rejected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from house import NOON, House, make_house, make_settings
from hypothesis import given
from hypothesis import strategies as st
from smtp.relay_script import EHLO, ScriptedRelay, scripted_relay
from sqlalchemy import update

from newsletter.models import Delivery, DeliveryState, Lane
from newsletter.newsletters.edit import edit_newsletter
from newsletter.notices import open_notices, words
from newsletter.outbox.drain.worker import drain, journal_folder
from newsletter.outbox.enqueue import enqueue_notice
from newsletter.outbox.journals.journal import Journal, read_record
from newsletter.outbox.pacing.setup.wait import try_now
from newsletter.outbox.pacing.setup_refusals import LONGEST_TRY
from newsletter.outbox.pacing.standings import read_standing
from newsletter.outbox.pacing.waiting_reasons import reasons_to_wait
from newsletter.outbox.recover import recover
from newsletter.outbox.retry import next_step
from newsletter.service.relay_transport import Transports
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.refusals import SIGNS, Sign, setup_fault
from newsletter.smtp.replies import Reply

NOT_OWNED = "553 5.7.1 <b-1-x@example.org>: Sender address rejected: not owned by user letter"
SEND_AS = "554 5.2.252 SendAsDenied; a@example.org not allowed to send as b@example.org"
NAME = "504 5.5.2 <news>: Helo command rejected: need fully-qualified hostname"


@contextmanager
def house_with(folder: Path, database: str = "", **more: object) -> Iterator[tuple[House, ScriptedRelay]]:
    """A house whose relay refuses as `answers` says. The other arguments are settings."""
    answers = more.pop("answers")
    ehlo = more.pop("ehlo", EHLO)
    with scripted_relay(answers=answers, ehlo=ehlo) as relay:
        user = more.pop("user", "")
        settings = make_settings(folder, relay=f"smtp://{user}127.0.0.1:{relay.port}", **more)
        if database:
            settings = replace(settings, database_url=database)
        house = make_house(settings)
        yield house, relay
        house.runtime.engine.dispose()


def send(house: House, lane: str = "bulk") -> int:
    with closing(Transports(house.runtime.settings)) as transports:
        return drain(house.runtime, transports.to, lane=Lane(lane))


def digest_for(house: House, subscribers: int) -> int:
    energy = house.topic("energy")
    for _ in range(subscribers):
        house.add_subscriber(energy)
    house.release("A new energy cable")
    return house.open()


def single_email(house: House, name: str = "owner") -> None:
    with house.runtime.session() as session:
        enqueue_notice(
            session,
            recipient=f"{name}@example.org",
            template="notice",
            context={"title": "Hello", "sentence": "Something happened.", "remedy": "Mend it."},
            purpose_key=f"test:{name}",
            language="en",
            now=house.clock(),
        )
        session.commit()


def told(house: House) -> list[str]:
    with house.runtime.session() as session:
        found = [words(each) for each in open_notices(session)]
        return [f"{each.title}. {each.sentence} {each.remedy}" for each in found]


def reasons(house: House) -> str:
    sender, now = house.runtime.sender(1), house.clock()
    with house.runtime.session() as session:
        return " ".join(reasons_to_wait(read_standing(session, sender, now), sender, now))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("answers", "title", "setting"),
    [
        ({"MAIL": NOT_OWNED}, "a sender address", "NEWSLETTER_RETURN_PATH"),
        ({"RCPT": NOT_OWNED}, "a sender address", "NEWSLETTER_RETURN_PATH"),
        ({".": SEND_AS}, "a sender address", "NEWSLETTER_RETURN_PATH"),
        ({"RCPT": NAME}, "our name", "NEWSLETTER_EHLO_NAME"),
        ({"EHLO": NAME, "HELO": NAME}, "our name", "NEWSLETTER_EHLO_NAME"),
        ({"RCPT": "554 5.7.1 <a@b.example>: Relay access denied"}, "our account", "NEWSLETTER_RELAY"),
    ],
    ids=["MAIL", "RCPT", "DATA", "name at RCPT", "name at EHLO", "account"],
)
def test_both_lanes_wait_nothing_is_rejected_and_the_setting_that_mends_it_is_named(
    tmp_path: Path, request: pytest.FixtureRequest, database, answers, title, setting
):
    url = request.getfixturevalue("upgraded_url") if database == "postgresql" else ""
    with house_with(tmp_path, url, answers=answers) as (house, relay):
        issue_id = digest_for(house, 40)
        single_email(house)

        send(house)
        offered = len([each for each in relay.commands if each.startswith("MAIL")])
        send(house)
        send(house, "single")

        assert set(house.states()) <= {"queued", "deferred"}
        assert house.issue_state(issue_id) == "sending"
        # Nothing is offered after the drain in which the relay refused. How many were already under way
        # depends on the machine.
        assert len([each for each in relay.commands if each.startswith("MAIL")]) == offered
        (notice,) = told(house)
        assert title in notice
        assert setting in notice
        assert setting in reasons(house)

        relay.answers.clear()
        # If the relay has refused all of them, the first is due again 1 to 25 minutes later.
        house.clock.pass_(minutes=26)
        send(house)

        assert set(house.states()) == {"accepted"}
        assert house.issue_state(issue_id) == "finished"
        assert told(house) == []
        assert reasons(house) == ""


def test_the_drain_offers_nothing_after_the_first_refusal(house: House):
    issue_id = digest_for(house, 40)
    for number in range(1, 41):
        house.transport.answer(f"reader{number}@example.org", Reply(553, (NOT_OWNED[4:],)))

    house.drain()

    assert house.states(issue_id) == ["deferred"] + ["queued"] * 39


def test_one_message_is_tried_less_and_less_often(tmp_path: Path):
    with house_with(tmp_path, answers={"RCPT": NOT_OWNED}) as (house, relay):
        digest_for(house, 40)
        send(house)
        first = house.clock()
        tried = len(relay.commands)
        gaps, last = [], first

        while house.clock() - first < timedelta(minutes=50):
            house.clock.pass_(seconds=30)
            send(house)
            offers = [each for each in relay.commands[tried:] if each.startswith("MAIL")]
            tried = len(relay.commands)
            assert len(offers) <= 1
            if offers:
                gaps.append(house.clock() - last)
                last = house.clock()

        minutes = [round(gap / timedelta(minutes=1)) for gap in gaps]
        assert minutes == [1, 2, 4, 8, 15, 15]
        assert max(gaps) <= LONGEST_TRY + timedelta(seconds=30)
        assert set(house.states()) == {"queued", "deferred"}


def test_changed_settings_end_the_wait_at_once(tmp_path: Path):
    with house_with(tmp_path, answers={"RCPT": [NOT_OWNED] * 8 + ["250 2.1.5 ok"]}) as (house, relay):
        digest_for(house, 6)
        send(house)
        assert "accepted" not in house.states()
        relay.answers.clear()
        house.runtime.engine.dispose()

        mended = make_house(replace(house.runtime.settings, return_path="letter@example.org"))
        send(mended)

        assert set(mended.states()) == {"accepted"}
        assert told(mended) == []
        assert [each for each in relay.commands if each.startswith("MAIL")][-1].startswith(
            "MAIL FROM:<letter@example.org>"
        )


def test_an_edited_sender_ends_the_wait_at_once(tmp_path: Path):
    with house_with(tmp_path, answers={"RCPT": NOT_OWNED}) as (house, relay):
        digest_for(house, 3)
        send(house)
        assert "accepted" not in house.states()
        relay.answers.clear()

        with house.runtime.session() as session:
            given = {"from_address": "desk@harbour.example"}
            edit_newsletter(session, house.runtime.settings, given, actor="test", now=house.clock())
            session.commit()
        send(house)

        assert set(house.states()) == {"accepted"}
        assert told(house) == []
        mail_from = [each for each in relay.commands if each.startswith("MAIL")][-1]
        assert mail_from.partition(">")[0].endswith("@harbour.example")


def test_an_edited_sender_ends_the_wait_although_no_delivery_is_due(tmp_path: Path):
    with house_with(tmp_path, answers={"RCPT": NOT_OWNED}) as (house, relay):
        digest_for(house, 3)
        send(house)
        relay.answers.clear()
        with house.runtime.session() as session:
            # On a slow machine the relay refuses all of them before the first refusal is recorded.
            later = {"state": DeliveryState.DEFERRED, "reply_code": 553}
            session.execute(update(Delivery).values(due_at=house.clock() + timedelta(minutes=5), **later))
            given = {"from_address": "desk@harbour.example"}
            edit_newsletter(session, house.runtime.settings, given, actor="test", now=house.clock())
            session.commit()

        send(house)

        assert set(house.states()) == {"accepted"}


def test_a_check_that_succeeds_lets_one_message_be_tried_at_once(tmp_path: Path):
    with house_with(tmp_path, answers={"RCPT": NOT_OWNED}) as (house, relay):
        digest_for(house, 5)
        send(house)
        relay.answers.clear()
        assert send(house) == 0

        with house.runtime.session() as session:
            try_now(session, house.runtime.sender(1), house.clock())
            session.commit()
        send(house)

        assert set(house.states()) == {"accepted"}


def test_a_delivery_waits_for_weeks_and_then_a_greylisting_does_not_reject_it(tmp_path: Path):
    with house_with(tmp_path, answers={"RCPT": NOT_OWNED}) as (house, relay):
        single_email(house)
        for _ in range(12):
            send(house, "single")
            house.clock.pass_(days=2)
        assert house.states() == ["deferred"]

        relay.answers["RCPT"] = ["450 4.2.0 Recipient address rejected: Greylisted", "250 2.1.5 ok"]
        send(house, "single")

        assert house.states() == ["deferred"]
        house.clock.pass_(hours=1)
        send(house, "single")
        assert house.states() == ["accepted"]


def test_one_recipients_refusal_among_acceptances_holds_up_nobody_else(tmp_path: Path):
    """The relay may pass on the reply of a recipient's server, which a subscriber may own."""
    answers = {"RCPT <reader3@example.org>": NOT_OWNED}
    with house_with(tmp_path, answers=answers) as (house, _):
        issue_id = digest_for(house, 30)
        single_email(house)
        send(house, "single")  # one acceptance near the others
        send(house)

        assert house.states(issue_id).count("accepted") == 29
        assert house.states(issue_id)[2] == "deferred"
        assert told(house) == []
        house.clock.pass_(days=5)
        single_email(house, "later")
        send(house, "single")
        send(house)
        assert house.states(issue_id)[2] == "rejected"
        assert house.issue_state(issue_id) == "finished"


def offenders_far_from_others(house: House, count: int) -> int:
    """Open an issue with `count` subscribers that are always refused, whose ids are far from the others'."""
    energy = house.topic("energy")
    for number in range(30):
        house.add_subscriber(energy, name=f"p{number}")
    house.release("A new energy cable")
    issue_id = house.open()
    for number in range(count):
        house.transport.answer(f"p{number}@example.org", *[Reply(553, (NOT_OWNED[4:],))] * 50)
    with house.runtime.session() as session:
        session.execute(update(Delivery).where(Delivery.id > count).values(id=Delivery.id + 5000))
        session.commit()
    return issue_id


def test_one_recipients_refusal_on_a_long_list_begins_no_second_wait(either_house: House):
    house = either_house
    issue_id = offenders_far_from_others(house, 1)
    house.drain()
    house.clock.pass_(minutes=1)
    house.drain()
    assert house.states(issue_id).count("accepted") == 29

    for _ in range(4):
        house.clock.pass_(minutes=25)
        house.drain()
        assert told(house) == []

    house.clock.pass_(days=5)
    single_email(house)
    house.drain("single")
    house.drain()
    assert house.states(issue_id)[0] == "rejected"


def test_three_recipients_refusals_delay_the_others_once(house: House):
    issue_id = offenders_far_from_others(house, 3)
    single_email(house)
    house.drain("single")
    house.drain()
    assert len(told(house)) == 1

    house.clock.pass_(minutes=1)
    house.drain()

    assert house.states(issue_id) == ["deferred"] * 3 + ["accepted"] * 27
    assert told(house) == []


def test_the_first_refusal_of_an_old_email_rejects_nobody(house: House):
    """The relay may have begun to refuse our sender just now."""
    house.clock.pass_(days=-5)
    issue_id = digest_for(house, 5)
    house.clock.pass_(days=5)
    single_email(house)
    house.drain("single")
    for number in range(1, 6):
        house.transport.answer(f"reader{number}@example.org", Reply(553, (NOT_OWNED[4:],)))

    house.drain()

    assert set(house.states(issue_id)) <= {"deferred", "queued"}


def test_a_dead_workers_journal_decides_a_refused_sender_in_the_same_way(house: House):
    """A journal has only replies to the content, where Office 365 refuses the sender."""
    from newsletter.outbox.lease import claim

    issue_id = digest_for(house, 3)
    journal = Journal(journal_folder(house.runtime.settings))
    with house.runtime.session() as session:
        ids = claim(session, Lane.BULK, issue_id, journal.name, 10, house.clock())
        session.commit()
    refused = Outcome(Fate.REPLIED, Step.CONTENT, Reply(554, (SEND_AS[4:],)))
    for delivery_id in ids:
        journal.start(delivery_id)
        journal.reply(delivery_id, refused)
    journal.abandon()

    with house.runtime.session() as session:
        recover(session, house.runtime.messages, journal_folder(house.runtime.settings), house.clock())

    assert house.states() == ["deferred"] * 3
    house.clock.pass_(hours=1)
    house.drain()
    assert house.states() == ["accepted"] * 3


@pytest.mark.parametrize("sign", SIGNS, ids=[sign.example for sign in SIGNS])
def test_what_the_journal_keeps_of_a_refusal_is_still_that_refusal(tmp_path: Path, sign: Sign):
    code, text = int(sign.example[:3]), sign.example[4:]
    journal = Journal(tmp_path)
    said = {
        number: Outcome(Fate.REPLIED, step, Reply(code, (f"{text} {padding}",)))
        for number, (step, padding) in enumerate(
            (step, padding)
            for step in sign.steps
            for padding in ("", "x@y.example " * 30, "more words " * 60)
        )
    }
    for number, outcome in said.items():
        journal.reply(number, outcome)
    journal.abandon()

    kept = read_record(journal.path).outcomes

    assert {number: setup_fault(each) for number, each in kept.items()} == {
        number: setup_fault(each) for number, each in said.items()
    }
    assert set(map(setup_fault, kept.values())) == {sign.fault}


@given(st.integers(1, 500), st.timedeltas(timedelta(), timedelta(days=400)), st.floats(0, 1))
def test_no_age_and_no_number_of_attempts_rejects_a_delivery_for_a_refused_sender(attempt, made_ago, jitter):
    refused = Outcome(Fate.REPLIED, Step.RCPT, Reply(553, (NOT_OWNED[4:],)))

    step = next_step(
        refused,
        attempt=attempt,
        age=timedelta(days=30),
        now=NOON,
        resend_uncertain=False,
        jitter=jitter,
        made_ago=made_ago,
    )

    assert step.state is DeliveryState.DEFERRED
    assert not step.counted
    assert step.due_at is not None
    assert timedelta(minutes=1) < step.due_at - NOON <= timedelta(minutes=25)


def test_a_wait_that_comes_and_goes_is_emailed_once_an_hour(tmp_path: Path):
    with house_with(tmp_path, answers={"RCPT": NOT_OWNED}) as (house, relay):
        for number in range(4):
            digest_for_name = f"n{number}"
            relay.answers["RCPT"] = NOT_OWNED
            house.clock.pass_(minutes=16)
            single_email(house, digest_for_name)
            send(house, "single")
            relay.answers.clear()
            house.clock.pass_(minutes=3)
            send(house, "single")

        from newsletter.models import Notice

        emailed = [each.emailed_at is not None for each in house.all(Notice)]
        assert emailed == [False, True, True, True]


@pytest.mark.parametrize("answer", ["535 5.7.8 wrong", "504 5.5.4 no"])
def test_a_refused_sign_in_waits_and_does_not_pause_the_issue(tmp_path: Path, answer: str):
    ehlo = (*EHLO, "AUTH PLAIN")
    with house_with(tmp_path, answers={"AUTH": answer}, ehlo=ehlo, user="ann:secret@") as (house, relay):
        issue_id = digest_for(house, 5)
        for _ in range(30):
            send(house)
            house.clock.pass_(minutes=1)

        assert set(house.states()) == {"queued"}
        assert house.issue_state(issue_id) == "sending"
        # Six rounds. Two connections may sign in at the same time.
        assert len([each for each in relay.commands if each.startswith("AUTH")]) <= 12
        (notice,) = told(house)
        assert "our account" in notice
        assert "secret" not in notice
        relay.answers["AUTH"] = "235 2.7.0 welcome"
        house.clock.pass_(minutes=15)
        send(house)
        assert set(house.states()) == {"accepted"}
