"""Mailboxes of a real Dovecot: IMAP and POP3, TLS, passwords and tokens, deleting, moving, waiting, kills."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from house import ENVIRON, make_house, make_installed, make_settings
from mailbox_reports import OTHERS, OTHERS_REPORT, bounced, outcomes, report_about, send_to
from servers.dovecot import PASSWORD, Dovecot, run_dovecot
from smtp.certificates import Authority

from newsletter.bounces.ways_in.imap import ImapFolder
from newsletter.clock import utcnow
from newsletter.service.mailboxes.read_imap import ImapReader
from newsletter.service.mailboxes.take import Counts
from newsletter.service.mailboxes.watch import accounts_of, read_all, watch_all

pytestmark = pytest.mark.servers
TOKEN = "a-good-token"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def introspection() -> Iterator[int]:
    """The port of a server that knows one token, of the user tom."""

    class Introspection(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = f"token={TOKEN}&" in self.path
            body = json.dumps({"active": "true", "username": "tom"} if good else {"active": "false"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Introspection)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture(scope="module")
def dovecot(authority: Authority, introspection: int) -> Iterator[Dovecot]:
    """A server whose certificate is for 127.0.0.1."""
    certificate = authority.server_file("127.0.0.1").read_bytes()
    with run_dovecot(certificate, introspection) as running:
        yield running


_names = iter(f"user{number}" for number in range(1000))


@pytest.fixture
def name() -> str:
    """A user whose mailbox is empty."""
    return next(_names)


@pytest.fixture
def house(tmp_path):
    settings = make_settings(tmp_path / "data", unsubscribe_address="leave@news.example.org")
    make_installed(settings)
    made = make_house(settings)
    # Processes that a test starts have the real time.
    made.clock.moment = utcnow()
    yield made
    made.runtime.engine.dispose()


def runtime_of(house, *urls: str, **more: str):
    data = house.runtime.settings.data_dir
    settings = make_settings(
        data, unsubscribe_address="leave@news.example.org", mailboxes=",".join(urls), **more
    )
    return replace(house.runtime, settings=settings)


def url_of(dovecot: Dovecot, protocol: str, name: str, rest: str = "", password: str = PASSWORD) -> str:
    return f"{protocol}://{name}:{password}@127.0.0.1:{getattr(dovecot, protocol)}{rest}"


def read(runtime) -> list[tuple[Counts, str]]:
    return [(counts, fault) for _, counts, fault in read_all(runtime, accounts_of(runtime.settings))]


def fill(dovecot: Dovecot, house, name: str) -> list[int]:
    """Put reports about three deliveries into a mailbox, and two messages of other people."""
    ids = send_to(house, 3)
    dovecot.put(name, OTHERS)
    for each in ids:
        dovecot.put(name, report_about(house, each))
    dovecot.put(name, OTHERS_REPORT)
    return ids


@pytest.mark.parametrize(
    ("rest", "left"),
    [
        # S is seen, T is trash. Other people's messages have no flag. A lower-case character is a keyword.
        ("", ["", "", "Sa", "Sa", "Sa"]),
        ("?done=delete", ["", ""]),
        ("/INBOX?move_to=Done%20%26%20g%C3%B6ne", ["", ""]),
    ],
)
def test_reports_are_settled_and_other_peoples_messages_stay(dovecot, house, name, authority, rest, left):
    ids = fill(dovecot, house, name)
    runtime = runtime_of(house, url_of(dovecot, "imaps", name, rest), mailbox_ca_file=authority.ca_file)

    (first,) = read(runtime)
    (second,) = read(runtime)

    assert first[1] == second[1] == ""
    assert first[0].done == {"hard": 3}
    assert (first[0].read, second[0].read) == (5, 0)
    assert bounced(house) == set(ids)
    assert dovecot.flags(name) == left
    if "move_to" in rest:
        assert (dovecot.inbox(name) / ".Done &- g&APY-ne").is_dir()


@pytest.mark.parametrize(("rest", "left"), [("", 5), ("?done=delete", 2)])
def test_pop3_deletes_or_remembers_and_never_deletes_other_peoples_messages(
    dovecot, house, name, authority, rest, left
):
    ids = fill(dovecot, house, name)
    runtime = runtime_of(house, url_of(dovecot, "pop3s", name, rest), mailbox_ca_file=authority.ca_file)

    (first,) = read(runtime)
    (second,) = read(runtime)

    assert (first[1], second[1]) == ("", "")
    assert (first[0].read, second[0].read) == (5, 0)
    assert bounced(house) == set(ids)
    assert len(dovecot.flags(name)) == left


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_starttls_checks_the_certificate(dovecot, house, name, authority, protocol):
    fill(dovecot, house, name)
    url = url_of(dovecot, protocol, name, "?tls=starttls")

    ((_, untrusted),) = read(runtime_of(house, url))
    ((counts, fault),) = read(runtime_of(house, url, mailbox_ca_file=authority.ca_file))

    assert "certificate of 127.0.0.1 cannot be trusted" in untrusted
    assert "NEWSLETTER_MAILBOX_CA_FILE" in untrusted
    assert (counts.read, fault) == (5, "")


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
def test_a_token_signs_in_and_a_refused_one_names_the_setting(
    house, authority, introspection, tmp_path, mechanism
):
    for file, token in (("good", TOKEN), ("bad", "another-token")):
        (tmp_path / file).write_text(f"#!/bin/sh\ntest $MAILBOX_USER = tom && echo {token}\n")
        (tmp_path / file).chmod(0o700)
    certificate = authority.server_file("127.0.0.1").read_bytes()

    said = {}
    with run_dovecot(certificate, introspection, mechanism) as dovecot:
        dovecot.inbox("tom")
        for protocol in ("imap", "pop3"):
            url = f"{protocol}://tom@127.0.0.1:{getattr(dovecot, protocol)}"
            for command in ("good", "bad"):
                runtime = runtime_of(house, url, mailbox_token_command=str(tmp_path / command))
                ((_, said[protocol, command]),) = read(runtime)

    assert said["imap", "good"] == said["pop3", "good"] == ""
    for protocol in ("imap", "pop3"):
        assert "refused" in said[protocol, "bad"]
        assert "NEWSLETTER_MAILBOX_TOKEN_COMMAND" in said[protocol, "bad"]
        assert "another-token" not in said[protocol, "bad"]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_wrong_password_names_the_setting(dovecot, house, name, protocol):
    ((_, fault),) = read(runtime_of(house, url_of(dovecot, protocol, name, password="wrong")))

    assert "refused the sign-in" in fault
    assert "the password in NEWSLETTER_MAILBOXES" in fault
    assert "wrong" not in fault


def test_a_folder_that_is_missing_names_the_setting(dovecot, house, name):
    ((_, fault),) = read(runtime_of(house, url_of(dovecot, "imap", name, "/Nowhere")))

    assert "Correct the folder in NEWSLETTER_MAILBOXES" in fault


def test_a_message_of_50_mb_is_not_read_whole(dovecot, house, name):
    (first, second) = send_to(house, 2)
    dovecot.put(name, report_about(house, first, b"x" * 50_000_000))
    dovecot.put(name, OTHERS + b"y" * 50_000_000)
    dovecot.put(name, report_about(house, second))
    url = url_of(dovecot, "imap", name)
    code = (
        "import resource, sys\nfrom newsletter.cli import main\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    status = end.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, status)\n"
    )
    data = house.runtime.settings.data_dir
    environ = {**os.environ, **ENVIRON, "NEWSLETTER_DATA_DIR": str(data), "NEWSLETTER_MAILBOXES": url}

    peaks = {}
    for mails in ("large", "none"):
        done = subprocess.run(
            [sys.executable, "-c", code, "--env-file", "", "bounce", "fetch"],
            env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
        peak, status = done.stdout.split()[-2:]
        assert status == "0", done.stderr
        peaks[mails] = int(peak)

    assert bounced(house) == {first, second}
    assert peaks["large"] - peaks["none"] < 15 * 1024


def test_new_messages_are_read_at_once_where_the_server_says_so(dovecot, house, name, eventually):
    first, second = send_to(house, 2)
    dovecot.inbox(name)
    runtime = runtime_of(house, url_of(dovecot, "imap", name, "?done=delete&poll_seconds=86400"))
    stop = threading.Event()
    thread = threading.Thread(target=watch_all, args=(runtime, accounts_of(runtime.settings), stop))
    thread.start()
    try:
        for number, each in enumerate((first, second), 1):
            time.sleep(0.3)
            dovecot.put(name, report_about(house, each))
            eventually(lambda number=number: len(bounced(house)) == number, seconds=60)
            eventually(lambda: dovecot.flags(name) == [], seconds=60)
    finally:
        stop.set()
        thread.join(20)

    assert not thread.is_alive()


class Killed(Exception):
    """The process ended here."""


@pytest.mark.parametrize("rest", ["", "?done=delete"])
def test_a_process_that_ends_between_the_commit_and_the_mark_counts_nothing_twice(dovecot, house, name, rest):
    ids = fill(dovecot, house, name)
    runtime = runtime_of(house, url_of(dovecot, "imap", name, rest))
    (account,) = accounts_of(runtime.settings)

    class Cut(ImapFolder):
        def settle(self, uids) -> None:
            raise Killed

    folder = Cut.open(account)
    with pytest.raises(Killed):
        ImapReader(runtime, account.mailbox.key, 1 << 20, lambda: False).run(folder, Counts())
    folder.close()
    before = dovecot.flags(name)
    ((counts, fault),) = read(runtime)

    assert (len(before), fault) == (5, "")
    assert bounced(house) == set(ids)
    assert counts.done == {"repeated": 3}
    assert sorted(outcomes(house)) == ["hard"] * 3 + ["unsigned"]
    assert len(dovecot.flags(name)) == (2 if rest else 5)
    assert sum("S" in each for each in dovecot.flags(name)) == (0 if rest else 3)


def test_a_message_that_somebody_else_marked_as_deleted_is_not_removed(dovecot, house, name):
    (first,) = send_to(house, 1)
    dovecot.put(name, OTHERS)
    runtime = runtime_of(house, url_of(dovecot, "imap", name, "?done=delete"))
    (account,) = accounts_of(runtime.settings)
    folder = ImapFolder.open(account)
    (uid,) = folder.uids_after(0, 10)
    assert folder.ask(rb"UID STORE %d +FLAGS (\Deleted)" % uid).ok
    folder.close()
    dovecot.put(name, report_about(house, first))

    read(runtime)

    assert bounced(house) == {first}
    assert dovecot.flags(name) == ["T"]


def test_a_request_to_unsubscribe_is_read_from_a_mailbox(dovecot, house, name):
    from newsletter.mail.verp import LEAVE_KEY, leave_address
    from newsletter.models import Subscriber, Subscription, SubscriptionState

    send_to(house, 1)
    (person,) = house.all(Subscriber)
    key = house.runtime.tokens.derived_key(LEAVE_KEY)
    address = leave_address("leave@news.example.org", person.public_id, 42, key)
    dovecot.put(name, f"From: p0@example.org\r\nTo: {address}\r\n\r\n.\r\n".encode())

    ((counts, _),) = read(runtime_of(house, url_of(dovecot, "pop3", name)))

    assert counts.done == {"left": 1}
    assert [each.state for each in house.all(Subscription)] == [SubscriptionState.ENDED]
