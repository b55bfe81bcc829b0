"""Signing in to a relay: the order of mechanisms, their messages, and how long a token is cached."""

from __future__ import annotations

import base64
import hmac
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smtp.relay_script import EHLO, ScriptedRelay, Session, scripted_relay

from newsletter.errors import ProtocolError, RelayRefused, TransportError
from newsletter.smtp.authentication.access_token import FAILED_SECONDS, TokenCommand, _shared, parse_answer
from newsletter.smtp.connection import Connection

WELCOME = "235 2.7.0 welcome"
WRONG = "535 5.7.8 wrong"


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Account:
    """The relay's side of a sign-in: it accepts one account, by the mechanisms in `takes`."""

    def __init__(self, *takes: str, refuses_with: str = WRONG, password: str = "secret") -> None:
        self.takes = takes
        self.refuses_with = refuses_with
        self.password = password
        self.tokens = {"good"}
        self.asked: list[str] = []

    def __call__(self, session: Session) -> str:
        _, mechanism, *initial = session.transcript.commands[-1].split(" ")
        self.asked.append(mechanism)
        if mechanism not in self.takes and mechanism not in {"OAUTHBEARER", "XOAUTH2"}:
            return self.refuses_with
        answer: str = getattr(self, mechanism.lower().replace("-", "_"))(session, *initial)
        return answer

    def plain(self, _session: Session, initial: str) -> str:
        return WELCOME if initial == in_base64(f"\0ann\0{self.password}") else WRONG

    def login(self, session: Session) -> str:
        words = [self.challenge(session, in_base64(each)) for each in ("Username:", "Password:")]
        return WELCOME if words == [in_base64("ann"), in_base64(self.password)] else WRONG

    def cram_md5(self, session: Session) -> str:
        challenge = "<1896.697170952@relay.test>"
        answer = base64.b64decode(self.challenge(session, in_base64(challenge))).decode()
        digest = hmac.new(self.password.encode(), challenge.encode(), "md5").hexdigest()
        return WELCOME if answer == f"ann {digest}" else WRONG

    def xoauth2(self, session: Session, initial: str) -> str:
        taken = {in_base64(f"user=ann\x01auth=Bearer {token}\x01\x01") for token in self.tokens}
        if "XOAUTH2" in self.takes and initial in taken:
            return WELCOME
        assert self.challenge(session, in_base64('{"status":"401","schemes":"Bearer"}')) == ""
        return WRONG

    def oauthbearer(self, session: Session, initial: str) -> str:
        where = f"host=127.0.0.1\x01port={session.script.port}"
        taken = {in_base64(f"n,a=ann,\x01{where}\x01auth=Bearer {each}\x01\x01") for each in self.tokens}
        if "OAUTHBEARER" in self.takes and initial in taken:
            return WELCOME
        assert self.challenge(session, in_base64('{"status":"invalid_token"}')) == in_base64("\x01")
        return WRONG

    def challenge(self, session: Session, text: str) -> str:
        session.socket.sendall(f"334 {text}\r\n".encode())
        line: str = session.line()
        return line


def relay_with(account: object, offers: str) -> Iterator[ScriptedRelay]:
    return scripted_relay(ehlo=(*EHLO, f"AUTH {offers}"), answers={"AUTH": account})


@pytest.mark.parametrize("refused", ["504 5.5.4 unrecognized", WRONG, "534 5.7.9 too weak", "502 no"])
def test_a_relay_that_lists_plain_and_takes_login_only_is_signed_in_to(refused: str):
    account = Account("LOGIN", refuses_with=refused)

    with relay_with(account, "PLAIN LOGIN") as relay:
        Connection.open(relay.endpoint(username="ann", password="secret")).quit()

    assert account.asked == ["PLAIN", "LOGIN"]


