from __future__ import annotations

import base64
import dataclasses
import socket

import pytest
from smtp.certificates import Authority
from smtp.relay_script import EHLO, LOOPBACK, QUICK, Session, scripted_relay

from newsletter.errors import ConnectionLost, ProtocolError, RelayRefused, TransportError
from newsletter.settings import Relay, RelaySecurity
from newsletter.smtp.connection import Connection
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.greeting import parse_ehlo
from newsletter.smtp.outcomes import Envelope, Fate, Outgoing, Step
from newsletter.smtp.replies import Reply

MESSAGE = Outgoing(1, Envelope("b1@us.test", "r1@them.test"), lambda: b"Subject: 1\r\n\r\none\r\n")
TLS_EHLO = (*EHLO, "STARTTLS")


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def send_one(endpoint: Endpoint):
    connection = Connection.open(endpoint)
    ((_, outcome),) = connection.send([MESSAGE])
    connection.quit()
    return outcome


def plain(username: str, password: str) -> str:
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode()


def test_what_a_relay_offers_is_read_from_ehlo():
    lines = (
        "relay.test",
        "PIPELINING",
        "size 1000",
        "8bitmime",
        "AUTH LOGIN",
        "AUTH=PLAIN",
        "DSN",
        "",
        "X-WHAT ever",
    )

    offered = parse_ehlo(Reply(250, lines))

    assert (offered.pipelining, offered.eight_bit, offered.dsn) == (True, True, True)
    assert (offered.smtputf8, offered.starttls) == (False, False)
    assert offered.size == 1000
    assert offered.auth == {"LOGIN", "PLAIN"}


@pytest.mark.parametrize("line", ["SIZE", "SIZE 0", "SIZE many", "SIZE ²"])
def test_a_size_that_says_nothing_is_no_limit(line):
    assert parse_ehlo(Reply(250, ("relay.test", line))).size is None


def test_the_relays_own_name_is_no_extension():
    assert not parse_ehlo(Reply(250, ("PIPELINING", "HELP"))).pipelining


def test_an_old_relay_is_greeted_with_helo():
    with scripted_relay(answers={"EHLO": "502 5.5.1 what?"}) as script:
        assert send_one(script.endpoint()).accepted

    assert script.commands[:2] == ["EHLO us.test", "HELO us.test"]


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("greeting", "554 5.7.1 not you"),
        ("greeting", "421 4.7.0 too many connections"),
        ("EHLO", "421 4.3.2 closing"),
        ("EHLO", "450 4.7.1 later"),
    ],
)
def test_a_refused_greeting_is_an_error_with_its_code(key, answer):
    with scripted_relay(answers={key: answer}) as script, pytest.raises(RelayRefused) as caught:
        Connection.open(script.endpoint())

    assert caught.value.code == int(answer[:3])
    assert caught.value.status == answer[4:9]


