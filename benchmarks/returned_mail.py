"""Send reports to the listener while its process is killed again and again, and compare the books.

Every report that was answered 250 must be in the database at each kill. At the end, each report must have
been recorded once, with what follows from it, and no other row may exist.
"""

from __future__ import annotations

import contextlib
import os
import queue
import random
import smtplib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from house import ENVIRON, make_house, make_installed, make_settings
from servers.processes import LOOPBACK, die_with_parent, free_port
from sqlalchemy import insert

from benchmarks.measure import BenchmarkFailed, say
from newsletter.clock import utcnow
from newsletter.mail.verp import RETURN_KEY, delivery_token
from newsletter.models import Delivery, DeliveryState, Lane, Subscriber

CLIENTS = 4
AT_ONCE = 1000
# Of each hundred reports.
HARD, SOFT, COMPLAINTS = 70, 20, 10
# Of each thousand, so many are sent twice, from two clients.
TWICE = 20
LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.0, 6.0
MAILBOX = "leave@news.example.org"

Run = dict[str, Any]


@dataclass
class Books:
    """What was sent, and what is to be in the database."""

    expected: dict[int, str]
    confirmed: set[int] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    kills: int = 0
    peak_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def measure(reports: int, seed: int = 1, pauses: tuple[float, float] | None = None) -> list[Run]:
    """Send so many reports; return one run. Raises BenchmarkFailed if the books do not balance."""
    with tempfile.TemporaryDirectory(prefix="newsletter-returned-") as folder:
        return [_measure(Path(folder), reports, random.Random(seed), pauses)]  # noqa: S311 (moments)


