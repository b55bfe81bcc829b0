"""The SMTP and LMTP server in real conversations: what it accepts, what it rejects, and its limits."""

from __future__ import annotations

import smtplib
import socket
import time

import pytest
from house import make_house, make_settings
from servers.processes import free_port as any_free_port
from service_listener import listening

from newsletter.mail.verp import LEAVE_KEY, RETURN_KEY, delivery_token, leave_address
from newsletter.models import Base, Delivery, ReturnedMail, Subscriber, Subscription, SubscriptionState
from newsletter.service.incoming import server
from newsletter.service.incoming.apply import ASKED_BY_MAIL
from newsletter.service.incoming.server import ConnectionLimit

MAILBOX = "leave@news.example.org"
MAIL = b"From: ada@example.org\r\nSubject: unsubscribe\r\n\r\n.\r\nPlease.\r\n"


@pytest.fixture
def doors(tmp_path):
    """A listening installation with one subscriber: its unsubscribe address, its SMTP and its LMTP port."""
    ports = [any_free_port(), any_free_port()]
    listen = f"smtp://127.0.0.1:{ports[0]}, lmtp://127.0.0.1:{ports[1]}"
    house = make_house(make_settings(tmp_path, unsubscribe_address=MAILBOX, intake_listen=listen))
    house.add_subscriber(house.topic("harbours"), name="ada")
    (subscriber,) = house.all(Subscriber)
    key = house.runtime.tokens.derived_key(LEAVE_KEY)
    with listening(house.runtime):
        yield house, leave_address(MAILBOX, subscriber.public_id, 42, key), *ports
    house.runtime.engine.dispose()


def is_active(house) -> bool:
    (row,) = house.all(Subscription)
    return row.state is SubscriptionState.ACTIVE


def test_an_email_by_smtp_is_done_before_it_is_answered(doors):
    house, address, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk:
        refused = talk.sendmail("ada@example.org", [address.upper()], MAIL)

    assert refused == {}
    assert not is_active(house)


def test_an_email_with_an_empty_sender_and_8_bit_letters_is_taken(doors):
    house, address, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.sendmail("", [address], b"From: \xff\xfe\r\n\r\n\xe4\r\n", ["BODY=8BITMIME"])

    assert not is_active(house)