@pytest.mark.parametrize("key", ["greeting", "EHLO"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [("drop", ConnectionLost), (b"SSH-2.0-x\r\n", ProtocolError), ("stall", ConnectionLost)],
)
def test_a_relay_that_does_not_speak_smtp_is_an_error(key, answer, error):
    times = dataclasses.replace(QUICK, greeting=0.15, sign_in=0.15)
    with scripted_relay(answers={key: answer}) as script, pytest.raises(error):
        Connection.open(script.endpoint(timeouts=times))


def test_a_relay_that_is_not_there_is_an_error_naming_it():
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(TransportError, match=f"{LOOPBACK}:{port}"):
        Connection.open(Endpoint(Relay(LOOPBACK, port, RelaySecurity.NONE), timeouts=QUICK))


@pytest.mark.parametrize("name", ["us.test\r\nMAIL FROM:<>", "us test", ""])
def test_our_name_cannot_carry_a_command(name):
    with pytest.raises(ValueError, match="EHLO"):
        Endpoint(Relay(LOOPBACK, 25, RelaySecurity.NONE), local_name=name)


# TLS


@pytest.mark.parametrize("security", [RelaySecurity.STARTTLS, RelaySecurity.TLS])
@pytest.mark.parametrize(("host", "name"), [(LOOPBACK, LOOPBACK), ("localhost", "localhost")])
def test_a_relay_with_the_right_certificate_gets_the_message_under_tls(authority, security, host, name):
    implicit = security is RelaySecurity.TLS
    options = {
        "ehlo": EHLO if implicit else TLS_EHLO,
        "implicit_tls": implicit,
        "context": authority.server(name),
    }
    with scripted_relay(**options) as script:
        assert send_one(script.endpoint(security=security, host=host, ca_file=authority.ca_file)).accepted

    said = ["EHLO us.test"] if implicit else ["EHLO us.test", "STARTTLS", "EHLO us.test"]
    assert script.commands[: len(said) + 1] == [*said, f"MAIL FROM:<b1@us.test> SIZE={len(MESSAGE.build())}"]


@pytest.mark.parametrize("security", [RelaySecurity.STARTTLS, RelaySecurity.TLS])
@pytest.mark.parametrize(
    ("names", "expired", "trusted"),
    [(["other.test"], False, True), ([LOOPBACK], True, True), ([LOOPBACK], False, False)],
    ids=["another's name", "expired", "unknown authority"],
)
def test_a_relay_with_the_wrong_certificate_gets_nothing(authority, security, names, expired, trusted):
    implicit = security is RelaySecurity.TLS
    context = authority.server(*names, expired=expired)
    ca_file = authority.ca_file if trusted else None
    with (
        scripted_relay(ehlo=TLS_EHLO, implicit_tls=implicit, context=context) as script,
        pytest.raises(TransportError, match="certificate"),
    ):
        Connection.open(script.endpoint(security=security, ca_file=ca_file, username="u", password="p"))

    assert not any(command.startswith(("MAIL", "AUTH")) for command in script.commands)


def test_a_relay_without_starttls_gets_nothing_in_the_open(authority):
    with scripted_relay() as script, pytest.raises(TransportError, match="STARTTLS"):
        Connection.open(script.endpoint(security=RelaySecurity.STARTTLS, ca_file=authority.ca_file))

    assert script.commands == ["EHLO us.test"]


def test_a_refused_starttls_is_an_error():
    answers = {"STARTTLS": "454 4.7.0 TLS not available"}
    with scripted_relay(ehlo=TLS_EHLO, answers=answers) as script, pytest.raises(RelayRefused) as caught:
        Connection.open(script.endpoint(security=RelaySecurity.STARTTLS))

    assert caught.value.code == 454


def test_plain_text_slipped_in_before_tls_is_not_believed(authority):
    slipped = b"220 2.0.0 ready\r\n250-evil.test\r\n250 AUTH PLAIN\r\n"
    options = {"ehlo": TLS_EHLO, "answers": {"STARTTLS": slipped}, "context": authority.server(LOOPBACK)}
    with scripted_relay(**options) as script, pytest.raises(ProtocolError, match="plain text"):
        Connection.open(script.endpoint(security=RelaySecurity.STARTTLS, ca_file=authority.ca_file))


def test_what_was_offered_in_the_open_is_forgotten_under_tls(authority):
    plain_lines = "250-relay.test\r\n250-AUTH PLAIN\r\n250-SIZE 1\r\n250 STARTTLS"
    answers = {"EHLO": [plain_lines, "250-relay.test\r\n250 PIPELINING"]}
    with scripted_relay(answers=answers, context=authority.server(LOOPBACK)) as script:
        outcome = send_one(script.endpoint(security=RelaySecurity.STARTTLS, ca_file=authority.ca_file))

    assert outcome.accepted


def test_bad_tls_is_an_error_and_no_hang():
    with scripted_relay(ehlo=TLS_EHLO, answers={"greeting": b"220 not TLS at all\r\n"}) as script:
        times = dataclasses.replace(QUICK, sign_in=0.5)
        with pytest.raises(TransportError, match="TLS"):
            Connection.open(script.endpoint(security=RelaySecurity.TLS, timeouts=times))


def test_a_missing_file_of_certificates_is_an_error_naming_it(tmp_path):
    missing = str(tmp_path / "none.pem")
    with scripted_relay(ehlo=TLS_EHLO) as script, pytest.raises(TransportError, match=r"none\.pem"):
        Connection.open(script.endpoint(security=RelaySecurity.STARTTLS, ca_file=missing))


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ({".": "drop"}, Fate.UNCERTAIN),
        ({"DATA": "drop"}, Fate.UNSENT),
        ({".": b"nonsense\r\n"}, Fate.UNCERTAIN),
    ],
)
def test_under_tls_the_account_of_what_left_is_the_same(authority, answers, fate):
    with scripted_relay(implicit_tls=True, answers=answers, context=authority.server(LOOPBACK)) as script:
        outcome = send_one(script.endpoint(security=RelaySecurity.TLS, ca_file=authority.ca_file))

    assert outcome.fate is fate