def _measure(folder: Path, reports: int, chance: random.Random, pauses: tuple[float, float] | None) -> Run:
    ports = {"smtp": free_port(), "lmtp": free_port()}
    listen = ", ".join(f"{protocol}://{LOOPBACK}:{port}" for protocol, port in ports.items())
    settings = make_settings(folder, intake_listen=listen, unsubscribe_address=MAILBOX)
    make_installed(settings)
    house = make_house(settings)
    ids = _deliveries(house, reports)
    key = house.runtime.tokens.derived_key(RETURN_KEY)
    house.runtime.engine.dispose()
    books = Books({each: _kind(each) for each in ids})
    waiting: queue.Queue[int] = queue.Queue()
    for each in ids:
        for _ in range(2 if each % 1000 < TWICE else 1):
            waiting.put(each)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")},
        **ENVIRON,
        "NEWSLETTER_DATA_DIR": str(folder),
        "NEWSLETTER_UNSUBSCRIBE_ADDRESS": MAILBOX,
        "NEWSLETTER_INTAKE_LISTEN": listen,
    }
    done = threading.Event()
    clients = [
        threading.Thread(target=_client, args=(books, waiting, key, protocol, ports[protocol], done))
        for protocol in ["smtp", "lmtp"] * (CLIENTS // 2)
    ]
    started = time.monotonic()
    for each in clients:
        each.start()
    try:
        _kill_again_and_again(books, folder, environ, chance, pauses)
    finally:
        done.set()
        for each in clients:
            each.join()
    seconds = time.monotonic() - started
    _balance(books, folder)
    return {
        "value": round(reports / seconds, 1),
        "reports": reports,
        "seconds": round(seconds, 1),
        "kills": books.kills,
        "broken": books.broken,
        "refused": dict(books.refused),
        "peak_mib": round(books.peak_bytes / 2**20, 1),
        "lost": 0,
        "twice": 0,
    }


def _deliveries(house: Any, count: int) -> list[int]:
    """Store an issue that `count` subscribers were sent; return the ids of its deliveries."""
    house.add_subscriber(house.topic("harbours"), name="first")
    house.release("Harbours open")
    issue_id, now = house.open_unprepared(), utcnow()
    with house.runtime.session() as session:
        for start in range(0, count, AT_ONCE):
            numbers = range(start + 1, min(start + AT_ONCE, count) + 1)
            people = [
                {"id": number + 1, "email": email, "email_key": email, "created_at": now, "confirmed_at": now}
                for number in numbers
                if (email := f"p{number}@example.org")
            ]
            session.execute(insert(Subscriber), people)
            session.execute(
                insert(Delivery),
                [
                    {
                        "id": number, "lane": Lane.BULK, "issue_id": issue_id, "subscriber_id": number + 1,
                        "newsletter_id": 1, "state": DeliveryState.ACCEPTED, "due_at": now,
                        "created_at": now, "settled_at": now,
                    }
                    for number in numbers
                ],
            )  # fmt: skip
        session.commit()
    return list(range(1, count + 1))


def _kind(delivery_id: int) -> str:
    share = delivery_id % 100
    return "hard" if share < HARD else "soft" if share < HARD + SOFT else "complaint"


def _report(delivery_id: int) -> bytes:
    """Return the same bytes for a delivery each time."""
    kind = _kind(delivery_id)
    lines = ["From: MAILER-DAEMON@mx.example", "Content-Type: multipart/report; boundary=b", "", "--b"]
    if kind == "complaint":
        lines += ["Content-Type: message/feedback-report", "", "Feedback-Type: abuse", ""]
        lines += [f"Report: {delivery_id}", ""]
    else:
        status = "5.1.1" if kind == "hard" else "5.2.2"
        lines += [
            "Content-Type: message/delivery-status",
            "",
            f"Reporting-MTA: dns; mx{delivery_id}.example",
            "",
        ]
        lines += [
            f"Final-Recipient: rfc822; p{delivery_id}@example.org",
            "Action: failed",
            f"Status: {status}",
        ]
        lines += ["Diagnostic-Code: smtp; 550 the mailbox cannot be used", ""]
    return "\r\n".join([*lines, "--b--", ""]).encode()


def _client(
    books: Books, waiting: queue.Queue[int], key: bytes, protocol: str, port: int, done: threading.Event
) -> None:
    """Send reports as an SMTP server does: what is not confirmed is sent again."""
    kind = smtplib.SMTP if protocol == "smtp" else smtplib.LMTP
    while not done.is_set():
        try:
            with kind(LOOPBACK, port, timeout=60) as talk:
                talk.ehlo()
                for _ in range(500):
                    if not _send_one(books, waiting, key, talk):
                        done.wait(0.05)
                        break
        except (OSError, smtplib.SMTPException):
            done.wait(0.05)


def _send_one(books: Books, waiting: queue.Queue[int], key: bytes, talk: smtplib.SMTP) -> bool:
    try:
        delivery_id = waiting.get_nowait()
    except queue.Empty:
        return False
    code = 0
    try:
        code = _deliver(talk, f"{delivery_token(str(delivery_id), key)}@example.org", _report(delivery_id))
    except (OSError, smtplib.SMTPException):
        with books.lock:
            books.broken += 1
        raise
    finally:
        with books.lock:
            if code == 250:
                books.confirmed.add(delivery_id)
            else:
                waiting.put(delivery_id)
                books.refused[code] += code != 0
    if code != 250:
        talk.rset()
    return True


def _deliver(talk: smtplib.SMTP, address: str, message: bytes) -> int:
    """Return the code of the reply to the message, or of the command before it that was refused."""
    for code, _ in (talk.mail(""), talk.rcpt(address)):
        if code != 250:
            return code
    try:
        return talk.data(message)[0]
    except smtplib.SMTPDataError as refused:
        return refused.smtp_code


def _kill_again_and_again(
    books: Books,
    folder: Path,
    environ: dict[str, str],
    chance: random.Random,
    pauses: tuple[float, float] | None,
) -> None:
    """Run the listener and kill it at random moments, until every report is confirmed."""
    least, most = pauses or (LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS)
    while len(books.confirmed) < len(books.expected):
        with _listener(environ) as process:
            _wait_for_progress(books, process)
            end = time.monotonic() + chance.uniform(least, most)
            while time.monotonic() < end and len(books.confirmed) < len(books.expected):
                time.sleep(0.01)
            books.peak_bytes = max(books.peak_bytes, _peak_bytes(process.pid))
            process.kill()
            process.wait()
        books.kills += 1
        with books.lock:
            confirmed = set(books.confirmed)
        missing = confirmed - set(_recorded(folder))
        if missing:
            raise BenchmarkFailed(f"{len(missing)} reports were answered 250 and are not in the database")
        if books.kills % 10 == 0:
            say(f"{len(confirmed)} of {len(books.expected)} reports, {books.kills} kills")


@contextlib.contextmanager
def _listener(environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "--env-file", "", "bounce", "serve"],
        env=environ,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(9),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_for_progress(books: Books, process: subprocess.Popen[bytes]) -> None:
    """Wait until this process has confirmed a report, or all are confirmed already."""
    before = len(books.confirmed)
    while len(books.confirmed) in {before} - {len(books.expected)}:
        if process.poll() is not None:
            raise BenchmarkFailed(f"the listener ended with {process.returncode}")
        time.sleep(0.005)


def _peak_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def _recorded(folder: Path) -> dict[int, str]:
    """Return the outcome of each delivery with a report. Raises BenchmarkFailed if one has two."""
    with closing(sqlite3.connect(folder / "newsletter.sqlite3", timeout=60)) as connection:
        rows = connection.execute("SELECT delivery_id, outcome FROM returned_mail").fetchall()
    found = dict(rows)
    if len(found) != len(rows):
        raise BenchmarkFailed(f"{len(rows) - len(found)} reports were recorded twice")
    return found


def _balance(books: Books, folder: Path) -> None:
    """Compare what was sent with the database. Raises BenchmarkFailed."""
    found = _recorded(folder)
    if found != books.expected:
        wrong = {
            key for key in found.keys() | books.expected.keys() if found.get(key) != books.expected.get(key)
        }
        raise BenchmarkFailed(f"{len(wrong)} reports are missing or have another outcome")
    due = Counter(books.expected.values())
    counts = {
        "SELECT count(*) FROM delivery WHERE bounced_at IS NOT NULL": due["hard"],
        "SELECT count(*) FROM delivery WHERE state = 'rejected'": due["hard"],
        "SELECT count(*) FROM delivery WHERE complained_at IS NOT NULL": due["complaint"],
        "SELECT count(*) FROM suppression": due["complaint"],
    }
    with closing(sqlite3.connect(folder / "newsletter.sqlite3", timeout=60)) as connection:
        for query, expected in counts.items():
            (number,) = connection.execute(query).fetchone()
            if number != expected:
                raise BenchmarkFailed(f"{query}: {number} instead of {expected}")
