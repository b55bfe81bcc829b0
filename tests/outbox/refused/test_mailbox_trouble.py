"""Which refusals by the relay count against an address, and that they stand in the person's history."""

from __future__ import annotations

import pytest
from house import House

from newsletter.models import BounceStep, Delivery, StepKind, Subscriber
from newsletter.outbox.refused.mailbox_trouble import mailbox_trouble, note_refusal
from newsletter.smtp.replies import Reply


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("5.1.1", "no such user"),
        ("5.2.2", "mailbox full"),
        ("4.2.2", "mailbox full"),
        ("5.2.1", "unknown"),
        ("5.4.4", "domain gone"),
        ("4.4.1", "network"),
        ("4.1.1", "no such user"),
        # The sender, policy, a busy relay, the size and no status say nothing about the address.
        ("4.1.8", ""),
        ("5.1.8", ""),
        ("5.7.1", ""),
        ("4.7.0", ""),
        ("4.3.2", ""),
        ("4.4.5", ""),
        ("5.2.3", ""),
        ("", ""),
    ],
)
def test_only_trouble_of_the_mailbox_or_its_domain_counts(status: str, reason: str):
    assert mailbox_trouble(status) == reason


@pytest.mark.parametrize(
    ("code", "text", "kinds"),
    [
        (552, "5.2.2 over quota", [StepKind.SOFT]),
        (550, "5.1.1 no such user", [StepKind.HARD]),
        (550, "5.7.1 listed", []),
    ],
)
def test_a_refusal_by_the_relay_stands_in_the_history(
    either_house: House, code: int, text: str, kinds: list[StepKind]
):
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    house.transport.answer("ada@example.org", Reply(code, (text,)))
    house.release("Harbours open")
    house.send()

    assert [each.kind for each in house.all(BounceStep)] == kinds
    assert [str(each.state) for each in house.all(Delivery)] == ["rejected"]


def test_a_refusal_of_an_email_to_nobody_leaves_no_row(either_house: House):
    with either_house.runtime.session() as session:
        note_refusal(session, None, 1, Reply(550, ("5.1.1 gone",)), either_house.clock(), hard=True)
        session.commit()

    assert either_house.all(BounceStep) == []
    assert either_house.all(Subscriber) == []