def test_lmtp_replies_once_for_each_recipient(doors):
    house, address, _, port = doors

    with smtplib.LMTP("127.0.0.1", port) as talk:
        talk.ehlo()
        assert talk.mail("ada@example.org")[0] == 250
        assert [talk.rcpt(to)[0] for to in (address, "stranger@example.org", MAILBOX)] == [250, 550, 250]
        assert talk.docmd("DATA")[0] == 354
        talk.send(MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert [talk.getreply()[0], talk.getreply()[0]] == [250, 250]
        assert talk.noop()[0] == 250

    assert not is_active(house)


@pytest.mark.parametrize(
    "recipient",
    [
        "stranger@example.org",
        "postmaster@news.example.org",
        "leave+@news.example.org",
        "leave+" + "a" * 40 + "@news.example.org",
        "leave%example.org@news.example.org",
        "victim@example.com",
    ],
)
def test_nobody_elses_email_is_taken_or_passed_on(doors, recipient):
    house, _, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.ehlo()
        talk.mail("spammer@example.org")
        code, text = talk.rcpt(recipient)
        data = talk.docmd("DATA")

    assert (code, text[:5]) == (550, b"5.1.1")
    assert data[0] == 503
    assert is_active(house)


def test_a_database_failure_leaves_the_email_with_its_server_until_it_is_over(doors):
    house, address, port, lmtp_port = doors
    Base.metadata.tables["consent_entry"].drop(house.runtime.engine)

    with smtplib.SMTP("127.0.0.1", port) as talk, pytest.raises(smtplib.SMTPDataError) as refused:
        talk.sendmail("ada@example.org", [address], MAIL)
    with smtplib.LMTP("127.0.0.1", lmtp_port) as talk, pytest.raises(smtplib.SMTPDataError) as refused_too:
        talk.sendmail("ada@example.org", [address], MAIL)
    still_active = is_active(house)
    Base.metadata.tables["consent_entry"].create(house.runtime.engine)
    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.sendmail("ada@example.org", [address], MAIL)

    assert refused.value.smtp_code == refused_too.value.smtp_code == 451
    assert b"consent" not in refused.value.smtp_error
    assert still_active
    assert not is_active(house)


def test_an_email_that_is_too_large_is_refused_by_its_size_and_by_its_bytes(doors):
    house, address, port, _ = doors
    limit = server.LARGEST_MAIL_BYTES

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.ehlo()
        announced = talk.mail("ada@example.org", [f"SIZE={limit + 1}"])
        talk.mail("ada@example.org")
        talk.rcpt(address)
        sent = talk.data(b"x" * 998 + b"\r\n" + (b"y" * 998 + b"\r\n") * (limit // 1000))
        noop = talk.noop()

    assert (announced[0], sent[0], noop[0]) == (552, 552, 250)
    assert is_active(house)


@pytest.mark.parametrize("line", [b"y\r\n", b".\r\n", b"\r\n", b".y\n", b"y"], ids=repr)
@pytest.mark.parametrize("times", [1, 4])
def test_a_message_that_is_too_large_is_read_to_its_end_and_refused_for_good(doors, line, times):
    house, address, port, _ = doors
    size = times * server.LARGEST_MAIL_BYTES + len(line)

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.ehlo()
        talk.mail("ada@example.org")
        talk.rcpt(address)
        refused = talk.data(line * (size // len(line)))
        taken = talk.sendmail("ada@example.org", [address], MAIL)

    assert refused == (552, b"5.3.4 Message too large")
    assert taken == {}
    assert not is_active(house)


def test_lmtp_refuses_a_message_that_is_too_large_once_for_each_recipient(doors):
    _, address, _, port = doors

    with smtplib.LMTP("127.0.0.1", port) as talk:
        talk.ehlo()
        talk.mail("ada@example.org")
        talk.rcpt(address)
        talk.rcpt(MAILBOX)
        codes = [talk.data(b"y" * 2 * server.LARGEST_MAIL_BYTES)[0], talk.getreply()[0], talk.noop()[0]]

    assert codes == [552, 552, 250]


def test_stuffed_dots_are_no_part_of_the_size_of_a_message(doors):
    house, address, port, _ = doors
    size = server.LARGEST_MAIL_BYTES - len(MAIL)

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.sendmail("ada@example.org", [address], MAIL + b".\r\n" * (size // 3))

    assert not is_active(house)


def test_a_command_without_an_end_ends_the_conversation(doors):
    _, _, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk:
        with pytest.raises(OSError, match=r"reset|Broken pipe|[Cc]onnection"):
            for _ in range(100):
                talk.sock.sendall(b"x" * (1 << 20))
        talk.close()


def test_a_long_line_is_no_reason_to_refuse_a_request_to_unsubscribe(doors):
    house, address, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.sendmail("ada@example.org", [address], MAIL + b"z" * 20_000 + b"\r\n")

    assert not is_active(house)


def test_a_lone_dot_between_bare_line_feeds_ends_no_message(doors):
    house, address, port, _ = doors
    smuggled = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\nx\r\n" % address.encode()

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.ehlo()
        talk.mail("ada@example.org")
        talk.rcpt(MAILBOX)
        talk.docmd("DATA")
        talk.sock.sendall(b"Auto-Submitted: auto-generated\r\n\r\nx\n.\n" + smuggled + b"\n.\r\n\r\n.\r\n")
        assert talk.getreply()[0] == 250
        assert talk.noop()[0] == 250

    assert is_active(house)


def test_over_a_limit_every_sender_is_asked_to_come_again(doors):
    _, _, port, lmtp_port = doors
    codes = []

    with smtplib.SMTP("127.0.0.1", port) as talk:
        for number in range(int(ASKED_BY_MAIL.burst) + 2):
            talk.ehlo_or_helo_if_needed()
            sender = "ada@example.org" if number > ASKED_BY_MAIL.burst else f"r{number}@example.org"
            talk.mail(sender)
            talk.rcpt(MAILBOX)
            codes.append(talk.data(f"From: {sender}\r\n\r\n.\r\n".encode())[0])
    with smtplib.LMTP("127.0.0.1", lmtp_port) as talk, pytest.raises(smtplib.SMTPDataError) as refused:
        talk.sendmail("bob@example.org", [MAILBOX], b"From: bob@example.org\r\n\r\n.\r\n")

    assert codes == [250] * int(ASKED_BY_MAIL.burst) + [451, 451]
    assert refused.value.smtp_code == 451


def test_messages_of_any_shape_end_where_their_dot_is(doors):
    house, address, port, _ = doors
    messages = [b"", b"\r\n", b".\r\n..\r\n", b"x" * 70_000 + b"\r\n.x\r\n", b"\r\n" * 40_000]

    with smtplib.SMTP("127.0.0.1", port) as talk:
        codes = []
        for each in messages:
            talk.ehlo_or_helo_if_needed()
            talk.mail("ada@example.org")
            talk.rcpt(MAILBOX)
            codes.append(talk.data(each)[0])
        talk.sendmail("ada@example.org", [address], MAIL)

    assert codes == [250] * len(messages)
    assert not is_active(house)


def test_a_client_that_only_talks_is_sent_away(doors):
    _, _, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk:
        codes = [talk.docmd("NOOP")[0] for _ in range(server.MOST_COMMANDS["NOOP"] + 1)]
        talk.close()

    assert codes[-1] == 421
    assert set(codes[:-1]) == {250}


def test_whoever_falls_silent_or_drips_is_sent_away(tmp_path):
    port = any_free_port()
    listen = f"smtp://127.0.0.1:{port}"
    house = make_house(make_settings(tmp_path, unsubscribe_address=MAILBOX, intake_listen=listen))

    with listening(house.runtime, patience_seconds=0.3):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
            told = silent.makefile("rb").read()
        dripping = smtplib.SMTP("127.0.0.1", port)
        dripping.ehlo()
        dripping.mail("ada@example.org")
        dripping.rcpt(MAILBOX)
        dripping.docmd("DATA")
        deadline = time.monotonic() + 20
        with pytest.raises(OSError, match=r"reset|Broken pipe|[Cc]onnection"):
            while time.monotonic() < deadline:
                dripping.sock.sendall(b"x\r\n")
                time.sleep(0.02)
        dripping.close()
    house.runtime.engine.dispose()

    assert told.startswith(b"220")
    assert told.count(b"\r\n") == 1


@pytest.mark.parametrize(("protocol", "replies"), [("smtp", 1), ("lmtp", 2)])
def test_a_message_that_is_too_large_and_never_ends_is_refused_when_its_time_is_over(
    tmp_path, protocol, replies
):
    port = any_free_port()
    listen = f"{protocol}://127.0.0.1:{port}"
    house = make_house(make_settings(tmp_path, unsubscribe_address=MAILBOX, intake_listen=listen))

    with listening(house.runtime, patience_seconds=4), smtplib.SMTP("127.0.0.1", port, timeout=20) as talk:
        talk.docmd("EHLO" if protocol == "smtp" else "LHLO", "there")
        talk.mail("ada@example.org")
        talk.rcpt(MAILBOX)
        talk.rcpt(MAILBOX)
        talk.docmd("DATA")
        talk.sock.sendall(b"x" * 2 * server.LARGEST_MAIL_BYTES)
        told = talk.sock.makefile("rb").read()
        talk.close()
    house.runtime.engine.dispose()

    assert told == b"552 5.3.4 Message too large\r\n" * replies


def test_one_peer_cannot_take_every_place_and_a_place_is_given_back(doors):
    _, _, port, _ = doors
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(server.MOST_CONNECTIONS_OF_A_PEER)]
    greeted = [each.makefile("rb").readline()[:3] for each in held]

    with socket.create_connection(("127.0.0.1", port)) as one_more:
        answer = one_more.makefile("rb").read()
    held.pop().close()
    deadline = time.monotonic() + 10
    while not greets(port) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert set(greeted) == {b"220"}
    assert answer.startswith(b"421 4.3.2")
    assert greets(port)
    for each in held:
        each.close()


def greets(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)) as one:
        return one.makefile("rb").readline().startswith(b"220")


def test_the_room_counts_each_peer_and_all_of_them():
    limit = ConnectionLimit(places=3, places_of_a_peer=2)

    assert [limit.enter(peer) for peer in ("a", "a", "a", "b", "b")] == [True, True, False, True, False]
    limit.leave("a")
    assert limit.enter("b")


@pytest.mark.parametrize(
    "noise",
    [
        b"\xff\xfe\xfd\r\n",
        b"\0\r\n",
        b"MAIL FROM:<" + b"(" * 480 + b"\r\n",
        b"EHLO\r\n",
        b"DATA\r\n",
        b"\r\n",
    ],
)
def test_noise_is_answered_with_an_error_and_the_next_email_is_taken(doors, noise):
    house, address, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk:
        talk.ehlo()
        talk.sock.sendall(noise)
        code = talk.getreply()[0]
        talk.rset()
        talk.sendmail("ada@example.org", [address], MAIL)

    assert 400 <= code < 600
    assert not is_active(house)


def test_a_report_to_a_signed_return_path_is_recorded_before_it_is_answered(doors):
    house, _, port, _ = doors
    house.release("Harbours open")
    house.send()
    (delivery,) = house.all(Delivery)
    token = delivery_token(str(delivery.id), house.runtime.tokens.derived_key(RETURN_KEY))
    report = b"Subject: failure notice\r\n\r\nfailed:\r\n<p1@example.org>: user unknown\r\n"

    with smtplib.SMTP("127.0.0.1", port) as talk:
        refused = talk.sendmail("", [f"{token}@example.org"], report)

    assert refused == {}
    (row,) = house.all(ReturnedMail)
    assert row.delivery_id == delivery.id


def test_a_forged_return_path_does_not_exist(doors):
    _, _, port, _ = doors

    with smtplib.SMTP("127.0.0.1", port) as talk, pytest.raises(smtplib.SMTPRecipientsRefused):
        talk.sendmail("", [f"b-1-{'a' * 16}@example.org"], MAIL)
