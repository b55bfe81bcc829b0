"""The URL of a mailbox: what it may contain, and that no message shows a part of a password."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.settings import Mailbox, RelaySecurity
from newsletter.settings.parse.common import PERCENT_ENCODE
from newsletter.settings.parse.mailbox_urls import parse_mailbox, parse_mailboxes

TLS, STARTTLS, NONE = RelaySecurity.TLS, RelaySecurity.STARTTLS, RelaySecurity.NONE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("imaps://a:b@mail.example.org", Mailbox("imap", "mail.example.org", 993, TLS, "a", "b")),
        ("imap://a:b@mail.example.org", Mailbox("imap", "mail.example.org", 143, STARTTLS, "a", "b")),
        ("imap://a:b@127.0.0.1:1143", Mailbox("imap", "127.0.0.1", 1143, NONE, "a", "b")),
        ("pop3s://a:b@[::1]", Mailbox("pop3", "::1", 995, TLS, "a", "b")),
        ("pop3://a:b@h.example?tls=none", Mailbox("pop3", "h.example", 110, NONE, "a", "b")),
        (
            "IMAPS://a@b.example:c%40d@h.example/",
            Mailbox("imap", "h.example", 993, TLS, "a@b.example", "c@d"),
        ),
        ("imaps://a@h.example/x%20y/z", Mailbox("imap", "h.example", 993, TLS, "a", None, "x y/z")),
        (
            "imaps://a:b@h.example/x?done=delete&poll_seconds=60",
            Mailbox("imap", "h.example", 993, TLS, "a", "b", "x", "delete", None, 60),
        ),
        (
            "imaps://a:b@h.example?move_to=Old%20mail",
            Mailbox("imap", "h.example", 993, TLS, "a", "b", move_to="Old mail"),
        ),
    ],
)
def test_a_mailbox_is_read_from_its_url(url, expected):
    assert parse_mailbox(url) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("imaps://mail.example.org", "has no user name"),
        ("imaps://:secret@mail.example.org", "has no user name"),
        ("smtp://a:b@mail.example.org", "is not a URL"),
        ("imaps://a:b@", "no host"),
        ("imaps://a:b@h.example:0", "port"),
        ("pop3s://a:b@h.example/INBOX", "POP3 does not have"),
        ("pop3s://a:b@h.example?move_to=x", "POP3 does not have"),
        ("imaps://a:b@h.example?done=move", "none of keep, delete"),
        ("imaps://a:b@h.example?don=keep", "did you mean done?"),
        ("imaps://a:b@h.example?done=delete&move_to=x", "only one"),
        ("imaps://a:b@h.example?poll_seconds=1", "from 10 to"),
        ("imaps://a%0D%0ADELETE:b@h.example", "control character"),
        ("imaps://a:b%00@h.example", "control character"),
        ("imaps://a:b/c@h.example", PERCENT_ENCODE),
        ("imaps://a:b?c@h.example", PERCENT_ENCODE),
        ("imaps://a:b#c@h.example", PERCENT_ENCODE),
    ],
)
def test_a_fault_is_told_in_words(url, words):
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_mailbox(url)

    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


PASSWORDS = st.text(string.ascii_letters + string.digits + "#/?[]@:%,=&;+ ÄÖ漢\n\t", min_size=1, max_size=20)


@given(PASSWORDS.map(lambda text: f"qZ7{text}9vX"))
def test_no_message_about_a_mailbox_shows_a_part_of_its_password(password):
    try:
        found = parse_mailboxes(f"imaps://ann:{password}@mail.example.org/INBOX")
    except ValueError as fault:
        assert "qZ7" not in str(fault)
        assert "9vX" not in str(fault)
    else:
        assert "qZ7" not in repr(found)


def test_one_mailbox_cannot_be_named_twice_and_its_key_does_not_depend_on_the_password():
    with pytest.raises(ValueError, match="twice"):
        parse_mailboxes("imaps://a:b@h.example, imaps://a:c@h.example?done=delete")

    assert len(parse_mailboxes("imaps://a:b@h.example, imaps://a:b@h.example/x, imaps://c:b@h.example")) == 3
