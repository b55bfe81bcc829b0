"""A connection to a relay: how much may have left it, and which bytes it must not take for a reply."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from newsletter.errors import ConnectionLost, ProtocolError, TransportError
from newsletter.smtp.wire import Wire


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    """A wire, and the relay's end of the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Wire.connect("127.0.0.1", server.getsockname()[1], 5)
        relay, _ = server.accept()
    with relay:
        yield wire, relay
    wire.close()


def test_a_port_on_which_nothing_listens_is_named(free_port: int):
    with pytest.raises(TransportError, match=f"127.0.0.1:{free_port} cannot be reached"):
        Wire.connect("127.0.0.1", free_port, 5)


def test_a_reply_that_comes_in_pieces_is_read_whole(ends):
    wire, relay = ends

    relay.sendall(b"250-one\r\n25")
    relay.sendall(b"0 two\r\n220 next\r\n")

    assert wire.reply(5).lines == ("one", "two")
    assert wire.reply(5).code == 220


def test_all_that_was_written_has_left(ends):
    wire, relay = ends

    wire.write(b"x" * 1_000, 5)

    assert wire.left == 1_000
    assert relay.recv(2_000) == b"x" * 1_000
    assert not wire.encrypted


def test_a_relay_that_reads_nothing_leaves_a_part_unsent(ends):
    wire, _ = ends
    size = 64 * 1024 * 1024

    with pytest.raises(ConnectionLost, match="broke while sending"):
        wire.write(b"x" * size, 0.2)

    assert 0 < wire.left < size


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_reply_that_does_not_come_in_time_ends_the_connection(ends, seconds):
    with pytest.raises(ConnectionLost, match="no answer in"):
        ends[0].reply(seconds)


def test_a_closed_connection_is_stale_and_gives_no_reply(ends):
    wire, relay = ends
    assert not wire.stale()

    relay.close()

    with pytest.raises(ConnectionLost, match="closed the connection"):
        wire.reply(5)
    assert wire.stale()


@pytest.mark.parametrize(
    ("said", "fault", "words"),
    [
        (b"421 4.3.2 going down\r\n", ConnectionLost, "ends the conversation"),
        (b"250 ok\r\n", ProtocolError, "something unasked"),
        (b"250-part", ProtocolError, "part of a reply"),
    ],
)
def test_what_nobody_asked_for_is_noticed_before_the_next_command(ends, said, fault, words):
    wire, relay = ends
    wire.expect_silence()

    relay.sendall(b"220 hello\r\n" + said)
    wire.reply(5)

    with pytest.raises(fault, match=words):
        wire.expect_silence()


def test_plain_text_after_the_reply_to_starttls_is_refused(ends):
    import ssl

    wire, relay = ends
    relay.sendall(b"220 go ahead\r\n250 injected\r\n")
    wire.reply(5)

    with pytest.raises(ProtocolError, match="plain text after"):
        wire.start_tls(ssl.create_default_context(), "relay.example.org", 5)
