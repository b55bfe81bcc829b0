"""Mailboxes on servers that fail at any step, and processes that are killed at any step: nothing is lost."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import threading
import tracemalloc
from dataclasses import replace

import pytest
from house import ENVIRON, House, make_house, make_installed, make_settings
from mailbox_reports import OTHERS, OTHERS_REPORT, bounced, outcomes, report_about, send_to
from servers import mailboxes as faults
from servers.mailboxes import ImapServer, Pop3Server, serving
from servers.programs import Program

from newsletter.bounces.ways_in.account import Limits
from newsletter.clock import utcnow
from newsletter.models import Notice
from newsletter.service.mailboxes.take import Counts
from newsletter.service.mailboxes.watch import (
    MOST_REFUSED_SECONDS,
    TOLD_AFTER,
    MailboxWatch,
    accounts_of,
    pause_after,
    read_all,
    watch_all,
)
from newsletter.service.processes.programs import service_programs

QUICK = Limits(connect_seconds=5, answer_seconds=0.15, message_seconds=0.15, skipped_bytes=4 * 1024 * 1024)
PATIENT = Limits(skipped_bytes=4 * 1024 * 1024)
IMAP_STEPS = [
    "greeting",
    "CAPABILITY",
    "AUTHENTICATE",
    "SELECT",
    "NOOP",
    "SEARCH",
    "FETCH",
    "STORE",
    "EXPUNGE",
]
POP3_STEPS = ["greeting", "USER", "PASS", "UIDL", "RETR", "DELE", "QUIT"]


@pytest.fixture(params=["imap", "pop3"])
def server(request):
    """A server with an empty mailbox."""
    made = ImapServer() if request.param == "imap" else Pop3Server()
    with serving(made):
        yield made


@pytest.fixture
def imap():
    made = ImapServer()
    with serving(made):
        yield made


def runtime_of(house: House, server, rest: str = "?done=delete", password: str = "right"):
    protocol = "imap" if isinstance(server, ImapServer) else "pop3"
    url = f"{protocol}://returned:{password}@127.0.0.1:{server.port}/{rest}"
    settings = make_settings(house.runtime.settings.data_dir, mailboxes=url)
    return replace(house.runtime, settings=settings)


def read(runtime, limits: Limits = PATIENT) -> tuple[Counts, str]:
    ((_, counts, fault),) = read_all(runtime, accounts_of(runtime.settings, limits))
    return counts, fault


def fill(server, house: House, count: int = 3) -> list[int]:
    ids = send_to(house, count)
    server.put(OTHERS)
    for each in ids:
        server.put(report_about(house, each))
    server.put(OTHERS_REPORT)
    return ids


STEPS = [(ImapServer, each) for each in IMAP_STEPS] + [(Pop3Server, each) for each in POP3_STEPS]
AT_SOME = (
    faults.drip, faults.noise, faults.endless_line, faults.endless_lines, faults.endless_block,
    faults.short_block,
)  # fmt: skip
SOME = {"greeting", "SEARCH", "FETCH", "UIDL", "RETR"}


@pytest.mark.parametrize(("kind", "step"), STEPS)
def test_a_server_that_fails_at_a_step_costs_little_and_loses_nothing(house, kind, step):
    server, told, peaks = kind(), {}, {}
    with serving(server):
        ids = fill(server, house, 1)
        runtime = runtime_of(house, server)
        for fault in (faults.hang, faults.close, *(AT_SOME if step in SOME else ())):
            server.faults[step] = fault
            # Measuring makes everything slower, so only those are measured that send much.
            if "endless" in fault.__name__:
                tracemalloc.start()
            _, told[fault.__name__] = read(runtime, QUICK)
            peaks[fault.__name__] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        server.faults.clear()
        _, fine = read(runtime)

    telling = re.compile("NEWSLETTER_MAILBOXES|Some messages could not be read")
    assert all(telling.search(words) for words in told.values()), told
    assert max(peaks.values()) < 25 * 1024 * 1024
    assert fine == ""
    assert bounced(house) == set(ids)
    assert outcomes(house).count("hard") == 1
    assert sorted(server.messages.values()) == sorted([OTHERS, OTHERS_REPORT])


def test_a_message_at_which_the_server_always_breaks_does_not_stop_the_others(server, house):
    ids = send_to(house, 3)
    for each in ids[:2]:
        server.put(report_about(house, each))
    bad = server.put(b"bad")
    server.put(report_about(house, ids[2]))

    class Breaking(dict):
        def __getitem__(self, uid: int) -> bytes:
            if uid == bad:
                raise faults.Ended
            return super().__getitem__(uid)

    server.messages = Breaking(server.messages)
    counts, fault = read(runtime_of(house, server))

    assert "could not be read" in fault
    assert counts.skipped >= 1
    assert bounced(house) == set(ids)
    assert list(server.messages) == [bad]


@pytest.mark.parametrize("whole", [False, True])
def test_a_message_larger_than_its_limit_is_read_in_part(imap, house, whole):
    (first,) = send_to(house, 1)
    imap.whole = whole
    imap.put(report_about(house, first, b"x" * 3_000_000))
    imap.put(OTHERS + b"y" * 3_000_000)

    counts, fault = read(runtime_of(house, imap))

    assert (fault, counts.done) == ("", {"hard": 1})
    assert len(imap.messages) == 1


def test_a_folder_whose_uids_are_new_is_read_again_and_nothing_counts_twice(imap, house):
    ids = fill(imap, house)
    read(runtime_of(house, imap, ""))
    imap.validity = 8

    counts, _ = read(runtime_of(house, imap, ""))

    assert (counts.read, counts.done) == (5, {"repeated": 3})
    assert bounced(house) == set(ids)
    assert imap.flags == {uid: {b"\\Seen", b"$NewsletterDone"} for uid in (2, 3, 4)}


def test_requests_over_a_limit_wait_in_the_mailbox_and_stop_nothing(server, house):
    settings = {"unsubscribe_address": "leave@news.example.org"}
    runtime = runtime_of(house, server)
    runtime = replace(
        runtime, settings=replace(runtime.settings, unsubscribe_address=settings["unsubscribe_address"])
    )
    for number in range(63):
        server.put(f"From: r{number}@example.org\r\nTo: leave@news.example.org\r\n\r\n.\r\n".encode())
    (first,) = send_to(house, 1)
    server.put(report_about(house, first))

    counts, _ = read(runtime)
    left = len(server.messages)
    house.clock.pass_(minutes=10)
    again, _ = read(runtime)

    assert counts.done == {"asked": 60, "later": 3, "hard": 1}
    assert (left, again.done, server.messages) == (3, {"asked": 3}, {})


def test_a_request_to_a_mailbox_of_a_person_is_never_forwarded_or_deleted(server, house):
    """With a plain return path, people's replies come to the same mailbox."""
    runtime = runtime_of(house, server)
    runtime = replace(runtime, settings=replace(runtime.settings, return_path="letter@example.org"))
    server.put(b"From: ann@example.net\r\nTo: letter@example.org\r\nSubject: Re: news\r\n\r\nThank you!\r\n")
    server.put(b"To: letter@example.org\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n")

    counts, fault = read(runtime)

    assert (counts.left_alone, fault, len(server.messages)) == (2, "", 2)


