from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.smtp.commands import envelope_commands, stuff_dots
from newsletter.smtp.greeting import Extensions
from newsletter.smtp.outcomes import Envelope, Step
from newsletter.smtp.replies import Reply

NOTHING = Extensions()
EVERYTHING = Extensions(eight_bit=True, smtputf8=True, dsn=True, size=10_000)
CONTENT = b"Subject: x\r\n\r\nx\r\n"


LINES = st.lists(
    st.binary(max_size=8).map(lambda b: b.replace(b"\r", b".").replace(b"\n", b"..")), max_size=12
)


@given(LINES)
def test_a_relay_reads_back_what_was_stuffed(lines):
    message = b"".join(line + b"\r\n" for line in lines)

    sent = stuff_dots(message)

    parts = (sent + b".\r\n").split(b"\r\n")
    assert (
        b"\r\n".join(part.removeprefix(b".") for part in parts[:-2]) + (b"\r\n" if lines else b"") == message
    )
    assert b"." not in parts[:-2]


@given(
    st.binary(max_size=40).map(lambda b: b.replace(b"a", b"\r").replace(b"b", b"\n").replace(b"c", b"\r\n"))
)
def test_no_message_ends_early_whatever_a_relay_takes_for_a_line_end(message):
    try:
        sent = stuff_dots(message)
    except ValueError:
        return
    rest = sent.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    assert b"\r\n.\r\n" not in b"\r\n" + sent


@pytest.mark.parametrize(
    "message", [b"a\nb\r\n", b"\n", b"a\r\r\n", b"a\r", b"a\r\n\n", b"\ra\r\n", b"a\r\n.\r.\r\n"]
)
def test_a_lone_cr_or_lf_is_refused(message):
    with pytest.raises(ValueError, match="the message has a"):
        stuff_dots(message)


def test_a_last_line_without_end_gets_one():
    assert stuff_dots(b"a\r\n.") == b"a\r\n..\r\n"
    assert stuff_dots(b"") == b""


def test_only_what_is_offered_is_used():
    assert envelope_commands(Envelope("b@us.test", "r@them.test", "NEVER", "7"), CONTENT, NOTHING) == (
        b"MAIL FROM:<b@us.test>\r\n",
        b"RCPT TO:<r@them.test>\r\n",
    )


def test_what_is_needed_and_offered_is_used():
    envelope = Envelope("b@us.test", "käthe@them.test", "FAILURE,DELAY", "a+b=c")

    assert envelope_commands(envelope, "é\r\n".encode(), EVERYTHING) == (
        b"MAIL FROM:<b@us.test> SIZE=4 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+3Dc\r\n",
        "RCPT TO:<käthe@them.test> NOTIFY=FAILURE,DELAY\r\n".encode(),
    )


def test_the_null_sender_can_be_written():
    assert envelope_commands(Envelope("", "r@them.test"), CONTENT, NOTHING)[0] == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    ("recipient", "content", "step", "code", "status"),
    [
        ("r@them.test", b"x" * 10_001, Step.MAIL, 552, "5.3.4"),
        ("käthe@them.test", CONTENT, Step.RCPT, 553, "5.6.7"),
        ("käthe@them.test", "To: käthe@them.test\r\n".encode(), Step.RCPT, 553, "5.6.7"),
        ("r@them.test", b"\xc3\xa9\r\n", Step.MAIL, 554, "5.6.3"),
        ("r@them.test>", CONTENT, Step.RCPT, 553, "5.1.3"),
    ],
)
def test_what_the_relay_would_refuse_is_refused_here(recipient, content, step, code, status):
    answer = envelope_commands(Envelope("b@us.test", recipient), content, Extensions(size=10_000))

    assert answer[0] is step
    reply = answer[1]
    assert isinstance(reply, Reply)
    assert (reply.local, reply.code, reply.status) == (True, code, status)


@pytest.mark.parametrize(
    "address",
    [
        "a.b+c=d@them.test",
        '"a b>\\"c"@them.test',
        "o'hara@them.test",
        "r@[192.0.2.1]",
        "r@[IPv6:2001:db8::1]",
        "köln@köln.test",
    ],
)
def test_any_real_address_can_be_written(address):
    _, rcpt = envelope_commands(Envelope("b@us.test", address), CONTENT, EVERYTHING)

    assert rcpt == f"RCPT TO:<{address}>\r\n".encode()


TRICKS = [
    "a@b\r\nRSET",
    "a@b>",
    "a@b> X=<",
    "a b@c",
    "a@b c",
    "a\0@b",
    '"a\r"@b',
    "a@b\x85",
    "@b",
    "a@",
    "a",
    "\ud800@b",
    "a" * 400 + "@b",
]


@pytest.mark.parametrize("address", TRICKS)
def test_no_trick_in_an_address_is_written(address):
    assert isinstance(envelope_commands(Envelope("b@us.test", address), CONTENT, EVERYTHING)[1], Reply)
    with pytest.raises(ValueError, match="return path"):
        envelope_commands(Envelope(address, "r@them.test"), CONTENT, EVERYTHING)


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_the_address_a_command_is_one_line(local, domain):
    answer = envelope_commands(Envelope("b@us.test", f"{local}@{domain}"), CONTENT, EVERYTHING)

    if isinstance(answer[1], bytes):
        assert answer[1].endswith(b">\r\n")
        assert not set(answer[1][:-2]) & {0, 10, 13}


@pytest.mark.parametrize(
    ("notify", "envelope_id"),
    [("NEVER,FAILURE", ""), ("NEVER\r\nRSET", ""), ("NEVER", "é"), ("NEVER", "a\nb")],
)
def test_dsn_wishes_cannot_carry_a_command(notify, envelope_id):
    with pytest.raises(ValueError, match=r"cannot be an envelope id|is not a NOTIFY"):
        envelope_commands(Envelope("b@us.test", "r@them.test", notify, envelope_id), CONTENT, EVERYTHING)