@pytest.mark.parametrize("offers", ["CRAM-MD5", "GSSAPI CRAM-MD5", "PLAIN CRAM-MD5"])
def test_cram_md5_is_spoken_where_the_others_are_not_taken(offers: str):
    account = Account("CRAM-MD5", refuses_with="504 5.5.4 no such mechanism", password="pässword")

    with relay_with(account, offers) as relay:
        Connection.open(relay.endpoint(username="ann", password="pässword")).quit()

    assert account.asked[-1] == "CRAM-MD5"
    assert in_base64("pässword") not in " ".join(relay.commands)


def test_the_answer_to_a_challenge_is_that_of_rfc_2195():
    answers: list[str] = []

    def tim(session: Session) -> str:
        session.socket.sendall(b"334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n")
        answers.append(session.line())
        return WELCOME

    with relay_with(tim, "CRAM-MD5") as relay:
        Connection.open(relay.endpoint(username="tim", password="tanstaaftanstaaf")).quit()

    assert answers == ["dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"]


def test_a_challenge_that_is_none_is_an_error_and_no_answer():
    with relay_with("334 not base64!", "CRAM-MD5") as relay, pytest.raises(ProtocolError, match="challenge"):
        Connection.open(relay.endpoint(username="ann", password="secret"))


def test_a_wrong_password_is_tried_twice_and_no_oftener():
    account = Account("PLAIN", "LOGIN", "CRAM-MD5")

    with relay_with(account, "CRAM-MD5 LOGIN PLAIN") as relay, pytest.raises(RelayRefused) as caught:
        Connection.open(relay.endpoint(username="ann", password="mistyped"))

    assert account.asked == ["PLAIN", "LOGIN"]
    assert (caught.value.code, caught.value.step) == (535, "sign-in")


def test_a_sign_in_that_is_refused_for_now_is_not_tried_another_way():
    account = Account(refuses_with="454 4.7.0 later")

    with relay_with(account, "LOGIN PLAIN") as relay, pytest.raises(RelayRefused) as caught:
        Connection.open(relay.endpoint(username="ann", password="secret"))

    assert account.asked == ["PLAIN"]
    assert caught.value.code == 454


def test_a_relay_that_hangs_up_on_the_second_try_is_quoted_for_the_first():
    with relay_with([WRONG, "drop"], "LOGIN PLAIN") as relay, pytest.raises(RelayRefused, match="wrong"):
        Connection.open(relay.endpoint(username="ann", password="secret"))


# Tokens.


class Command:
    """A command that prints the next item of its file, and counts how often it was run."""

    def __init__(self, folder: Path, *answers: str) -> None:
        script = folder / "token.py"
        self._answers, self._runs = folder / "answers.json", folder / "runs"
        self._answers.write_text(json.dumps(answers))
        self._runs.write_text("")
        script.write_text(
            "import json, os, pathlib, sys\n"
            f"runs = pathlib.Path({str(self._runs)!r})\n"
            "count = len(runs.read_text())\n"
            "runs.write_text('x' * (count + 1))\n"
            f"answers = json.loads(pathlib.Path({str(self._answers)!r}).read_text())\n"
            "assert not [name for name in os.environ if name.startswith('NEWSLETTER_')]\n"
            "assert os.environ['RELAY_USER'] == 'ann'\n"
            "print('a word to the terminal', file=sys.stderr)\n"
            "answer = answers[min(count, len(answers) - 1)]\n"
            "sys.exit(3) if answer == 'fail' else print(answer)\n"
        )
        self.line = f"{sys.executable} {script}"

    @property
    def runs(self) -> int:
        return len(self._runs.read_text())


@pytest.fixture(autouse=True)
def no_tokens_of_other_tests() -> Iterator[None]:
    yield
    _shared.cache_clear()


@pytest.mark.parametrize(
    ("offers", "takes"),
    [
        ("XOAUTH2 PLAIN LOGIN", "XOAUTH2"),
        ("OAUTHBEARER", "OAUTHBEARER"),
        ("XOAUTH2 OAUTHBEARER", "OAUTHBEARER"),
        ("XOAUTH2 OAUTHBEARER", "XOAUTH2"),
    ],
)
def test_a_token_signs_in_and_is_kept_for_the_next_connections(tmp_path: Path, offers, takes):
    command = Command(tmp_path, '{"access_token": "good", "expires_in": 3600}')

    with relay_with(Account(takes), offers) as relay:
        for _ in range(3):
            Connection.open(relay.endpoint(username="ann", token_command=command.line)).quit()

    assert command.runs == 1