def test_a_password_is_not_sent_without_tls_and_login_is_used_if_there_is_no_other_way(imap, house):
    imap.offers = b"IMAP4rev1"
    fill(imap, house)

    _, refused = read(runtime_of(house, imap, "?tls=starttls"))
    sent = imap.commands["LOGIN"]
    counts, fault = read(runtime_of(house, imap))

    assert "offers no STARTTLS" in refused
    assert sent == 0
    assert (counts.read, fault) == (5, "")
    assert len(imap.messages) == 5  # without UIDPLUS they are only marked
    assert sum(b"\\Deleted" in each for each in imap.flags.values()) == 3


def test_a_wrong_password_is_told_once_and_tried_rarely(server, house, eventually):
    stop, runtime = threading.Event(), runtime_of(house, server, password="wrong")
    sign_ins = "AUTHENTICATE" if isinstance(server, ImapServer) else "PASS"
    for expected in (1, 2):  # a process, and the next one
        stop = threading.Event()
        thread = threading.Thread(target=watch_all, args=(runtime, accounts_of(runtime.settings), stop))
        thread.start()
        eventually(lambda expected=expected: server.commands[sign_ins] == expected and house.all(Notice))
        stop.set()
        thread.join(20)
    (notice,) = house.all(Notice)
    server.password = "wrong"  # the owner sets this one
    read(runtime)

    (settled,) = house.all(Notice)
    assert notice.kind == "mailbox_fails"
    assert "Correct the user name or the password in NEWSLETTER_MAILBOXES." in notice.detail["remedy"]
    assert "@" not in str(notice.detail)
    assert settled.settled_at is not None


