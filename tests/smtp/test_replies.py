from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import ProtocolError
from newsletter.smtp.replies import MAX_LINE_BYTES, MAX_LINES, Reply, ReplyReader


def read(*pieces: bytes) -> list[Reply]:
    subscriber = ReplyReader()
    replies = []
    for piece in pieces:
        subscriber.feed(piece)
        while (reply := subscriber.take()) is not None:
            replies.append(reply)
    assert subscriber.idle
    return replies


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30)
CODES = st.integers(200, 599)
REPLIES = st.lists(st.tuples(CODES, st.lists(WORDS, min_size=1, max_size=4)), min_size=1, max_size=4)


def wire(code: int, lines: list[str], end: str) -> bytes:
    *first, last = lines
    return ("".join(f"{code}-{line}{end}" for line in first) + f"{code} {last}{end}").encode()


@given(REPLIES, st.sampled_from(["\r\n", "\n"]), st.data())
def test_replies_are_the_same_wherever_the_network_cuts_them(replies, end, data):
    stream = b"".join(wire(code, lines, end) for code, lines in replies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    expected = [Reply(code, tuple(line.strip() for line in lines)) for code, lines in replies]

    assert read(*pieces) == expected
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == expected


@given(st.binary(max_size=300), st.integers(1, 20))
def test_any_bytes_are_replies_or_a_protocol_error(data, size):
    subscriber = ReplyReader()
    try:
        for start in range(0, len(data), size):
            subscriber.feed(data[start : start + size])
            while (reply := subscriber.take()) is not None:
                assert 200 <= reply.code <= 599
                assert reply.text.isprintable() or not reply.text.isascii()
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\r\n",
        b"25 no\r\n",
        b"2500 no\r\n",
        b"250_no\r\n",
        b"\r\n",
        b"150 no\r\n",
        b"600 no\r\n",
        b"250\tno\r\n",
    ],
)
def test_what_is_no_reply_is_an_error(line):
    with pytest.raises(ProtocolError):
        read(line)


def test_a_good_reply_before_garbage_is_not_lost():
    subscriber = ReplyReader()

    subscriber.feed(b"250 2.0.0 queued\r\nHTTP/1.1 400\r\n")

    assert subscriber.take() == Reply(250, ("2.0.0 queued",))
    with pytest.raises(ProtocolError):
        subscriber.take()


def test_one_reply_with_two_codes_is_an_error():
    with pytest.raises(ProtocolError):
        read(b"250-one\r\n550 two\r\n")


def test_a_code_alone_is_a_reply():
    assert read(b"250\r\n250-\r\n250\r\n") == [Reply(250, ("",)), Reply(250, ("", ""))]


def test_a_line_without_end_is_an_error_before_memory_runs_out():
    subscriber = ReplyReader()
    subscriber.feed(b"250 " + b"x" * (MAX_LINE_BYTES - 4))
    assert subscriber.take() is None

    subscriber.feed(b"x")

    with pytest.raises(ProtocolError):
        subscriber.take()


def test_a_reply_without_end_is_an_error_before_memory_runs_out():
    subscriber = ReplyReader()
    subscriber.feed(b"250-x\r\n" * MAX_LINES)
    assert subscriber.take() is None

    subscriber.feed(b"250-x\r\n")

    with pytest.raises(ProtocolError):
        subscriber.take()


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        (550, "5.1.1 no such user", "5.1.1"),
        (550, "5.1.1: no such user", "5.1.1"),
        (550, "#5.1.0 Address rejected", "5.1.0"),
        (452, "4.2.2 full", "4.2.2"),
        (250, "2.0.0", "2.0.0"),
        (450, "5.1.1 says one thing and means another", ""),
        (550, "no such user", ""),
        (550, "192.0.2.1 is listed", ""),
        (550, "5.1.1.1 is no status", ""),
        (354, "3.0.0", ""),
    ],
)
def test_the_enhanced_status_is_read_from_the_text(code, text, status):
    assert Reply(code, (text,)).status == status


def test_control_characters_never_reach_a_log():
    (reply,) = read(b"550 \x1b[31mred\x00\x9b\xff\r\n")

    assert "\x1b" not in str(reply)
    assert "\x00" not in str(reply)


def test_a_reply_reads_as_people_write_it():
    (reply,) = read(b"550-5.1.1 no such user\r\n550 5.1.1 here\r\n")

    assert str(reply) == "550 5.1.1 no such user 5.1.1 here"
    assert reply.permanent
    assert not reply.transient
    assert not reply.positive
    assert not reply.local
