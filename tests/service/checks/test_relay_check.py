"""`newsletter relay check`: the message for each fault of a relay or of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from house import ENVIRON, NOON, House, make_house, make_settings
from smtp.certificates import Authority
from smtp.relay_script import EHLO, LOOPBACK, ScriptedRelay, scripted_relay

from newsletter.cli import main
from newsletter.mail.verp import parse_return_path
from newsletter.messages.sender import Sender
from newsletter.outbox.pacing.setup.relay_checks import KEPT, keep_check, last_checks
from newsletter.outbox.pacing.setup.wait import note_refusal
from newsletter.outbox.pacing.standings import read_standing
from newsletter.service.checks.relay_check import Report, Verdict, check_relay, lines_of
from newsletter.settings import Settings
from newsletter.smtp.refusals import SetupFault

OWNER = "owner@example.org"
NOT_OWNED = "553 5.7.1 <b-0-x@example.org>: Sender address rejected: not owned by user letter@example.org"
SEND_AS = "554 5.2.252 SendAsDenied; a@example.org not allowed to send as b@example.org"


@contextmanager
def settings_for(folder: Path, **options: object) -> Iterator[tuple[Settings, ScriptedRelay]]:
    more = {name: options.pop(name) for name in ("user", "query", "scheme", "return_path") if name in options}
    ca_file = options.pop("ca_file", "")
    with scripted_relay(**options) as relay:
        scheme, user, query = more.get("scheme", "smtp"), more.get("user", ""), more.get("query", "")
        url = f"{scheme}://{user}{LOOPBACK}:{relay.port}{query}"
        named = {"relay_ca_file": str(ca_file)} if ca_file else {}
        path = {"return_path": more["return_path"]} if "return_path" in more else {}
        yield make_settings(folder, relay=url, owner_address=OWNER, **named, **path), relay


def verdicts(report: Report) -> dict[str, str]:
    return {each.step: each.verdict.value for each in report.findings}


def words(report: Report) -> str:
    return " ".join(each.words for each in report.findings)


def test_all_is_well_and_no_message_was_sent(tmp_path: Path):
    with settings_for(tmp_path) as (settings, relay):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert report.verdict is Verdict.PASSED
    assert verdicts(report) == {
        "connect": "passed", "hello": "passed", "account": "passed", "sender": "passed",
        "recipient": "passed", "message": "unknown",
    }  # fmt: skip
    assert "newsletter relay check --send" in words(report)
    assert relay.contents == []
    assert [each.split(" ")[0].split(":")[0] for each in relay.commands] == ["EHLO", "MAIL", "RCPT", "RSET"]
    assert f"<{OWNER}>" in relay.commands[2]


@pytest.mark.parametrize(("more", "plain"), [({"return_path": "letter@press.example"}, True), ({}, False)])
def test_with_send_the_owner_gets_one_real_message(tmp_path: Path, more, plain):
    with settings_for(tmp_path, **more) as (settings, relay):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON, send=True)

    assert report.verdict is Verdict.PASSED
    assert report.sent
    (content,) = relay.contents
    assert b"To: owner@example.org\r\n" in content
    senders = {line.partition("<")[2].partition(">")[0] for line in relay.commands if line[:4] == "MAIL"}
    (sender,) = senders
    assert (sender == "letter@press.example") == plain
    assert plain or parse_return_path(sender, [b"another key"]) is None


def test_a_relay_without_auth_is_told(tmp_path: Path):
    with settings_for(tmp_path, user="ann:secret@") as (settings, _):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert verdicts(report) == {"connect": "failed"}
    assert "offers no sign-in that we can use" in words(report)
    assert "secret" not in words(report)


def test_a_refused_sign_in_names_the_setting(tmp_path: Path):
    options = {"ehlo": (*EHLO, "AUTH PLAIN"), "answers": {"AUTH": "535 5.7.8 wrong"}}
    with settings_for(tmp_path, user="ann:secret@", **options) as (settings, _):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert verdicts(report) == {"account": "failed"}
    assert "NEWSLETTER_RELAY" in words(report)
    assert "secret" not in words(report)


@pytest.mark.parametrize("query", ["?tls=starttls", ""])
def test_a_bad_certificate_is_told(tmp_path: Path, query: str):
    authority = Authority(tmp_path)
    options = {"ehlo": (*EHLO, "STARTTLS"), "context": authority.server("other.test")}
    scheme = "smtp" if query else "smtps"
    options["implicit_tls"] = scheme == "smtps"
    with settings_for(tmp_path, query=query, scheme=scheme, ca_file=authority.ca_file, **options) as (
        settings, relay,
    ):  # fmt: skip
        report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert verdicts(report) == {"connect": "failed"}
    assert "certificate" in words(report)
    assert "NEWSLETTER_RELAY_CA_FILE" in words(report)
    assert not any(line.startswith("MAIL") for line in relay.commands)


@pytest.mark.parametrize(
    ("answers", "steps"),
    [
        ({"MAIL": NOT_OWNED}, 4),
        ({"RCPT": NOT_OWNED}, 5),
        ({".": SEND_AS}, 6),
    ],
)
def test_a_sender_refused_at_email_rcpt_or_after_data_names_the_setting_that_mends_it(
    tmp_path: Path, answers, steps
):
    with settings_for(tmp_path, answers=answers) as (settings, _):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON, send=True)

    assert report.verdict is Verdict.FAILED
    assert len(report.findings) == steps
    assert report.findings[-1].step == "sender"
    assert "Set NEWSLETTER_RETURN_PATH to the address of your account" in report.findings[-1].words
    assert "b-0-x@example.org" not in words(report)
    assert "a@example.org" not in words(report)
    assert not report.sent


def test_a_refused_name_names_its_setting(tmp_path: Path):
    answers = {"EHLO": "504 5.5.2 no", "HELO": "504 5.5.2 need fully-qualified hostname"}
    with settings_for(tmp_path, answers=answers) as (settings, _):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert verdicts(report) == {"hello": "failed"}
    assert "NEWSLETTER_EHLO_NAME" in words(report)


@pytest.mark.parametrize("step", ["RCPT", "MAIL"])
def test_greylisting_fails_nothing_and_the_later_steps_are_unknown(tmp_path: Path, step: str):
    answers = {step: "450 4.2.0 <owner@example.org>: Recipient address rejected: Greylisted for 300 seconds"}
    with settings_for(tmp_path, answers=answers) as (settings, _):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON, send=True)

    assert report.verdict is Verdict.UNKNOWN
    assert "try again later" in words(report)
    assert "could not be checked" in words(report)
    assert OWNER not in words(report)


def test_a_relay_that_is_away_is_told(tmp_path: Path):
    with settings_for(tmp_path) as (settings, _):
        pass

    report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert verdicts(report) == {"connect": "failed"}
    assert "host and port" in words(report)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"answers": {"greeting": "554 5.7.1 not for you"}}, "ask the provider"),
        ({"answers": {"RCPT": "550 5.1.1 no such user"}}, "NEWSLETTER_OWNER_ADDRESS"),
        ({"scheme": "smtps"}, "smtp://"),
        ({"query": "?tls=starttls"}, "smtps://"),
    ],
)
def test_a_failure_says_what_to_change(tmp_path: Path, options: dict[str, object], advice: str):
    with settings_for(tmp_path, **options) as (settings, _):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert report.verdict is Verdict.FAILED
    assert advice in report.findings[-1].words


def test_the_name_of_the_host_is_shown_as_it_is(tmp_path: Path):
    settings = make_settings(tmp_path, relay="smtp://relay.invalid:2525", owner_address=OWNER)

    report = check_relay(Sender.of_settings(settings), OWNER, NOON)

    assert report.findings[0].words.startswith("relay.invalid:2525 cannot be reached")


@pytest.mark.parametrize("answer", ["drop", b"nonsense\r\n", "250 fine"])
@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "RSET", "DATA", "."])
def test_whatever_a_relay_does_ends_in_a_report(tmp_path: Path, step: str, answer: object):
    with settings_for(tmp_path, answers={step: answer}) as (settings, _):
        report = check_relay(Sender.of_settings(settings), OWNER, NOON, send=True)

    assert report.findings
    assert all(line for line in lines_of(report))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with settings_for(tmp_path) as (settings, _):
        made = make_house(settings)
        yield made
        made.runtime.engine.dispose()


def test_a_check_that_passes_lets_a_wait_end_sooner_and_one_that_sent_ends_it(house: House):
    sender, now = house.runtime.sender(1), house.clock()
    with house.runtime.session() as session:
        assert note_refusal(
            session, house.runtime.messages.senders, sender, SetupFault.SENDER, "no", now, None
        )

        keep_check(session, sender, check_relay(sender, OWNER, now).as_json(), now)
        refusals = read_standing(session, sender, now).sender.refusals
        assert refusals is not None
        assert refusals.try_at == now

        keep_check(session, sender, check_relay(sender, OWNER, now, send=True).as_json(), now)
        assert read_standing(session, sender, now).sender.refusals is None


def test_a_kept_check_counts_for_the_settings_that_it_was_made_with(house: House):
    sender, now = house.runtime.sender(1), house.clock()
    with house.runtime.session() as session:
        assert last_checks(session, [sender]) == []
        for _ in range(2):
            keep_check(session, sender, check_relay(sender, OWNER, now).as_json(), now)

        ((_, found),) = last_checks(session, [sender])
        assert found.verdict == "passed"
        other = replace(sender, settings=replace(sender.settings, return_path="other@example.org"))
        assert last_checks(session, [other]) == []


def test_a_check_with_other_settings_does_not_replace_the_one_of_the_service(house: House, tmp_path: Path):
    sender, now = house.runtime.sender(1), house.clock()
    with (
        settings_for(tmp_path, answers={"RCPT": NOT_OWNED}) as (settings, _),
        house.runtime.session() as session,
    ):
        tried = replace(sender, settings=settings)
        keep_check(session, sender, check_relay(sender, OWNER, now).as_json(), now)

        keep_check(session, tried, check_relay(tried, OWNER, now).as_json(), now)

        assert [row.verdict for _, row in last_checks(session, [sender])] == ["passed"]
        assert [row.verdict for _, row in last_checks(session, [tried])] == ["failed"]


def test_a_check_with_other_settings_ends_no_wait_of_the_service(house: House):
    sender, now = house.runtime.sender(1), house.clock()
    tried = replace(sender, settings=replace(sender.settings, return_path="other@example.org"))
    with house.runtime.session() as session:
        note_refusal(session, house.runtime.messages.senders, sender, SetupFault.SENDER, "no", now, None)

        keep_check(session, tried, check_relay(tried, OWNER, now, send=True).as_json(), now)

        refusals = read_standing(session, sender, now).sender.refusals
        assert refusals is not None
        assert refusals.try_at is not None
        assert refusals.try_at > now


def test_a_check_that_nobody_repeats_is_forgotten_after_a_year(house: House):
    sender, now = house.runtime.sender(1), house.clock()
    tried = replace(sender, settings=replace(sender.settings, return_path="other@example.org"))
    with house.runtime.session() as session:
        keep_check(session, tried, check_relay(tried, OWNER, now).as_json(), now - KEPT * 2)

        keep_check(session, sender, check_relay(sender, OWNER, now).as_json(), now)

        assert last_checks(session, [tried]) == []


@pytest.mark.parametrize(("answers", "status"), [({}, 0), ({"RCPT": NOT_OWNED}, 1)])
def test_the_command_says_what_it_found_with_and_without_a_database(tmp_path: Path, answers, status):
    with scripted_relay(answers=answers) as relay:
        environ = {**ENVIRON, "NEWSLETTER_RELAY": f"smtp://{LOOPBACK}:{relay.port}"}
        environ["NEWSLETTER_DATA_DIR"] = str(tmp_path)

        def run(*words: str):
            return CliRunner().invoke(main, ["--env-file", "", *words], env=environ)

        before = run("relay", "check")
        assert before.exit_code == status, before.output
        assert "not kept for the overview" in before.output
        assert run("db", "upgrade").exit_code == 0
        found = run("relay", "check", "--json")
        assert found.exit_code == status
        assert json.loads(found.stdout)["verdict"] == ("failed" if status else "passed")
        shown = run("relay", "check").stdout
        assert ("FAILED" in shown) == bool(status)
