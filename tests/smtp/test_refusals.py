"""The table of replies that refuse our settings: a test for each row, and for replies that are not in it."""

from __future__ import annotations

import pytest

from newsletter.errors import RelayRefused
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.refusals import SIGNS, SetupFault, Sign, connect_fault, reply_fault, setup_fault
from newsletter.smtp.replies import Reply


def reply(line: str) -> Reply:
    return Reply(int(line[:3]), (line[4:],))


@pytest.mark.parametrize("sign", SIGNS, ids=[sign.example for sign in SIGNS])
def test_each_row_knows_its_example_at_each_of_its_steps_and_no_earlier_row_does(sign: Sign):
    said = reply(sign.example)

    assert said.code in sign.codes
    for step in sign.steps:
        assert setup_fault(Outcome(Fate.REPLIED, step, said)) is sign.fault
        first = next(
            each
            for each in SIGNS
            if step in each.steps and said.code in each.codes and each.words.search(said.text)
        )
        assert first is sign, f"the row of {first.example!r} hides it"


SEEN = [
    (
        Step.RCPT,
        "553 5.7.1 <b-1-aaaa@x.example>: Sender address rejected: not owned by user a@x.example",
        "sender",
    ),
    (Step.MAIL, "553 5.7.1 Sender address rejected: not owned by auth user.", "sender"),
    (Step.RCPT, "553 5.7.1 <a@x.example>: Sender address rejected: not logged in", "sender"),
    (Step.RCPT, "450 4.1.8 <b-1-a@x.example>: Sender address rejected: Domain not found", "sender"),
    (Step.CONTENT, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", "sender"),
    (
        Step.CONTENT,
        "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example; STOREDRV.Submission",
        "sender",
    ),
    (Step.MAIL, "550 5.1.0 <john@x.example> sender rejected", "sender"),
    (Step.RCPT, "550-Verification failed for <b-1-a@x.example> 550 Sender verify failed", "sender"),
    (
        Step.CONTENT,
        "550 From header sender domain not verified. On your Settings > Sender Domains page",
        "sender",
    ),
    (Step.RCPT, "504 5.5.2 <127.0.0.1>: Helo command rejected: need fully-qualified hostname", "hello"),
    (Step.RCPT, "450 4.7.1 <news>: Helo command rejected: Host not found", "hello"),
    (Step.RCPT, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "account"),
    (
        Step.MAIL,
        "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
        "account",
    ),
    (Step.RCPT, "454 4.7.1 <ann@x.example>: Relay access denied", "account"),
]


@pytest.mark.parametrize(("step", "line", "fault"), SEEN)
def test_what_relays_say_to_a_refused_sender_name_or_account_is_known(step, line, fault):
    assert reply_fault(step, reply(line)) is SetupFault(fault)


ABOUT_THE_MESSAGE = [
    (
        Step.RCPT,
        "550 5.1.1 <ann@x.example>: Recipient address rejected: User unknown in virtual mailbox table",
    ),
    (Step.RCPT, "550 5.7.1 not here"),
    (Step.RCPT, "450 4.2.0 <ann@x.example>: Recipient address rejected: Greylisted"),
    (Step.RCPT, "450 4.7.1 <b-1-a@x.example>: Sender address rejected: Greylisted, try again"),
    (Step.RCPT, "450 4.7.1 <b-1-a@x.example>: Sender address rejected: hourly limit reached"),
    (Step.RCPT, "452 4.2.2 mailbox full"),
    (Step.CONTENT, "554 5.7.1 The message was rejected as spam"),
    (Step.CONTENT, "550 5.7.26 This mail has been blocked because the sender is unauthenticated (DMARC)"),
    (Step.CONTENT, "552 5.3.4 message size exceeds limit"),
    (Step.MAIL, "552 5.3.4 message size exceeds fixed limit"),
    (Step.MAIL, "550 5.1.1 no such user"),
    (Step.MAIL, "550 5.1.10 recipient not found"),
    (Step.MAIL, "554 5.6.3 no 8-bit text"),
    (Step.MAIL, "553 5.6.7 address is not ASCII"),
    (Step.MAIL, "421 4.7.0 too many connections"),
    (Step.MAIL, "451 4.3.0 try again later"),
    (Step.RCPT, "553 5.1.3 not an address"),
    (Step.CONTENT, "250 2.0.0 queued; sender address rejected by nobody"),
]


@pytest.mark.parametrize(("step", "line"), ABOUT_THE_MESSAGE)
def test_a_refusal_of_the_message_or_its_recipient_is_no_fault_of_the_setup(step, line):
    assert reply_fault(step, reply(line)) is None


@pytest.mark.parametrize("sign", SIGNS, ids=[sign.example for sign in SIGNS])
@pytest.mark.parametrize(
    "frame",
    [
        "550 5.1.1 <ann@x.example>: Recipient address rejected: undeliverable: host mx.x.example said: {}",
        "550 5.1.1 recipient verification failed: {}",
        "451 4.4.0 callout to mx.x.example[192.0.2.9]: {}",
    ],
)
def test_a_recipients_server_cannot_stop_our_sending_by_its_words(sign: Sign, frame: str):
    """A relay that asks the recipient's server first quotes it, and a subscriber may own that server."""
    for step in (Step.RCPT, Step.DATA, Step.CONTENT):
        assert reply_fault(step, reply(frame.format(sign.example))) is None


def test_a_reply_that_never_crossed_the_wire_is_no_refusal():
    made_here = Reply.made_here(553, "5.7.1 Sender address rejected")

    assert setup_fault(Outcome(Fate.REPLIED, Step.MAIL, made_here)) is None
    assert setup_fault(Outcome(Fate.UNSENT, Step.MAIL)) is None


@pytest.mark.parametrize(
    ("step", "code", "fault"),
    [
        ("hello", 504, SetupFault.HELLO),
        ("sign-in", 535, SetupFault.ACCOUNT),
        ("hello", 450, None),
        ("sign-in", 454, None),
        ("greeting", 554, None),
        ("starttls", 502, None),
    ],
)
def test_a_name_or_a_sign_in_refused_for_good_is_a_fault_of_the_setup(step, code, fault):
    assert connect_fault(RelayRefused("no", code, "", step)) is fault