def test_a_kept_token_that_a_relay_refuses_is_asked_for_anew(tmp_path: Path):
    command = Command(tmp_path, *[json.dumps({"access_token": each, "expires_in": 3600}) for each in "ab"])
    account = Account("XOAUTH2")
    account.tokens = {"a"}

    with relay_with(account, "XOAUTH2") as relay:
        endpoint = relay.endpoint(username="ann", token_command=command.line)
        Connection.open(endpoint).quit()
        account.tokens = {"b"}  # the account's owner has withdrawn token a
        Connection.open(endpoint).quit()
        account.tokens = {"c"}
        with pytest.raises(RelayRefused) as caught:
            Connection.open(endpoint)

    assert caught.value.step == "sign-in"
    assert command.runs == 3


@pytest.mark.parametrize("answer", ["fail", "", "two words", '{"error": "invalid_grant"}', "{", "\x01"])
def test_a_command_that_gives_no_token_is_an_error_that_shows_nothing_of_it(tmp_path: Path, answer: str):
    command = Command(tmp_path, answer)

    with relay_with(Account("XOAUTH2"), "XOAUTH2") as relay, pytest.raises(TransportError) as caught:
        Connection.open(relay.endpoint(username="ann", token_command=command.line))

    assert "the command for the relay's token" in str(caught.value)
    assert "words" not in str(caught.value)
    assert not any(line.startswith("AUTH") for line in relay.commands)


def test_a_command_that_failed_is_run_again_after_some_seconds_only_however_many_wait(tmp_path: Path):
    command = Command(tmp_path, "fail", '{"access_token": "good"}')
    moment = NOW
    tokens = TokenCommand(command.line, "relay.example.org", "ann", lambda: moment)

    def fails(_number: int) -> bool:
        with pytest.raises(TransportError, match="ended with status 3"):
            tokens.token()
        return True

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(fails, range(5)))
    moment += FAILED_SECONDS - 1
    fails(6)
    runs = command.runs
    moment += 1

    assert tokens.token() == "good"
    assert (runs, command.runs) == (1, 2)


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path):
    with (
        relay_with(Account("XOAUTH2"), "XOAUTH2") as relay,
        pytest.raises(TransportError, match="cannot be run"),
    ):
        Connection.open(relay.endpoint(username="ann", token_command=str(tmp_path / "nothing")))


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("printed", "token", "seconds"),
    [
        ("ya29.abc\n", "ya29.abc", 300),
        ('{"access_token": "a-b", "expires_in": 3600, "token_type": "Bearer"}', "a-b", 3540),
        ('{"access_token": "t", "expires_in": "3599"}', "t", 3539),
        ('{"accessToken": "t", "expiresOn": "2023-11-14 23:13:20", "expires_on": 1700003600}', "t", 3540),
        ('{"access_token": "t", "expires_at": 1700003600.5}', "t", 3540.5),
        ('{"access_token": "t", "expires_in": 60}', "t", 30),
        ('{"access_token": "t", "expires_in": -5}', "t", 0),
        ('{"access_token": "t"}', "t", 300),
        ('{"access_token": "t", "expires_in": NaN}', "t", 300),
    ],
)
def test_a_token_is_kept_until_shortly_before_it_expires(printed, token, seconds):
    assert parse_answer(printed, NOW) == (token, seconds)


@given(st.text())
def test_whatever_a_command_prints_is_a_token_or_an_error(printed: str):
    try:
        token, seconds = parse_answer(printed, time.time())
    except TransportError:
        return
    assert token.isascii()
    assert not any(char.isspace() for char in token)
    assert seconds >= 0
