from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.classify import (
    ForOwner,
    LinkRequestByEmail,
    NothingToDo,
    OwnAddresses,
    Returned,
    UnsubscribeByEmail,
    is_automatic,
    read_mail,
)
from newsletter.bounces.read_header import LONGEST_HEADER_BYTES, addresses_in, only_author, read_header
from newsletter.mail.verp import delivery_token, leave_address

KEY = b"k" * 32
OWN = OwnAddresses("leave@news.example.org", KEY)
READER = "abcDEF-_0123"
SIGNED = leave_address("leave@news.example.org", READER, 42, KEY) or ""
UNSUBSCRIBES = [UnsubscribeByEmail(READER, 42)]


def mail(*lines: str, to: str = "leave@news.example.org", author: str = "Ada <ada@example.net>") -> bytes:
    head = [f"From: {author}", f"To: {to}", "Subject: unsubscribe", *lines]
    return "\r\n".join([*head, "", "Please.", ""]).encode()


def test_an_email_to_the_signed_address_unsubscribes_its_subscriber() -> None:
    assert read_mail(mail(), OWN, [SIGNED], "ada@example.net") == UNSUBSCRIBES


@pytest.mark.parametrize(
    "line",
    [
        f"Delivered-To: {SIGNED.upper()}",
        f"X-Original-To: <{SIGNED}>",
        f'Cc: "A, B" <c@example.org>,\r\n\t"The Letter" <{SIGNED}>',
    ],
)
def test_without_an_envelope_the_header_tells_whom_it_was_for(line: str) -> None:
    assert read_mail(mail(line), OWN) == UNSUBSCRIBES


def test_an_extension_that_was_cut_off_on_the_way_is_found_in_the_header() -> None:
    assert read_mail(mail(to=SIGNED), OWN, ["leave@news.example.org"]) == UNSUBSCRIBES


def test_an_mbox_line_before_the_header_is_passed_over() -> None:
    assert read_mail(b"From ada@example.net Mon Nov 23\n" + mail(to=SIGNED), OWN) == UNSUBSCRIBES


def test_a_signed_address_in_the_text_of_an_email_means_nothing() -> None:
    raw = mail(to="someone@example.org") + f"To: {SIGNED}\r\n".encode()

    assert read_mail(raw, OWN) == [NothingToDo("not-ours")]


def test_one_email_to_two_signed_addresses_is_for_both_and_a_repeated_one_counts_once() -> None:
    other = leave_address("leave@news.example.org", "0123abcDEF-_", 7, KEY) or ""

    found = read_mail(mail(to=SIGNED), OWN, [SIGNED, other, SIGNED.upper()])

    assert found == [*UNSUBSCRIBES, UnsubscribeByEmail("0123abcDEF-_", 7)]


def test_a_forged_address_means_nothing() -> None:
    forged = SIGNED.replace(SIGNED[10], "a" if SIGNED[10] != "a" else "b", 1)

    assert read_mail(mail(to=forged), OWN, [forged]) == [NothingToDo("not-ours")]
    assert not OWN.takes(forged)


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: auto-replied (vacation)",
        "Auto-submitted: AUTO-REPLIED; owner-email=a@b",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
        "Content-Type: Multipart/Report;\r\n report-type=disposition-notification",
        "X-Autoreply: yes",
        "Precedence: auto_reply",
    ],
)
def test_an_automatic_answer_unsubscribes_nobody(line: str) -> None:
    assert read_mail(mail(line), OWN, [SIGNED]) == [Returned((SIGNED, "leave@news.example.org"))]


@pytest.mark.parametrize("line", ["Auto-Submitted: auto-generated", "Precedence: bulk", "Return-Path: <>"])
def test_an_email_that_a_provider_sends_for_its_user_unsubscribes_them(line: str) -> None:
    assert read_mail(mail(line), OWN, [SIGNED], "") == UNSUBSCRIBES


def test_an_email_to_the_plain_address_asks_for_a_link_and_ends_nothing() -> None:
    (asked,) = read_mail(mail(), OWN, ["Leave@News.Example.org"], "ada@example.net")

    assert isinstance(asked, LinkRequestByEmail)
    assert asked.address.text == "ada@example.net"


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
        "Precedence: list",
        "List-Id: <some.list.example>",
        "List-Unsubscribe: <https://example.org/>",
        "X-Loop: leave",
        "Return-Path: <>",
        "Return-Path: <MAILER-DAEMON@mx.example.net>",
    ],
)
def test_automatic_email_to_the_plain_address_is_never_answered(line: str) -> None:
    assert read_mail(mail(line), OWN) == [NothingToDo("automatic")]


@pytest.mark.parametrize("sender", ["", "<>", "MAILER-DAEMON", "mailer-daemon@mx.example.net"])
def test_a_bounce_is_known_by_its_envelope(sender: str) -> None:
    assert is_automatic({}, sender)
    assert not is_automatic({}, "ada@example.net")


@pytest.mark.parametrize(
    "author",
    [
        "",
        "nobody",
        "a@example.org, b@example.org",
        "A <a@example.org>, B <b@example.org>",
        "a@localhost",
        "=?utf-8?q?=00?= <\x00@\x00>",
    ],
)
def test_an_email_without_one_author_is_not_answered(author: str) -> None:
    assert read_mail(mail(author=author), OWN) == [NothingToDo("no-author")]


@pytest.mark.parametrize(
    ("author", "address"),
    [
        ("ada@example.org", "ada@example.org"),
        ("ada@example.org (Ada, of course)", "ada@example.org"),
        ('"ada@example.org" <ada@example.org>', "ada@example.org"),
        ('"boss@example.com" <ada@example.org>', "ada@example.org"),
        ("=?utf-8?b?w4TDpMOk?= <ada@example.org>", "ada@example.org"),
    ],
)
def test_the_author_is_the_address_of_from(author: str, address: str) -> None:
    assert only_author({"from": [author]}) == address


