"""Retention: what is deleted after its time, what stays, and that no email is lost or sent twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from newsletter.digest.archive import read_issue
from newsletter.errors import NotFound, StateConflict
from newsletter.models import (
    AddressChange,
    AddressMark,
    ConsentEntry,
    Delivery,
    DeliveryState,
    Fragment,
    Frequency,
    Issue,
    Lane,
    MarkKind,
    Rendition,
    ReportOutcome,
    ReturnedMail,
    SignupRequest,
    Subscriber,
    Suppression,
)
from newsletter.outbox.control import retry_rejected
from newsletter.outbox.lease import claim, still_wanted
from newsletter.subscribers.address_marks import mark_address
from newsletter.subscribers.link import LinkFault
from newsletter.suppression import suppression_hash

ANN, BOB = "ann@example.org", "bob@example.org"
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


def send_singles(people):
    people.house.drain("single")


def test_an_unconfirmed_request_ends_and_the_address_is_emptied(cleaner_everywhere):
    cleaner = cleaner_everywhere
    people = cleaner.people
    people.house.topic("energy")
    people.ask(ANN, {"energy": DAILY}, ip_address="192.0.2.0")
    people.resolve()
    send_singles(people)
    token = people.confirmation(ANN)

    people.house.clock.pass_(days=13)
    assert cleaner.clean() == {}
    people.house.clock.pass_(days=2)
    assert cleaner.count() == {"unconfirmed": 1}
    assert cleaner.clean() == {"unconfirmed": 1}

    (person,) = people.house.all(Subscriber)
    assert (person.email, person.email_key) == (None, None)
    entries = people.house.all(ConsentEntry)
    assert [(each.act.value, each.ip_address) for each in entries] == [("asked", None), ("expired", None)]
    assert people.house.all(AddressMark) == []
    assert people.confirm(token) is LinkFault.EXPIRED
    assert cleaner.clean() == {}


def test_a_person_whose_request_expired_can_sign_up_again(cleaner):
    people = cleaner.people
    energy = people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    send_singles(people)
    people.house.clock.pass_(days=15)
    cleaner.clean()

    people.join(ANN, {"energy": WEEKLY})

    assert people.reads(ANN) == {energy: WEEKLY}
    assert people.acts(ANN) == ["asked", "confirmed"]


def test_a_request_waits_as_long_as_a_link_for_it_works(cleaner):
    people = cleaner.people
    energy = people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    send_singles(people)
    people.house.clock.pass_(days=12)
    people.sign_up(ANN, {"energy": DAILY})
    send_singles(people)
    people.house.clock.pass_(days=6)

    assert cleaner.clean() == {}
    people.confirm(people.confirmation(ANN))
    assert people.reads(ANN) == {energy: DAILY}


def test_an_unconfirmed_request_of_a_subscriber_ends_and_the_subscriber_stays(cleaner):
    people = cleaner.people
    energy = people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": DAILY})
    people.house.clock.pass_(hours=1)
    people.sign_up(ANN, {"sea": DAILY})
    send_singles(people)
    people.house.clock.pass_(days=15)

    assert cleaner.clean() == {"unconfirmed": 1}

    assert people.reads(ANN) == {energy: DAILY}
    assert people.endings(ANN) == ["expired"]
    assert people.acts(ANN)[-1] == "expired"


def test_an_old_unsubscribed_address_is_emptied_and_imports_skip_it(cleaner_everywhere):
    cleaner = cleaner_everywhere
    people = cleaner.people
    energy = people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    people.join(BOB, {"energy": DAILY})
    send_singles(people)
    people.house.clock.pass_(days=400)
    people.leave(ANN)

    people.house.clock.pass_(days=364)
    assert "left" not in cleaner.clean()
    people.house.clock.pass_(days=2)
    assert cleaner.clean()["left"] == 1

    emails = [each.email for each in people.house.all(Subscriber)]
    assert emails == [None, BOB]
    marks = [(each.kind, each.address_hash) for each in people.house.all(AddressMark)]
    assert marks == [(MarkKind.LEFT, suppression_hash(people.house.runtime.tokens, ANN))]
    assert people.house.all(Suppression) == []
    people.join(ANN, {"energy": WEEKLY})  # They can sign up again themselves.
    assert people.reads(ANN) == {energy: WEEKLY}
    assert people.house.all(AddressMark) == []


def test_a_person_who_returns_in_time_is_kept(cleaner):
    people = cleaner.people
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    people.leave(ANN)
    people.house.clock.pass_(days=364)
    people.join(ANN, {"energy": DAILY})
    people.house.clock.pass_(days=364)

    assert "left" not in cleaner.clean()


def test_zero_days_keep_everything(cleaner):
    people = cleaner.people
    people.house.topic("energy")
    people.house.release("Energy first")
    people.ask(ANN, {"energy": WEEKLY}, ip_address="192.0.2.0")
    people.resolve()
    people.confirm(people.confirmation(ANN), welcome_releases=1)
    send_singles(people)
    people.house.send(WEEKLY)
    people.leave(ANN)
    people.house.clock.pass_(days=5000)

    assert cleaner.clean(mail_days=0, issue_days=0, ip_days=0, left_days=0) == {}


def test_an_old_email_loses_its_contents_and_keeps_its_row(cleaner_everywhere):
    cleaner = cleaner_everywhere
    people = cleaner.people
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    send_singles(people)
    people.confirm(people.confirmation(ANN), welcome_mail=True)
    send_singles(people)
    people.house.clock.pass_(days=31)

    gone = cleaner.clean()

    assert gone["mails"] == 2
    for mail in people.mails(ANN):
        assert (mail.context, mail.recipient, mail.reply_text) == (None, None, None)
        assert (mail.state, mail.reply_code) == (DeliveryState.ACCEPTED, 250)
    assert people.templates(ANN) == ["confirm", "welcome"]
    assert cleaner.clean() == {}


def test_a_waiting_email_keeps_its_contents(cleaner):
    people = cleaner.people
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY}, welcome_mail=True)
    people.house.clock.pass_(days=31)

    assert "mails" not in cleaner.clean()
    send_singles(people)
    assert people.house.recipients() == [ANN]


def test_an_old_issue_is_kept_but_no_longer_viewable(cleaner_everywhere):
    cleaner = cleaner_everywhere
    people = cleaner.people
    house = people.house
    house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    first = house.release("Energy first")
    issue_id = house.send(WEEKLY)
    finish(house, issue_id)
    (mail,) = [each for each in people.mails(ANN) if each.issue_id]
    house.clock.pass_(days=366)

    gone = cleaner.clean()

    assert (gone["issues"], gone["replies"]) == (1, 1)
    assert house.all(Fragment) == []
    assert len(house.all(Rendition)) == 1
    assert house.releases_sent(people.person(ANN).id) == [first]
    with house.runtime.reading() as session:
        person = people.person(ANN).public_id
        with pytest.raises(NotFound):
            read_issue(session, house.runtime.messages, person, mail.id, house.clock())
    with house.runtime.session() as session, pytest.raises(StateConflict):
        retry_rejected(session, session.get_one(Issue, issue_id), "test", house.clock())
    assert cleaner.clean() == {}


def test_releases_of_an_emptied_issue_are_not_sent_again(cleaner):
    people = cleaner.people
    house = people.house
    house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    first = house.release("Energy first")
    finish(house, house.send(WEEKLY))
    house.clock.pass_(days=366)
    cleaner.clean()
    second = house.release("Energy second")
    house.clock.pass_(hours=1)
    people.choose(ANN, {"energy": DAILY})
    house.clock.pass_(hours=1)

    house.send(DAILY)

    assert house.releases_sent(people.person(ANN).id) == [first, second]


def test_an_issue_that_is_being_sent_is_kept_however_old(cleaner):
    people = cleaner.people
    house = people.house
    house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    house.release("Energy first")
    house.open(WEEKLY)
    house.clock.pass_(days=800)

    assert {"issues", "replies"}.isdisjoint(cleaner.clean())
    house.drain()
    assert house.recipients() == [ANN]


def test_old_reports_that_changed_nothing_are_deleted_and_others_lose_their_message(cleaner_everywhere):
    cleaner = cleaner_everywhere
    house = cleaner.people.house
    with house.runtime.session() as session:
        for days in (31, 29):
            for outcome in ReportOutcome:
                session.add(
                    ReturnedMail(
                        digest=f"{days} {outcome}", received_at=house.clock() - timedelta(days=days),
                        outcome=outcome, words="said", raw=b"message",
                    )
                )  # fmt: skip
        session.commit()

    gone = cleaner.clean()

    followed = {"hard", "soft", "policy", "complaint", "autoreply", "check"}
    assert gone == {"idle-reports": len(ReportOutcome) - len(followed), "reports": len(followed)}
    kept = {each.digest: each.raw for each in house.all(ReturnedMail)}
    assert kept == {
        **{f"31 {each}": None for each in followed},
        **{f"29 {each}": b"message" for each in ReportOutcome},
    }


def test_resolved_forms_and_settled_changes_are_deleted_and_no_id_is_reused(cleaner):
    people = cleaner.people
    people.house.topic("energy")
    for _ in range(3):
        people.sign_up(ANN, {"energy": DAILY})
        people.house.clock.pass_(hours=1)
    ann = people.person(ANN).id
    with people.house.runtime.session() as session:
        for _ in range(2):
            session.add(
                AddressChange(
                    subscriber_id=ann, created_at=people.house.clock(), settled_at=people.house.clock()
                )
            )
        session.commit()
    before = [each.purpose_key for each in people.mails(ANN)]
    people.house.clock.pass_(days=31)
    people.ask(BOB, {"energy": DAILY})

    gone = cleaner.clean(pending_days=90)

    assert (gone["forms"], gone["moves"]) == (3, 1)
    assert [each.email for each in people.house.all(SignupRequest)] == [BOB]
    people.resolve()
    people.house.clock.pass_(days=31)
    cleaner.clean(pending_days=90)
    people.sign_up(ANN, {"energy": DAILY})
    assert len(people.mails(ANN)) == len(before) + 1


def test_ip_addresses_are_removed_and_the_ledger_stays(cleaner_everywhere):
    cleaner = cleaner_everywhere
    people = cleaner.people
    people.house.topic("energy")
    people.ask(ANN, {"energy": DAILY}, ip_address="192.0.2.0")
    people.resolve()
    people.confirm(people.confirmation(ANN), ip_address="192.0.2.0")
    people.house.clock.pass_(days=366)
    before = [(each.act, each.digest) for each in people.ledger(ANN)]

    assert cleaner.clean()["ips"] == 2

    assert [each.ip_address for each in people.ledger(ANN)] == [None, None]
    assert [(each.act, each.digest) for each in people.ledger(ANN)] == before


def test_a_mark_of_a_disowned_address_is_deleted_after_its_time(cleaner):
    people = cleaner.people
    ann = people.house.add_subscriber(name="ann")
    with people.house.runtime.session() as session:
        for kind in MarkKind:
            mark_address(session, people.house.runtime.tokens, ANN, kind, ann, people.house.clock())
        session.commit()
    people.house.clock.pass_(days=91)

    assert cleaner.clean()["disowned"] == 1
    assert [each.kind for each in people.house.all(AddressMark)] == [MarkKind.LEFT]


def test_counting_changes_nothing(cleaner):
    people = cleaner.people
    people.house.topic("energy")
    people.ask(ANN, {"energy": DAILY}, ip_address="192.0.2.0")
    people.resolve()
    people.house.clock.pass_(days=3000)

    first = cleaner.count()

    assert first
    assert cleaner.count() == first
    assert people.person(ANN).email == ANN


def test_many_rows_are_deleted_in_small_transactions(cleaner):
    people = cleaner.people
    people.house.topic("energy")
    for number in range(70):
        people.ask(f"reader@place{number}.example", {"energy": DAILY})
    people.resolve()
    people.house.clock.pass_(days=15)
    rests: list[float] = []

    gone = {each.step.name: each.count for each in cleaner.purger().run(rests.append)}

    # The confirmations were never sent, so no link works. Twenty people are one transaction.
    assert gone["unconfirmed"] == 0
    with people.house.runtime.session() as session:
        session.execute(update(Delivery).values(state=DeliveryState.REJECTED, settled_at=Delivery.due_at))
        session.commit()
    purger, looks = cleaner.purger(), []

    def reading():
        looks.append("looked")
        return people.house.runtime.reading()

    gone = {each.step.name: each.count for each in replace(purger, reading=reading).run(rests.append)}
    assert gone["unconfirmed"] == 70
    assert len(rests) >= 2
    # One query finds the due rows for many transactions. Each step ends with one more query.
    assert len(looks) <= len(gone) + sum(count > 0 for count in gone.values())


def test_retention_stops_when_asked(cleaner):
    people = cleaner.people
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    send_singles(people)
    people.house.clock.pass_(days=15)

    done = list(cleaner.purger().run(lambda seconds: None, lambda: True))

    assert not any(each.complete for each in done if each.step.name == "unconfirmed")
    assert people.person(ANN).email == ANN


def test_a_leased_email_is_not_emptied_and_not_sent_to_an_emptied_address(cleaner_everywhere):
    cleaner = cleaner_everywhere
    people = cleaner.people
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY}, welcome_mail=True)
    people.leave(ANN)
    people.house.clock.pass_(days=366)
    with people.house.runtime.session() as session:
        held = claim(session, Lane.SINGLE, None, "worker", 9, people.house.clock())
        session.commit()

    assert cleaner.clean()["left"] == 1

    mails = people.house.all(Delivery)
    assert {each.state for each in mails} == {DeliveryState.LEASED}
    assert all(each.context for each in mails)
    with people.house.runtime.reading() as session:
        assert still_wanted(session, [], held, "worker") == set()


def finish(house, issue_id):
    from newsletter.outbox.record import finish as finish_issues

    with house.runtime.session() as session:
        finish_issues(session, house.clock())
        session.commit()
    assert house.issue_state(issue_id) == "finished"
    with house.runtime.reading() as session:
        assert session.scalar(select(Delivery.reply_text).where(Delivery.issue_id == issue_id)) is not None
