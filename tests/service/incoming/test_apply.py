"""Unsubscribing by email on both databases: what a message changes, and what it does not."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace

import pytest
from house import make_house, make_settings
from sqlalchemy import select

from newsletter.accounts.create import create_account
from newsletter.errors import LimitReached, ServiceError
from newsletter.mail.verp import LEAVE_KEY, leave_address
from newsletter.models import (
    ConsentAct,
    ConsentEntry,
    Delivery,
    EndedReason,
    SignupRequest,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.service.incoming.apply import ASKED_BY_MAIL, take_in
from newsletter.subscribers.leaving.undo import make_undo_token, undo

MAILBOX = "leave@news.example.org"


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request, tmp_path):
    settings = make_settings(tmp_path, unsubscribe_address=MAILBOX)
    if request.param == "postgresql":
        settings = replace(settings, database_url=request.getfixturevalue("house_url"))
    made = make_house(settings)
    yield made
    made.runtime.engine.dispose()


def a_subscriber(house) -> str:
    house.add_subscriber(house.topic("harbours"), house.topic("trains"), name="ada")
    return the_subscriber(house).public_id


def the_subscriber(house) -> Subscriber:
    (subscriber,) = house.all(Subscriber)
    return subscriber


def signed(house, public_id: str, delivery_id: int = 42) -> str:
    return leave_address(MAILBOX, public_id, delivery_id, house.runtime.tokens.derived_key(LEAVE_KEY)) or ""


def mail(to: str = MAILBOX, author: str = "ada@example.org", *lines: str) -> bytes:
    return "\r\n".join([f"From: {author}", f"To: {to}", *lines, "", "."]).encode()


def states(house) -> set[tuple[SubscriptionState, EndedReason | None, int | None]]:
    return {(row.state, row.ended_reason, row.ended_delivery_id) for row in house.all(Subscription)}


def entries(house, act: ConsentAct) -> list[ConsentEntry]:
    with house.runtime.session() as session:
        return list(session.scalars(select(ConsentEntry).where(ConsentEntry.act == act)))


def test_an_email_to_the_address_in_a_digest_ends_everything_and_says_how(house):
    subscriber = a_subscriber(house)
    address = signed(house, subscriber)

    done = take_in(house.runtime, mail(address), [address], "ada@example.org")

    assert done == ["left"]
    assert states(house) == {(SubscriptionState.ENDED, EndedReason.UNSUBSCRIBED, 42)}
    (entry,) = entries(house, ConsentAct.LEFT)
    assert entry.how == "mail"
    assert sorted(entry.detail["topics"]) == ["harbours", "trains"]


def test_the_same_email_again_changes_nothing_more(house):
    subscriber = a_subscriber(house)
    address = signed(house, subscriber)
    take_in(house.runtime, mail(address), [address])
    house.clock.pass_(hours=1)

    assert take_in(house.runtime, mail(address), [address]) == ["gone"]
    assert len(entries(house, ConsentAct.LEFT)) == 1


def test_leaving_by_email_can_be_undone(house):
    subscriber = a_subscriber(house)
    address = signed(house, subscriber)
    take_in(house.runtime, mail(address), [address])

    with house.runtime.session() as session:
        token = make_undo_token(house.runtime.tokens, subscriber, house.clock(), house.clock())
        undo(session, house.runtime.tokens, token, house.clock())
        session.commit()

    active = [row for row in house.all(Subscription) if row.state is SubscriptionState.ACTIVE]
    assert len(active) == 2


def test_the_address_stands_in_every_digest_after_the_link(house):
    a_subscriber(house)
    house.release("Harbours grow")
    house.send()

    (sent,) = house.transport.sent
    header = re.search(rb"(?ms)^List-Unsubscribe: (.+?)\r\n(?=\S)", sent.content)
    https, mailto = (part.strip().decode() for part in header[1].split(b","))
    address = mailto.removeprefix("<mailto:").removesuffix("?subject=unsubscribe>")
    done = take_in(house.runtime, mail(address.upper()), [address.upper()])

    assert https.startswith("<https://news.example.org/unsubscribe/")
    assert done == ["left"]
    assert {row.ended_delivery_id for row in house.all(Subscription)} == {int(sent.envelope.envelope_id)}


def test_a_forged_address_ends_nothing(house):
    subscriber = a_subscriber(house)
    address = signed(house, subscriber)
    forged = address[:6] + ("b" if address[6] == "a" else "a") + address[7:]

    assert take_in(house.runtime, mail(forged), [forged]) == ["not-ours"]
    assert {state for state, *_ in states(house)} == {SubscriptionState.ACTIVE}


def test_a_vacation_notice_to_the_signed_address_ends_nothing(house):
    subscriber = a_subscriber(house)
    address = signed(house, subscriber)

    done = take_in(house.runtime, mail(address, "ada@example.org", "Auto-Submitted: auto-replied"), [address])

    assert done == ["autoreply"]
    assert {state for state, *_ in states(house)} == {SubscriptionState.ACTIVE}


def test_a_forged_author_at_the_plain_address_ends_nothing_and_the_subscriber_is_sent_a_link_once(house):
    a_subscriber(house)

    for _ in range(3):
        assert take_in(house.runtime, mail(), [MAILBOX], "ada@example.org") == ["asked"]
    resolve(house)
    house.drain("single")

    assert {state for state, *_ in states(house)} == {SubscriptionState.ACTIVE}
    assert house.recipients() == ["ada@example.org"]


def test_an_unknown_sender_to_the_plain_address_is_sent_nothing(house):
    take_in(house.runtime, mail(author="stranger@example.org"), [MAILBOX], "stranger@example.org")
    resolve(house)
    house.drain("single")

    assert house.recipients() == []


def test_a_flood_at_the_plain_address_leaves_a_bounded_number_of_rows(house):
    burst = int(ASKED_BY_MAIL.burst)

    def ask(number: int) -> object:
        try:
            return take_in(house.runtime, mail(author=f"r{number}@example.org"), [MAILBOX])
        except LimitReached:
            return "later"

    done = [ask(number) for number in range(burst + 5)]

    assert done == [["asked"]] * burst + ["later"] * 5
    assert len(house.all(SignupRequest)) == burst
    house.clock.pass_(minutes=10)
    assert ask(burst) == ["asked"]


def owner_mails(house) -> list[Delivery]:
    return [each for each in house.all(Delivery) if each.template == "notice"]


def write_to(house, role: str, *lines: str, sender: str = "ada@example.org") -> object:
    address = f"{role}@{house.runtime.settings.sender_domain}"
    try:
        return take_in(house.runtime, mail(address, "ada@example.org", *lines), [address], sender)
    except LimitReached:
        return "later"


@pytest.mark.parametrize("role", ["postmaster", "Abuse"])
def test_an_email_to_a_role_of_the_return_path_domain_is_sent_to_the_owner_as_a_file(house, role):
    give_an_owner(house)

    assert write_to(house, role, "Subject: Your newsletter") == ["owner"]
    assert write_to(house, role, "Subject: Your newsletter") == ["owner"]  # brought twice
    house.drain("single")

    (sent,) = house.transport.sent
    message = email.message_from_bytes(sent.content, policy=email.policy.default)
    (attached,) = message.iter_attachments()
    assert message.get_content_type() == "multipart/mixed"
    assert f"Somebody wrote to {role.lower()}@" in message["Subject"]
    assert attached.get_filename() == "message.eml"
    assert b"Subject: Your newsletter" in attached.get_content()
    assert message.get_body(("plain",)) is not None


def test_the_owner_is_sent_20_such_emails_a_day_and_the_others_are_to_come_again(house):
    give_an_owner(house)

    done = [write_to(house, "abuse", f"Subject: {number}") for number in range(25)]

    assert done == [["owner"]] * 20 + ["later"] * 5
    assert len(owner_mails(house)) == 20
    house.clock.pass_(hours=24)
    assert write_to(house, "abuse", "Subject: 24") == ["owner"]


@pytest.mark.parametrize(
    ("line", "sender"),
    [
        ("Auto-Submitted: auto-generated", "x@example.org"),
        ("Precedence: bulk", "x@example.org"),
        ("X: y", ""),
    ],
)
def test_automatic_email_to_a_role_is_sent_to_nobody(house, line, sender):
    give_an_owner(house)

    assert write_to(house, "postmaster", line, sender=sender) == ["automatic"]
    assert owner_mails(house) == []


def test_an_email_that_nobody_can_be_sent_is_not_taken(house):
    with pytest.raises(ServiceError):
        write_to(house, "postmaster")


def give_an_owner(house) -> None:
    with house.runtime.session() as session:
        create_account(session, "owner@example.org", "a hash", "command line", house.clock())
        session.commit()


def test_a_subscriber_who_was_erased_is_simply_gone(house):
    subscriber = a_subscriber(house)
    with house.runtime.session() as session:
        row = session.scalars(select(Subscriber)).one()
        row.email = row.email_key = None
        session.commit()

    assert take_in(house.runtime, mail(signed(house, subscriber))) == ["gone"]


def test_a_request_to_unsubscribe_or_for_a_link_wakes_the_workers_once_and_nothing_else_does(tmp_path):
    house = make_house(make_settings(tmp_path, unsubscribe_address=MAILBOX))
    woken = []
    runtime = replace(house.runtime, wake=woken.append)
    address = signed(house, a_subscriber(house))

    for to in (address, address, "nobody@example.org", MAILBOX):
        take_in(runtime, mail(to), [to])

    assert woken == ["single", "single"]


def resolve(house) -> None:
    from newsletter.subscribers.signup.resolve import resolve_signups

    with house.runtime.session() as session:
        resolve_signups(session, house.runtime.tokens, house.clock())
        session.commit()
