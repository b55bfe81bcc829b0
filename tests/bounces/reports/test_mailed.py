"""Reports about emails to a former address: they stop that address, and never the present one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bounces.reports.test_receive import COMPLAINT, keys, report, take, the_delivery
from house import House, make_right_token
from sqlalchemy import update

from newsletter import suppression
from newsletter.bounces.history.undo import undo
from newsletter.bounces.reports.mailed import find_mailed
from newsletter.mail.addresses import parse_address
from newsletter.mail.verp import delivery_token
from newsletter.models import (
    BounceStep,
    BounceVerdict,
    Delivery,
    DeliveryState,
    Probe,
    StepKind,
    Subscriber,
    Suppression,
)
from newsletter.models.tables.returned_mail import ReportOutcome
from newsletter.outbox.refused.judge import judge_all
from newsletter.service.returned_mail import follow_up
from newsletter.subscribers.choices.change_address import move, request_address_change
from newsletter.subscribers.privacy.emailed_links import Right
from newsletter.tokens import Purpose

ADA, NEW, NEWER = "ada@example.org", "ada@lake.example.net", "ada@hill.example.net"


def moves(house: House, to: str) -> None:
    """Ada asks for another address an hour later, and confirms it there."""
    house.clock.pass_(hours=1)
    ada, tokens = house.all(Subscriber)[0], house.runtime.tokens
    token = make_right_token(
        tokens, Right.ADDRESS, ada.public_id, ada.email_key or "", house.clock() - timedelta(minutes=1)
    )
    with house.runtime.session() as session:
        request_address_change(session, tokens, token, parse_address(to), house.clock())
        session.commit()
    press(house, "change_address")


def press(house: House, template: str) -> None:
    """Press the button of the newest email of this kind: confirm a change, or undo it."""
    tokens = house.runtime.tokens
    email = [each for each in house.all(Delivery) if each.template == template][-1]
    context = email.context or {}
    payload = [
        context["reader"],
        context["change"],
        tokens.fingerprint(parse_address(email.recipient or "").canonical),
    ]
    with house.runtime.session() as session:
        token = tokens.make(Purpose.CHANGE_ADDRESS, payload, house.clock())
        move(session, tokens, token, house.clock())
        session.commit()


def complaint(house: House, *, by: str = "", delivery: int | None = None) -> bytes:
    token = delivery_token(str(delivery or the_delivery(house).id), keys(house).return_path).encode()
    named = f"Feedback-Type: abuse\nOriginal-Rcpt-To: {by}\n".encode()
    return (COMPLAINT % token).replace(b"Feedback-Type: abuse\n", named if by else b"Feedback-Type: abuse\n")


def stopped(house: House, *addresses: str) -> list[str]:
    """Return those of these addresses that get no email."""
    with house.runtime.reading() as session:
        tokens = house.runtime.tokens
        return [each for each in addresses if suppression.is_suppressed(session, tokens, each)]


@pytest.mark.parametrize("by", ["", ADA, ADA.upper()])
def test_a_complaint_about_an_email_to_a_former_address_stops_that_address_only(sent: House, by: str):
    moves(sent, NEW)

    assert take(sent, complaint(sent, by=by)) is ReportOutcome.COMPLAINT

    assert stopped(sent, ADA, NEW) == [ADA]
    assert [each.subscriber_id for each in sent.all(Suppression)] == [None]
    assert the_delivery(sent).complained_at == sent.clock()
    (step,) = sent.all(BounceStep)
    assert (step.kind, step.domain) == (StepKind.COMPLAINT, "")


def test_a_complaint_that_names_the_present_address_stops_that_one(sent: House):
    """The former mailbox forwards to the present one, where the person marked the email as spam."""
    moves(sent, NEW)

    take(sent, complaint(sent, by=NEW))

    assert stopped(sent, ADA, NEW) == [NEW]


def test_a_complaint_from_somebody_else_stops_nobody(sent: House):
    moves(sent, NEW)

    assert take(sent, complaint(sent, by="mallory@example.net")) is ReportOutcome.NOTHING

    assert stopped(sent, ADA, NEW, "mallory@example.net") == []


def test_a_complaint_about_a_later_email_stops_the_present_address(sent: House):
    moves(sent, NEW)
    sent.clock.pass_(days=1)
    sent.release("Harbours close")
    sent.send()

    take(sent, complaint(sent, delivery=sent.all(Delivery)[-1].id))

    assert stopped(sent, ADA, NEW) == [NEW]


def test_after_two_changes_the_address_of_that_time_is_stopped(sent: House):
    moves(sent, NEW)
    moves(sent, NEWER)

    take(sent, complaint(sent))

    assert stopped(sent, ADA, NEW, NEWER) == [ADA]


def test_an_email_of_the_minutes_after_a_change_may_have_gone_to_either(sent: House):
    """A worker may have read the former address just before."""
    moves(sent, NEW)
    with sent.runtime.session() as session:
        late = update(Delivery).where(Delivery.id == the_delivery(sent).id)
        session.execute(late.values(settled_at=sent.clock() + timedelta(minutes=5)))
        session.commit()
    sent.clock.pass_(hours=1)

    take(sent, complaint(sent))

    assert stopped(sent, ADA, NEW) == [ADA, NEW]


def test_a_complaint_after_a_change_was_undone_stops_the_address_again(sent: House):
    moves(sent, NEW)
    sent.clock.pass_(hours=1)
    press(sent, "address_changed")
    assert sent.all(Subscriber)[0].email == ADA

    take(sent, complaint(sent))

    assert stopped(sent, ADA, NEW) == [ADA]


def test_another_spelling_of_the_same_address_is_no_former_address(sent: House):
    moves(sent, "Ada@example.org")

    with sent.runtime.reading() as session:
        ada = sent.all(Subscriber)[0]
        mailed = find_mailed(session, ada.id, the_delivery(sent).settled_at)
    assert (ada.email, mailed.to_present) == ("Ada@example.org", True)


def test_undoing_a_complaint_lets_the_former_address_get_email_again(sent: House):
    moves(sent, NEW)
    take(sent, complaint(sent))
    (step,) = sent.all(BounceStep)

    with sent.runtime.session() as session:
        undo(session, sent.runtime.tokens, step.id, "kim", sent.clock(), 3)
        session.commit()

    assert stopped(sent, ADA, NEW) == []


@pytest.mark.parametrize("named", [ADA, NEW])
def test_a_dead_former_mailbox_says_nothing_about_the_present_one(sent: House, named: str):
    moves(sent, NEW)

    assert take(sent, report(sent, to=named)) is ReportOutcome.SOFT
    follow_up(sent.runtime)

    assert the_delivery(sent).state is DeliveryState.ACCEPTED
    assert sent.all(Probe) == []
    (step,) = sent.all(BounceStep)
    assert (step.kind, step.domain, step.asks_probe) == (StepKind.SOFT, "", False)
    assert stopped(sent, ADA, NEW) == []


def test_the_relays_refusal_of_a_former_address_never_suppresses_the_present_one(either_house: House):
    """A worker read the former address, and recorded the refusal after the change."""
    house = either_house
    topic = house.topic("harbours")
    for number in range(60):
        house.add_subscriber(topic, name="ada" if number == 0 else f"p{number}")
    for title in ("Harbours open", "Harbours close"):
        house.release(title)
        house.send()
        house.clock.pass_(days=1)
    ada = house.all(Subscriber)[0]
    mine = [each for each in house.all(Delivery) if each.subscriber_id == ada.id][-1]
    with house.runtime.session() as session:
        refused = {"state": DeliveryState.REJECTED, "bounced_at": house.clock(), "status": "5.1.1"}
        session.execute(
            update(Delivery).where(Delivery.id == mine.id).values(verdict=BounceVerdict.UNJUDGED, **refused)
        )
        session.execute(
            update(Subscriber).where(Subscriber.id == ada.id).values(address_since=mine.settled_at)
        )
        session.commit()

    with house.runtime.session() as session:
        judge_all(session, house.runtime.messages, house.clock())
        session.commit()

    assert [each.verdict for each in house.all(Delivery) if each.id == mine.id] == [BounceVerdict.GONE]
    assert house.all(Suppression) == []