def test_nothing_is_ours_when_no_address_is_set() -> None:
    nothing = OwnAddresses(None, KEY)

    assert read_mail(mail(), nothing, ["leave@news.example.org"]) == [NothingToDo("not-ours")]
    assert not nothing.takes("leave@news.example.org")


@given(st.binary(max_size=2000), st.lists(st.text(max_size=90), max_size=4), st.none() | st.text(max_size=90))
def test_no_bytes_whatsoever_break_it(raw: bytes, recipients: list[str], sender: str | None) -> None:
    found = read_mail(raw, OWN, recipients, sender)

    assert found
    assert not any(isinstance(each, UnsubscribeByEmail) for each in found)


PIECES = st.sampled_from(
    [
        b"From:", b"To:", b"Delivered-To: ", b"Auto-Submitted: ", b"\r\n", b"\n", b"\r", b" ", b"\t", b":",
        b"<", b">", b"@", b",", b";", b'"', b"\\", b"(", b"\0", b"\xff", b"=?utf-8?b?", b"?=",
        b"leave@news.example.org",
        b"ada@example.org", b"leave+", b"xn--", "ä".encode(), "\u2028".encode(),
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60))
def test_no_broken_header_breaks_it(pieces: list[bytes]) -> None:
    found = read_mail(b"".join(pieces), OWN)

    assert all(isinstance(each, NothingToDo | LinkRequestByEmail) for each in found)


@pytest.mark.parametrize(
    "unit", [b"a", b"@", b"<", b"a@", b"(", b"To: ", b"\r\n x", b"a@b,", b"-", b"To:a@b\n"]
)
def test_long_headers_cost_no_more_than_their_length(unit: bytes) -> None:
    raw = b"To: " + unit * (4 * LONGEST_HEADER_BYTES // len(unit))

    assert read_mail(raw, OWN) == [NothingToDo("not-ours")]


def test_fields_of_one_name_stay_apart_and_folds_are_joined() -> None:
    header = read_header(b"Received: one\r\n\ttwo\r\nTo: a@b.c\r\nreceived:  three \n\nTo: late@b.c")

    assert header["received"] == ["one two", "three"]
    assert addresses_in(header, ["to"]) == ["a@b.c"]


DOMAIN = "Bounces.news.example.org"
WITH_ROLES = OwnAddresses("leave@news.example.org", KEY, frozenset({DOMAIN.lower()}))


@pytest.mark.parametrize("role", ["postmaster", "abuse"])
def test_an_email_to_a_role_of_our_domain_is_for_the_owner(role: str) -> None:
    address = f"<{role.title()}@bounces.NEWS.example.org>"

    assert WITH_ROLES.takes(address)
    assert WITH_ROLES.role_of(address) == role
    assert read_mail(mail(to="x@example.com"), WITH_ROLES, [address], "ada@example.net") == [ForOwner(role)]


@pytest.mark.parametrize(
    "address",
    [
        "sales@bounces.news.example.org",
        "abuse@news.example.org",
        "abuse@x@bounces.news.example.org",
        "abuse",
    ],
)
def test_no_other_address_is_for_the_owner(address: str) -> None:
    assert WITH_ROLES.role_of(address) is None
    assert OWN.role_of(address) is None
    assert not WITH_ROLES.takes(address)


def test_we_take_mail_to_the_mailbox_and_to_its_signed_addresses() -> None:
    assert OWN.takes("<Leave@News.example.org>")
    assert OWN.takes(SIGNED)


@pytest.mark.parametrize("sender", ["", "<>", "MAILER-DAEMON@example.net", "<mailer-daemon@x@example.net>"])
def test_what_a_program_sends_is_answered_by_nobody(sender: str) -> None:
    automatic = [NothingToDo("automatic")]

    assert read_mail(mail(), OWN, ["leave@news.example.org"], sender) == automatic
    assert read_mail(mail(to="x@example.com"), WITH_ROLES, [f"abuse@{DOMAIN}"], sender) == automatic


@pytest.mark.parametrize("line", ["Auto-Submitted: auto-notified", "X-Autorespond: yes"])
def test_other_automatic_answers_unsubscribe_nobody(line: str) -> None:
    assert read_mail(mail(line), OWN, [SIGNED], "ada@example.net") == [
        Returned((SIGNED, "leave@news.example.org"))
    ]


def test_mail_that_is_marked_as_written_by_a_person_is_not_automatic() -> None:
    assert not is_automatic(read_header(mail("Auto-Submitted: no")), "ada@example.net")
    assert is_automatic(read_header(mail("Precedence: junk")), "ada@example.net")


RETURNING = OwnAddresses(
    "leave@news.example.org", KEY, return_key=b"r" * 32, plain_paths=frozenset({"news@example.org"})
)
PATH = f"{delivery_token('42', b'r' * 32)}@news.example.org"


@pytest.mark.parametrize("address", [PATH, PATH.upper(), "News@example.org"])
def test_everything_that_comes_to_a_return_path_is_a_report(address: str) -> None:
    assert RETURNING.takes(address)
    assert read_mail(mail(to=address), RETURNING, [address], "") == [Returned((address, address))]


@pytest.mark.parametrize("address", [PATH.replace("42", "43"), "other@example.org", "b-42@news.example.org"])
def test_a_return_path_that_we_did_not_sign_does_not_exist(address: str) -> None:
    assert not RETURNING.takes(address)