def test_under_tls_a_content_cut_short_is_unsent(authority):
    huge = MESSAGE._replace(build=lambda: (b"x" * 76 + b"\r\n") * 250_000)

    def go_and_reset(session: Session) -> object:
        session.socket.sendall(b"354 go\r\n")
        session.socket.recv(1000)
        return "reset"

    ehlo = tuple(word for word in EHLO if not word.startswith("SIZE"))
    options = {"implicit_tls": True, "answers": {"DATA": go_and_reset}, "context": authority.server(LOOPBACK)}
    with scripted_relay(ehlo=ehlo, **options) as script:
        endpoint = script.endpoint(security=RelaySecurity.TLS, ca_file=authority.ca_file)
        ((_, outcome),) = Connection.open(endpoint).send([huge])

    assert (outcome.fate, outcome.step) == (Fate.UNSENT, Step.CONTENT)


# AUTH


def test_plain_is_preferred_and_carries_any_password():
    password = "pässword \r\n"
    with scripted_relay(ehlo=(*EHLO, "AUTH LOGIN PLAIN"), answers={"AUTH": "235 2.7.0 welcome"}) as script:
        assert send_one(script.endpoint(username="user", password=password)).accepted

    assert f"AUTH PLAIN {plain('user', password)}" in script.commands


def test_login_is_spoken_where_plain_is_not():
    def login(session: Session) -> str:
        session.socket.sendall(b"334 VXNlcm5hbWU6\r\n")
        session.transcript.commands.append(session.line())
        session.socket.sendall(b"334 UGFzc3dvcmQ6\r\n")
        session.transcript.commands.append(session.line())
        return "235 2.7.0 welcome"

    with scripted_relay(ehlo=(*EHLO, "AUTH LOGIN"), answers={"AUTH": login}) as script:
        assert send_one(script.endpoint(username="user", password="secret")).accepted

    words = [base64.b64encode(word).decode() for word in (b"user", b"secret")]
    assert script.commands[1:4] == ["AUTH LOGIN", *words]


@pytest.mark.parametrize("answer", ["535 5.7.8 wrong", "454 4.7.0 later"])
def test_a_refused_sign_in_is_an_error_without_the_password(answer):
    with scripted_relay(ehlo=(*EHLO, "AUTH PLAIN"), answers={"AUTH": answer}) as script:
        endpoint = script.endpoint(username="user", password="secret")
        with pytest.raises(RelayRefused) as caught:
            Connection.open(endpoint)

    assert caught.value.code == int(answer[:3])
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(endpoint)


def test_a_relay_that_knows_no_sign_in_of_ours_is_an_error():
    with (
        scripted_relay(ehlo=(*EHLO, "AUTH GSSAPI")) as script,
        pytest.raises(TransportError, match="GSSAPI"),
    ):
        Connection.open(script.endpoint(username="user", password="secret"))


def test_a_password_is_not_sent_in_the_open_off_loopback():
    # The resolver reads this as 127.0.0.1, but for us it is no loopback address.
    with (
        scripted_relay(ehlo=(*EHLO, "AUTH PLAIN")) as script,
        pytest.raises(TransportError, match="without TLS"),
    ):
        Connection.open(script.endpoint(host="127.1", username="user", password="secret"))

    assert script.commands == ["EHLO us.test"]