def test_a_server_that_is_down_for_a_while_is_nothing_to_write_about(server, house):
    runtime = runtime_of(house, server)
    (account,) = accounts_of(runtime.settings, QUICK)
    server.faults["greeting"] = faults.close
    stop = threading.Event()
    watch = MailboxWatch(runtime, account, stop)
    thread = threading.Thread(target=watch.run)

    thread.start()
    while not server.commands["greeting"]:
        stop.wait(0.01)
    before = list(house.all(Notice))
    stop.set()
    thread.join(20)

    assert before == []
    assert TOLD_AFTER.total_seconds() == 1800


def test_pauses_grow_to_a_limit():
    assert [pause_after(each, refused=False) for each in (1, 2, 3, 50)] == [15, 30, 60, 900]
    assert [pause_after(each, refused=True) for each in (1, 2)] == [900, 1800]
    assert pause_after(1000, refused=True) == MOST_REFUSED_SECONDS


def test_a_watched_mailbox_is_read_when_a_message_comes(imap, house, eventually):
    first, second = send_to(house, 2)
    runtime, stop = runtime_of(house, imap, "?done=delete&poll_seconds=86400"), threading.Event()
    thread = threading.Thread(target=watch_all, args=(runtime, accounts_of(runtime.settings), stop))
    thread.start()
    try:
        for number, each in enumerate((first, second), 1):
            eventually(lambda number=number: imap.commands["IDLE"] >= number)
            imap.put(report_about(house, each))
            eventually(lambda: imap.messages == {})
    finally:
        stop.set()
        thread.join(20)

    assert bounced(house) == {first, second}


def test_a_process_that_is_killed_at_any_command_loses_nothing_and_counts_nothing_twice(tmp_path, server):
    """The server kills the process when the n-th command comes, for growing n, until one comes through."""
    settings = make_settings(tmp_path)
    make_installed(settings)
    house = make_house(settings)
    house.clock.moment = utcnow()
    ids = fill(server, house, 3)
    url = runtime_of(house, server).settings.mailboxes[0]
    address = f"{url.protocol}://{url.username}:{url.password}@{url.host}:{url.port}/?done=delete"
    environ = {**os.environ, **ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path), "NEWSLETTER_MAILBOXES": address}
    kills = 0

    for step in itertools.count(6 if isinstance(server, ImapServer) else 4, 3):
        numbers = itertools.count(1)
        process = Program(
            "--env-file", "", "bounce", "fetch",
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

        def kill(_talk: object, process=process, numbers=numbers, step=step) -> bool:
            if next(numbers) == step:
                process.send_signal(signal.SIGKILL)
                process.wait()
                raise faults.Ended
            return False

        server.faults = dict.fromkeys([*IMAP_STEPS, *POP3_STEPS, "LOGOUT"], kill)
        output = process.communicate(timeout=120)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, output
        kills += 1
    house.runtime.engine.dispose()

    assert kills >= 2
    assert bounced(house) == set(ids)
    assert outcomes(house).count("hard") == 3
    assert sorted(server.messages.values()) == sorted([OTHERS, OTHERS_REPORT])


def test_the_service_reads_mailboxes_if_there_are_any():
    def started(*, mailboxes: bool) -> list[list[str]]:
        return [
            each.main()
            for each in service_programs({}, lambda *words: lambda: list(words), reads_mailboxes=mailboxes)
        ]

    assert ["bounce", "fetch", "--watch"] in started(mailboxes=True)
    assert ["bounce", "fetch", "--watch"] not in started(mailboxes=False)


def test_the_process_that_reads_mailboxes_stops_when_it_is_told(tmp_path, imap, eventually):
    make_installed(make_settings(tmp_path))
    address = f"imap://returned:right@127.0.0.1:{imap.port}/"
    environ = {**os.environ, **ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path), "NEWSLETTER_MAILBOXES": address}
    process = Program(
        "--env-file", "", "bounce", "fetch", "--watch",
        env=environ, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        eventually(lambda: imap.commands["IDLE"] >= 1, seconds=120)
        process.terminate()
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0
    assert "event=mailboxes_watched number=1" in log
    assert "right" not in log
