"""`newsletter bounce check`: the words for each way it can end, with a scripted relay and a real Postfix."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from house import ENVIRON, House, make_house, make_installed, make_settings
from servers.postfix import run_postfix
from servers.processes import free_port as any_free_port
from service_listener import listening
from smtp.relay_script import ScriptedRelay, scripted_relay

from newsletter.bounces.reports.path_checks import begin_check, find_return
from newsletter.cli import main
from newsletter.errors import InputError
from newsletter.mail.addresses import parse_address
from newsletter.models import PathCheck, ReturnedMail, SuppressionReason
from newsletter.service.checks.path_check import Found, Result, advice, check_path, random_address
from newsletter.service.incoming.apply import take_in
from newsletter.suppression import add, suppression_hash

NOBODY = parse_address("nobody@harbour.example")


def made(folder: Path, relay: ScriptedRelay | int, **more: str) -> House:
    port = relay if isinstance(relay, int) else relay.port
    settings = make_settings(folder, relay=f"smtp://127.0.0.1:{port}", **more)
    make_installed(settings)
    return make_house(settings)


def check(
    house: House,
    sleep: Callable[[float], None] = lambda _seconds: None,
    wait: float = 3,
    look_up: Callable[[str], str] = lambda _domain: "",
) -> Result:
    return check_path(house.runtime, house.runtime.sender(1), NOBODY, wait, sleep, look_up=look_up)


def report_on(content: bytes) -> bytes:
    """Return the report that quotes the header of an email."""
    head = content.partition(b"\r\n\r\n")[0]
    return b"\r\n".join(
        [
            b"From: MAILER-DAEMON@mx.example",
            b"Content-Type: multipart/report; boundary=b",
            b"",
            b"--b",
            b"Content-Type: message/delivery-status",
            b"",
            b"Final-Recipient: rfc822; nobody@harbour.example",
            b"Action: failed",
            b"Status: 5.1.1",
            b"",
            b"--b",
            b"Content-Type: text/rfc822-headers",
            b"",
            head,
            b"--b--",
            b"",
        ]
    )


@pytest.mark.parametrize("path", ["", "letter@example.org"])
def test_a_report_that_comes_home_is_told_with_its_time(tmp_path, path):
    """With a plain return path, the token in the returned header says which check it is."""
    more = {"return_path": path} if path else {}
    with scripted_relay() as relay:
        house = made(tmp_path, relay, **more)

        def sleep(seconds: float) -> None:
            house.clock.pass_(seconds=40)
            take_in(house.runtime, report_on(relay.contents[0]), [result_path(relay)], "")

        result = check(house, sleep)
    house.runtime.engine.dispose()

    assert result.found is Found.RETURNED
    assert result.seconds == 40
    assert "The report came back after 40 seconds" in result.words
    assert result.return_path == (path or result_path(relay))
    assert [each.outcome.value for each in house.all(ReturnedMail)] == ["check"]


def result_path(relay: ScriptedRelay) -> str:
    (mail,) = [each for each in relay.commands if each.startswith("MAIL")]
    return mail.partition("<")[2].partition(">")[0]


def test_an_automatic_reply_proves_the_way_too(tmp_path):
    with scripted_relay() as relay:
        house = made(tmp_path, relay)
        away = b"Auto-Submitted: auto-replied\r\n\r\nI am away.\r\n"
        result = check(house, lambda _: take_in(house.runtime, away, [result_path(relay)], ""))
    house.runtime.engine.dispose()

    assert result.found is Found.RETURNED
    assert "An automatic reply came back" in result.words


@pytest.mark.parametrize(
    ("answers", "found", "words"),
    [
        (
            {"RCPT": "550 5.1.1 no <nobody@harbour.example>"},
            Found.REFUSED_AT_ONCE,
            "refused the address at once",
        ),
        ({".": "550 5.1.1 no such user"}, Found.REFUSED_AT_ONCE, "no returned mail to wait for"),
        ({"MAIL": "550 5.7.1 not your sender"}, Found.NOT_SENT, "newsletter relay check"),
        ({"RCPT": "450 4.2.0 greylisted"}, Found.NOT_SENT, "greylisted"),
        ({"greeting": "554 go away"}, Found.NOT_SENT, "go away"),
        ({".": "drop"}, Found.NOT_SENT, "The relay did not take the email"),
    ],
)
def test_each_refusal_has_its_words(tmp_path, answers, found, words):
    with scripted_relay(answers=answers) as relay:
        house = made(tmp_path, relay)
        result = check(house)
    house.runtime.engine.dispose()

    assert result.found is found
    assert words in result.words
    assert "nobody@" not in result.words


def test_if_nothing_comes_it_says_what_to_look_at(tmp_path):
    waits: list[float] = []
    with scripted_relay() as relay:
        house = made(
            tmp_path, relay, intake_listen="lmtp://127.0.0.1:8024", return_path_domain="back.example.org"
        )
        result = check(house, waits.append, wait=5)
    house.runtime.engine.dispose()

    assert result.found is Found.NOTHING
    assert waits == [1.0] * 5
    assert "Nothing came back within 5 seconds" in result.words
    assert any("MX of back.example" in each and "lmtp://127.0.0.1:8024" in each for each in result.advice)


@pytest.mark.parametrize("comes", [False, True])
def test_a_return_path_to_which_nobody_can_send_is_told_first(tmp_path, comes: bool):
    """The relay itself may still know the way, so the check goes on."""
    asked: list[str] = []

    def look_up(domain: str) -> str:
        asked.append(domain)
        return f"There is no domain {domain}."

    with scripted_relay() as relay:
        house = made(tmp_path, relay, return_path_domain="back.example.org")

        def sleep(_seconds: float) -> None:
            if comes:
                take_in(house.runtime, report_on(relay.contents[0]), [result_path(relay)], "")

        result = check(house, sleep, look_up=look_up)
    house.runtime.engine.dispose()

    assert (asked, result.found) == (["back.example.org"], Found.RETURNED if comes else Found.NOTHING)
    assert result.advice[0] == (
        "There is no domain back.example.org. So only the relay itself can return email to it, and no other "
        "server."
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "Neither NEWSLETTER_INTAKE_LISTEN nor NEWSLETTER_MAILBOXES is set"),
        (
            {"mailboxes": "imaps://a:b@mail.example.org"},
            "in the mailbox (a at mail.example.org:993/INBOX)",
        ),
    ],
)
def test_the_advice_names_the_ways_that_are_set(tmp_path, more, words):
    house = made(tmp_path, 9, **more)
    sender = house.runtime.sender(1)

    lines = advice(house.runtime.settings, sender, "b-x@example.org")
    house.runtime.engine.dispose()

    assert words in " ".join(lines)


def test_a_forged_or_foreign_report_is_no_answer(tmp_path):
    house = made(tmp_path, 9)
    with house.runtime.session() as session:
        check_id = begin_check(session, house.clock())
        session.commit()

    for to in (f"b-{check_id}-{'a' * 16}@example.org", "letter@example.org"):
        take_in(house.runtime, b"Content-Type: multipart/report\r\n\r\nuser unknown", [to], "")

    with house.runtime.reading() as session:
        assert find_return(session, check_id) is None
    house.runtime.engine.dispose()


def test_a_suppressed_address_gets_no_email(tmp_path):
    with scripted_relay() as relay:
        house = made(tmp_path, relay)
        with house.runtime.session() as session:
            mark = suppression_hash(house.runtime.tokens, NOBODY.canonical)
            add(session, mark, SuppressionReason.COMPLAINT, house.clock(), None)
            session.commit()
        with pytest.raises(InputError):
            check(house)
    house.runtime.engine.dispose()

    assert relay.contents == []


def test_the_command_takes_a_random_name_and_prints_json(tmp_path):
    with scripted_relay(answers={"RCPT": "550 5.1.1 no"}) as relay:
        house = made(tmp_path, relay)
        environ = {
            **ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path),
            "NEWSLETTER_RELAY": f"smtp://127.0.0.1:{relay.port}",
        }  # fmt: skip
        done = CliRunner().invoke(main, ["--env-file", "", "bounce", "check", "--json"], env=environ)
    house.runtime.engine.dispose()

    record = json.loads(done.stdout)
    assert done.exit_code == 1
    assert record["result"] == "refused-at-once"
    assert record["address"].endswith("@example.org")
    assert random_address(house.runtime.sender(1)) != record["address"]


def test_old_checks_are_deleted(house):
    with house.runtime.session() as session:
        begin_check(session, house.clock())
        house.clock.pass_(days=31)
        begin_check(session, house.clock())
        session.commit()

    assert len(house.all(PathCheck)) == 1


@pytest.mark.servers
@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_a_report_of_a_real_postfix_comes_home(tmp_path, protocol):
    port = any_free_port()
    scheme = "smtp:[127.0.0.1]" if protocol == "smtp" else "lmtp:inet:127.0.0.1"
    with run_postfix(f"{scheme}:{port}") as postfix:
        house = made(tmp_path, postfix, intake_listen=f"{protocol}://127.0.0.1:{port}")
        runtime = replace(house.runtime)
        with listening(runtime):
            result = check_path(
                runtime, runtime.sender(1), NOBODY, 60, time.sleep, look_up=lambda _domain: ""
            )
    house.runtime.engine.dispose()

    assert result.found is Found.RETURNED, result
    assert "The report came back" in result.words
    (row,) = house.all(ReturnedMail)
    assert row.outcome.value == "check"
    assert threading.active_count() < 50
