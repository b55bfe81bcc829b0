"""The bytes of a connection to a mailbox server: lines, blocks and messages, whatever pieces they come in."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.ways_in.wire import LONGEST_LINE_BYTES, LineWire
from newsletter.errors import MailboxError


def wire_of(*pieces: bytes) -> LineWire:
    """Return a wire whose server sends these pieces and closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as sock:
            for piece in pieces:
                sock.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()
    wire = LineWire.connect("127.0.0.1", listener.getsockname()[1], 5)
    wire.begin(10, 10_000_000)
    return wire


MESSAGES = st.binary(max_size=300).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n")
PIECES = st.lists(st.integers(1, 40), min_size=1, max_size=30)


@given(MESSAGES, PIECES, st.integers(0, 400))
def test_a_message_ends_at_its_dot_in_any_pieces(message, sizes, keep):
    sent = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n+OK next\r\n"
    pieces, rest = [], sent
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    wire = wire_of(*pieces, rest)

    found = wire.until_dot(keep)
    after = wire.line()
    wire.close()

    assert after == b"+OK next"
    assert message.startswith(found)
    # A stuffed dot may have taken the place of a byte.
    assert len(found) >= min(keep, len(message)) - sent.count(b"\r\n..")


def test_lines_and_blocks_follow_each_other():
    wire = wire_of(b"one\r\ntw", b"o\nabc", b"defghi\r\n")

    assert [wire.line(), wire.line()] == [b"one", b"two"]
    assert wire.block(8, 3) == b"abc"
    assert wire.line() == b"i"
    wire.close()


def test_an_empty_message_is_empty():
    wire = wire_of(b".\r\n")

    assert wire.until_dot(10) == b""
    wire.close()


def test_a_line_without_an_end_is_an_error():
    wire = wire_of(b"x" * (LONGEST_LINE_BYTES + 200_000))

    with pytest.raises(MailboxError, match="without an end"):
        wire.line()
    wire.close()


def test_more_than_was_asked_for_is_an_error():
    wire = wire_of(b"x" * 5000)
    wire.begin(10, 4000)

    with pytest.raises(MailboxError, match="more than was asked for"):
        wire.block(5000, 5000)
    wire.close()


def test_a_closed_connection_is_an_error():
    wire = wire_of(b"part of a line")

    with pytest.raises(MailboxError, match="closed the connection"):
        wire.line()
    wire.close()


def test_the_deadline_is_for_all_bytes_together():
    wire = wire_of(b"x")
    wire.begin(-1, 100)

    with pytest.raises(MailboxError, match="in time"):
        wire.line()
    wire.close()
