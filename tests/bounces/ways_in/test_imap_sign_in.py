"""How to sign in to an IMAP server: by which mechanism, and what a refusal means."""

from __future__ import annotations

import base64

import pytest

from newsletter.bounces.ways_in.account import Account
from newsletter.bounces.ways_in.imap_answers import Answer, Untagged
from newsletter.bounces.ways_in.imap_sign_in import capabilities, sign_in
from newsletter.errors import MailboxError, MailboxRefused
from newsletter.settings.parse.mailbox_urls import parse_mailbox


class Talk:
    """A server that asks for more as often as `challenges` says, and then answers."""

    def __init__(self, challenges: int = 0, *answers: Answer) -> None:
        self.challenges = challenges
        self.answers = list(answers) or [Answer("OK", b"in")]
        self.sent: list[bytes] = []

    def ask(self, command: bytes, *, on_challenge=None) -> Answer:
        self.sent.append(command)
        for _ in range(self.challenges if on_challenge else 0):
            self.sent.append(on_challenge())
        return self.answers.pop(0)


def account(url: str = "imap://ann:pa%22ss@mail.example.org", command: str | None = None) -> Account:
    return Account(parse_mailbox(url), None, command)


PLAIN = base64.b64encode(b'\0ann\0pa"ss')


@pytest.mark.parametrize(
    ("offered", "challenges", "sent"),
    [
        ({"AUTH=PLAIN", "SASL-IR"}, 0, [b"AUTHENTICATE PLAIN " + PLAIN]),
        ({"AUTH=PLAIN"}, 1, [b"AUTHENTICATE PLAIN", PLAIN]),
        (set(), 0, [b'LOGIN "ann" "pa\\"ss"']),
    ],
)
def test_a_password_is_sent_in_the_way_that_the_server_offers(offered, challenges, sent):
    talk = Talk(challenges)

    sign_in(account(), talk, frozenset(offered))

    assert talk.sent == sent


def test_no_password_is_sent_where_the_server_wants_none():
    talk = Talk()

    with pytest.raises(MailboxRefused) as refused:
        sign_in(account(), talk, frozenset({"LOGINDISABLED"}))

    assert (refused.value.part, talk.sent) == ("sign-in", [])


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (b"[AUTHENTICATIONFAILED] wrong", MailboxRefused),
        (b"wrong", MailboxRefused),
        (b"[UNAVAILABLE] later", MailboxError),
        (b"[INUSE] later", MailboxError),
    ],
)
def test_a_refusal_for_a_time_is_not_the_owners_fault(words, kind):
    with pytest.raises(MailboxError) as caught:
        sign_in(account(), Talk(0, Answer("NO", words)), frozenset())

    assert type(caught.value) is kind


@pytest.fixture
def counting_command(tmp_path):
    """A command that prints a new token each time."""
    count, command = tmp_path / "count", tmp_path / "token"
    count.write_text("0")
    command.write_text(f"#!/bin/sh\nn=$(($(cat {count}) + 1))\necho $n > {count}\necho token$n\n")
    command.chmod(0o700)
    return str(command)


def test_a_cached_token_that_is_refused_is_replaced_once(counting_command):
    mine, offered = (
        account("imap://ann@mail.example.org", counting_command),
        frozenset({"AUTH=XOAUTH2", "SASL-IR"}),
    )
    first, second = Talk(), Talk(1, Answer("NO", b"expired"), Answer("OK", b"in"))

    sign_in(mine, first, offered)
    sign_in(mine, second, offered)

    sent = [base64.b64decode(each.split()[-1]) for each in (*first.sent, *second.sent) if each.strip()]
    assert [each.partition(b"Bearer ")[2].strip(b"\x01") for each in sent] == [
        b"token1",
        b"token1",
        b"token2",
    ]
    assert second.sent[1] == b""  # the answer to the reason that comes with a refusal


def test_without_a_command_or_a_mechanism_the_setting_is_at_fault(counting_command):
    for mine, offered in (
        (account("imap://ann@mail.example.org"), frozenset({"AUTH=XOAUTH2"})),
        (account("imap://ann@mail.example.org", counting_command), frozenset({"AUTH=PLAIN"})),
    ):
        with pytest.raises(MailboxRefused) as refused:
            sign_in(mine, Talk(), offered)
        assert refused.value.part == "sign-in"


def test_capabilities_are_read_in_any_case():
    answer = Answer("OK", b"", (Untagged(b"capability IMAP4rev1 Idle"), Untagged(b"1 EXISTS"), Untagged(b"")))

    assert capabilities(answer) == {"IMAP4REV1", "IDLE"}
