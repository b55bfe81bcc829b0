"""Erasure: no personal data is left in any table or file, and no form or import adds the person again."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import House, meanwhile
from sqlalchemy import inspect, select, text

from newsletter import suppression
from newsletter.errors import NotFound, StateConflict
from newsletter.mail.addresses import parse_address
from newsletter.models import (
    AddressChange,
    AddressMark,
    AuditEntry,
    ConsentAct,
    ConsentEntry,
    Delivery,
    DeliveryState,
    EndedReason,
    Frequency,
    MarkKind,
    SignupRequest,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
    ThrottleBucket,
)
from newsletter.models.scrub import empty_log
from newsletter.outbox.enqueue import enqueue_notice
from newsletter.outbox.lease import still_wanted
from newsletter.smtp.replies import Reply
from newsletter.subscribers.address_marks import mark_address
from newsletter.subscribers.choices.change_address import (
    Moved,
    empty_old_address_changes,
    move,
    request_address_change,
)
from newsletter.subscribers.link import LinkFault, read_link_subscriber
from newsletter.subscribers.privacy.emailed_links import Right
from newsletter.subscribers.privacy.erase import Erased, erase
from newsletter.subscribers.signup.email_limits import allow_email
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.tokens import Purpose

ANN = "ann.lindqvist@example.org"
NEW = "ann.new@example.net"


def erase_person(house: House, public_id: str, how: str = "page", actor: str | None = None) -> Erased:
    with house.runtime.session() as session:
        done = erase(session, house.runtime.tokens, public_id, how, house.clock(), actor)
        session.commit()
    house.drain("single")  # The last email keeps the address until it is settled.
    empty_log(house.runtime.engine)
    return done


@pytest.fixture
def ann(everywhere) -> str:
    """Add a subscriber with rows in every table; return the public id."""
    house: House = everywhere.house
    house.topic("energy")
    house.topic("sea")
    everywhere.ask(ANN, {"energy": Frequency.DAILY}, ip_address="192.0.2.77")
    everywhere.resolve()
    # A relay that repeats the address in every reply.
    says = Reply(250, (f"2.0.0 <{ANN}> is fine, {ANN.upper()} too",))
    house.transport.answer(ANN, says, says)
    house.drain("single")
    everywhere.confirm(everywhere.confirmation(ANN), ip_address="192.0.2.77")
    house.release("Energy from the sea")
    house.send(Frequency.DAILY)
    everywhere.choose(ANN, {"energy": Frequency.DAILY, "sea": Frequency.WEEKLY}, ip_address="192.0.2.77")
    everywhere.ask_for_link(ANN)
    with house.runtime.session() as session:
        person = session.scalars(select(Subscriber).where(Subscriber.email_key == ANN)).one()
        session.add(
            AddressChange(
                subscriber_id=person.id, email=NEW, email_key=NEW, ip_address="192.0.2.77",
                created_at=house.clock(),
            )
        )  # fmt: skip
        enqueue_notice(
            session, recipient=NEW, template="change_address", context={"reader": person.public_id},
            purpose_key="move:1", language="en", now=house.clock(),
        )  # fmt: skip
        session.commit()
        return person.public_id


def tables_with(house: House, needle: str) -> set[str]:
    """Return each column of each table that contains `needle` in any case."""
    found = set()
    with house.runtime.engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            for column in inspect(connection).get_columns(name):
                quoted = connection.dialect.identifier_preparer.quote(column["name"])
                kind = "TEXT" if house.runtime.engine.dialect.name == "sqlite" else "text"
                query = f"SELECT count(*) FROM {name} WHERE lower(CAST({quoted} AS {kind})) LIKE :needle"
                if connection.scalar(text(query), {"needle": f"%{needle}%"}):
                    found.add(f"{name}.{column['name']}")
    return found


def files_with(folder: Path, needle: str) -> list[str]:
    wanted = needle.encode()
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and wanted in path.read_bytes().lower()
    ]


def test_the_search_finds_the_person_before_they_are_erased(everywhere, ann):
    found = tables_with(everywhere.house, ANN)

    assert {"subscriber.email", "subscriber.email_key", "signup_request.email"} <= found
    assert {"delivery.recipient", "address_change.email"} <= tables_with(everywhere.house, NEW)
    assert "consent_entry.ip_address" in tables_with(everywhere.house, "192.0.2.77")


def test_a_reply_of_a_relay_is_stored_without_the_address_in_it(everywhere, ann):
    replies = [each.reply_text for each in everywhere.house.all(Delivery) if each.reply_text]

    assert replies == ["2.0.0 <(an address)> is fine, (an address) too"] * 2


def test_nothing_of_an_erased_person_is_left_in_any_table_or_file(everywhere, ann):
    house = everywhere.house

    erase_person(house, ann, actor="editor@example.org")

    for needle in (ANN, NEW, "lindqvist", "192.0.2.77"):
        assert tables_with(house, needle) == set()
        assert files_with(house.runtime.settings.data_dir, needle) == []


def test_no_copy_of_an_address_is_left_in_the_file_of_a_large_table(house):
    with house.runtime.session() as session:
        for number in range(3000):
            session.add(house.subscriber(f"reader-number-{number}-with-a-long-name"))
        session.flush()
        wanted = "reader-number-1500-with-a-long-name@example.org"
        person = session.scalars(select(Subscriber).where(Subscriber.email == wanted)).one()
        public_id = person.public_id
        session.commit()
        for other in session.scalars(select(Subscriber).where(Subscriber.id % 3 == 0)):
            other.language = "a-longer-one"
        session.commit()

    erase_person(house, public_id)

    assert files_with(house.runtime.settings.data_dir, "reader-number-1500-with") == []
    assert files_with(house.runtime.settings.data_dir, "reader-number-1501-with") != []


def test_the_ledger_stays_and_says_that_somebody_was_erased(everywhere, ann):
    before = [(each.id, each.act, each.at) for each in everywhere.house.all(ConsentEntry)]

    erase_person(everywhere.house, ann)

    after = everywhere.house.all(ConsentEntry)
    assert [(each.id, each.act, each.at) for each in after][: len(before)] == before
    assert after[-1].act is ConsentAct.ERASED
    assert after[-1].how == "page"
    assert all(each.ip_address is None and each.detail == {} for each in after)
    assert [each.wording_version for each in after if each.act is ConsentAct.ASKED] != [""]


def test_subscriptions_end_and_waiting_emails_are_skipped(everywhere, ann):
    house = everywhere.house
    house.release("Energy for the harbour")
    house.open(Frequency.DAILY)

    done = erase_person(house, ann)
    house.transport.sent.clear()
    house.drain()
    house.drain("single")

    ended = [each for each in house.all(Subscription) if each.ended_reason is EndedReason.ERASED]
    assert len(ended) == 2
    assert done.skipped == 2  # The issue, and the email to the address that they wanted to move to.
    assert house.transport.sent == []
    assert {str(each.state) for each in house.all(Delivery)} == {"accepted", "skipped"}


def test_a_leased_email_to_an_erased_person_is_not_sent(everywhere, ann):
    house = everywhere.house
    house.release("Energy for the harbour")
    issue = house.open(Frequency.DAILY)
    with house.runtime.session() as session:
        for delivery in session.scalars(select(Delivery).where(Delivery.state == DeliveryState.QUEUED)):
            delivery.state, delivery.leased_by = DeliveryState.LEASED, "worker-1"
        session.commit()

    erase_person(house, ann)

    with house.runtime.session() as session:
        held = list(session.scalars(select(Delivery.id).where(Delivery.state == DeliveryState.LEASED)))
        assert len(held) == 2
        assert still_wanted(session, held, held, "worker-1") == set()
    assert house.issue_state(issue) == "sending"


def test_an_erased_person_is_suppressed_by_a_hash_and_signing_up_brings_nothing(everywhere, ann):
    house = everywhere.house

    erase_person(house, ann)
    everywhere.sign_up(ANN.upper(), {"energy": Frequency.DAILY})

    (suppression,) = house.all(Suppression)
    assert suppression.reason is SuppressionReason.ERASED
    assert all(each.email is None for each in house.all(Subscriber))
    assert [each.email for each in house.all(SignupRequest)] == [None] * len(house.all(SignupRequest))


def test_a_sign_up_that_waited_when_the_person_was_erased_is_gone(everywhere, ann):
    everywhere.ask(ANN, {"sea": Frequency.DAILY}, ip_address="192.0.2.77")

    erase_person(everywhere.house, ann)

    assert everywhere.resolve() == 0
    assert everywhere.house.all(Subscriber)[0].email is None


def test_an_administrator_can_let_an_erased_person_sign_up_again(everywhere, ann):
    house = everywhere.house
    erase_person(house, ann)

    with house.runtime.session() as session:
        tokens, now = house.runtime.tokens, house.clock()
        assert suppression.lift(session, tokens, ANN, "editor@example.org", now, 5, "asked")
        session.commit()
    house.clock.pass_(hours=1)
    everywhere.join(ANN, {"energy": Frequency.DAILY})

    assert len(everywhere.reads(ANN)) == 1
    assert everywhere.person(ANN).public_id != ann
    entry = house.all(AuditEntry)[-1]
    assert (entry.action, entry.detail) == ("address.unsuppress", {"reason": "erased", "why": "asked"})


def test_erasure_overrides_a_bounce_that_could_be_lifted(everywhere, ann):
    house = everywhere.house
    with house.runtime.session() as session:
        mark = suppression.suppression_hash(house.runtime.tokens, ANN)
        suppression.add(session, mark, SuppressionReason.HARD_BOUNCE, house.clock())
        session.commit()

    erase_person(house, ann)

    (kept,) = house.all(Suppression)
    assert kept.reason is SuppressionReason.ERASED


def test_erasing_twice_raises_not_found(everywhere, ann):
    erase_person(everywhere.house, ann)

    with pytest.raises(NotFound):
        erase_person(everywhere.house, ann)


def test_links_of_an_erased_person_open_nothing(everywhere, ann):
    token = everywhere.preferences_token(ANN)

    erase_person(everywhere.house, ann)

    with everywhere.house.runtime.session() as session:
        found = read_link_subscriber(
            session, everywhere.house.runtime.tokens, token, everywhere.house.clock()
        )
    assert found is LinkFault.DELETED


def test_other_people_are_left_alone(everywhere, ann):
    house = everywhere.house
    everywhere.join("bo@example.org", {"energy": Frequency.DAILY}, ip_address="192.0.2.99")

    erase_person(house, ann)

    assert len(everywhere.reads("bo@example.org")) == 1
    assert [each.ip_address for each in everywhere.ledger("bo@example.org")] == [None, "192.0.2.99"]
    with house.runtime.session() as session:
        assert not suppression.is_suppressed(session, house.runtime.tokens, "bo@example.org")
    assert house.all(ThrottleBucket) != []


def test_rows_that_were_joined_with_the_person_are_emptied_too(everywhere, ann):
    house = everywhere.house
    everywhere.join("earlier@example.org", {"sea": Frequency.DAILY}, ip_address="192.0.2.78")
    with house.runtime.session() as session:
        person = session.scalars(select(Subscriber).where(Subscriber.public_id == ann)).one()
        earlier = session.scalars(select(Subscriber).where(Subscriber.email == "earlier@example.org")).one()
        earlier.email = earlier.email_key = None
        earlier.moved_to = person.id
        session.commit()

    erase_person(house, ann)

    assert tables_with(house, "192.0.2.78") == set()


def test_an_earlier_address_is_emptied_in_the_emails_that_name_it(everywhere):
    people, house = everywhere, everywhere.house
    house.topic("energy")
    people.join(ANN, {"energy": Frequency.DAILY})
    with house.runtime.session() as session:
        request_address_change(
            session,
            house.runtime.tokens,
            people.right_token(Right.ADDRESS, ANN),
            parse_address(NEW),
            house.clock(),
        )
        session.commit()
    (asked,) = (each for each in house.all(Delivery) if each.template == "change_address")
    payload = [asked.context["reader"], asked.context["change"], house.runtime.tokens.fingerprint(NEW)]
    with house.runtime.session() as session:
        token = house.runtime.tokens.make(Purpose.CHANGE_ADDRESS, payload, house.clock())
        assert isinstance(move(session, house.runtime.tokens, token, house.clock()), Moved)
        session.commit()
    house.drain("single")
    house.clock.pass_(days=9)
    with house.runtime.session() as session:
        empty_old_address_changes(session, house.clock(), link_days=7)
        session.commit()
    assert tables_with(house, ANN) == {"delivery.recipient"}

    done = erase_person(house, asked.context["reader"])

    assert tables_with(house, ANN) == set()
    assert done.addresses == {ANN, NEW}


def test_erasing_a_person_who_requested_an_address_changes_nothing_of_its_owner(everywhere, ann):
    house = everywhere.house
    bo = "bo@example.org"
    with house.runtime.session() as session:
        tokens, now = house.runtime.tokens, house.clock()
        person = session.scalars(select(Subscriber).where(Subscriber.public_id == ann)).one()
        moved = Subscriber(email="taken@evil.example", email_key="taken@evil.example", created_at=now)
        session.add(moved)
        session.flush()
        for subscriber_id, is_undo in ((person.id, False), (moved.id, True)):
            change = AddressChange(
                subscriber_id=subscriber_id, email=bo, email_key=bo, is_undo=is_undo, created_at=now
            )
            session.add(change)
        way_back = {"reader": moved.public_id, "change": 1}
        enqueue_notice(
            session, recipient=bo, template="address_changed", context=way_back, purpose_key="moved:1",
            language="en", now=now,
        )  # fmt: skip
        mark_address(session, tokens, bo, MarkKind.DISOWNED, moved.id, now)
        allow_email(session, tokens, bo, now)
        session.commit()

    erase_person(house, ann)

    with house.runtime.session() as session:
        assert [each.email for each in session.scalars(select(AddressChange).order_by(AddressChange.id))] == [
            None, None, bo,
        ]  # fmt: skip
        notice = session.scalars(select(Delivery).where(Delivery.recipient == bo)).one()
        # It was sent unchanged.
        assert (notice.state, notice.context) == (DeliveryState.ACCEPTED, way_back)
        marked = session.scalars(
            select(AddressMark.address_hash).where(AddressMark.kind == MarkKind.DISOWNED)
        )
        assert marked.all() == [suppression.suppression_hash(house.runtime.tokens, bo)]
        assert not allow_email(session, house.runtime.tokens, bo, house.clock())


def test_erasure_waits_for_a_sign_up_that_is_being_resolved(at_scale):
    people, house = at_scale, at_scale.house
    house.topic("energy")
    house.topic("sea")
    people.join(ANN, {"energy": Frequency.DAILY})
    public_id = people.person(ANN).public_id
    house.clock.pass_(hours=1)
    people.ask(ANN, {"sea": Frequency.DAILY})

    with house.runtime.session() as job:
        assert resolve_signups(job, house.runtime.tokens, house.clock()) == 1
        with meanwhile(house, lambda: erase_person(house, public_id)):
            job.commit()

    assert [each.email for each in house.all(Subscriber)] == [None]
    assert {each.ended_reason for each in house.all(Subscription)} == {EndedReason.ERASED}
    assert tables_with(house, ANN) == set()


def test_two_who_erase_the_same_person_at_once_do_it_once(at_scale):
    people, house = at_scale, at_scale.house
    house.topic("energy")
    people.join(ANN, {"energy": Frequency.DAILY})
    public_id = people.person(ANN).public_id

    def again() -> None:
        with pytest.raises((NotFound, StateConflict)):
            erase_person(house, public_id)

    with house.runtime.session() as first:
        erase(first, house.runtime.tokens, public_id, "page", house.clock())
        with meanwhile(house, again):
            first.commit()

    assert people_erased(house) == 1


def people_erased(house: House) -> int:
    return sum(each.act is ConsentAct.ERASED for each in house.all(ConsentEntry))
