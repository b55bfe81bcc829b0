"""The peak memory of the processes that receive a large message."""

from __future__ import annotations

import os
import smtplib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from house import ENVIRON, make_installed

from newsletter.mail.verp import RETURN_KEY, delivery_token
from newsletter.settings import load_settings
from newsletter.tokens import Tokens

MAILBOX = "leave@news.example.org"
RUN = ("-m", "newsletter", "--env-file", "")
MOST_BYTES = 50 * 1024 * 1024
SIZE = 10 * 1024 * 1024 - 2048
HEAD = b"From: ada@example.org\r\nTo: " + MAILBOX.encode() + b"\r\n"


def nested() -> bytes:
    parts = [b"MIME-Version: 1.0\r\n"]
    for number in range(SIZE // 80):
        parts.append(b'Content-Type: multipart/mixed; boundary="%08d"\r\n\r\n--%08d\r\n' % (number, number))
    return b"".join(parts)[:SIZE]


SHAPES = {
    "empty lines": lambda: HEAD + b"\r\n" + b"\r\n" * (SIZE // 2),
    "bare line feeds": lambda: HEAD + b"\r\n" + b"\n" * SIZE,
    "dots": lambda: HEAD + b"\r\n" + b".\r\n" * (SIZE // 3),
    "one line": lambda: HEAD + b"\r\n" + b"x" * SIZE + b"\r\n",
    "one header line": lambda: HEAD + b"X: " + b"x" * SIZE + b"\r\n\r\n",
    "headers": lambda: HEAD + b"X: y\r\n" * (SIZE // 6) + b"\r\n",
    "folded header": lambda: HEAD + b"X: y\r\n" + b" z\r\n" * (SIZE // 4) + b"\r\n",
    "recipients": lambda: HEAD + b"Cc: " + b"a@b.c, " * (SIZE // 7) + b"\r\n\r\n",
    "nested parts": lambda: HEAD + nested(),
}


@pytest.fixture
def listener(start, tmp_path, free_port, eventually):
    """A listening process, its port, and its environment."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")},
        **ENVIRON,
        "NEWSLETTER_DATA_DIR": str(tmp_path),
        "NEWSLETTER_UNSUBSCRIBE_ADDRESS": MAILBOX,
        "NEWSLETTER_INTAKE_LISTEN": f"smtp://127.0.0.1:{free_port}",
    }
    make_installed(load_settings(env))
    process = start(*RUN, "bounce", "serve", imports=True, env=env)
    eventually(lambda: listens(free_port), seconds=90)
    return process, free_port, env


def listens(port: int) -> bool:
    try:
        smtplib.SMTP("127.0.0.1", port).close()
    except OSError:
        return False
    return True


def peak_bytes(pid: int) -> int:
    """Return the peak memory of a process."""
    with Path(f"/proc/{pid}/status").open() as file:
        (line,) = [line for line in file if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def bring(port: int, message: bytes, recipient: str = MAILBOX) -> int:
    with smtplib.SMTP("127.0.0.1", port, timeout=120) as talk:
        talk.ehlo()
        talk.mail("ada@example.org")
        talk.rcpt(recipient)
        return talk.data(message)[0]


def test_a_message_of_ten_megabytes_of_any_shape_costs_at_most_50_mb(listener):
    process, port, _ = listener
    assert bring(port, HEAD + b"\r\n.\r\n") == 250
    before, costs = peak_bytes(process.pid), {}

    for shape, make in SHAPES.items():
        code = bring(port, make())
        costs[shape] = (code, peak_bytes(process.pid) - before)

    print({shape: (code, round(cost / 2**20, 1)) for shape, (code, cost) in costs.items()})
    assert {code for code, _ in costs.values()} == {250}
    assert max(cost for _, cost in costs.values()) < MOST_BYTES


@pytest.mark.parametrize("line", [b"x", b".\r\n"])
def test_a_message_that_is_far_too_large_costs_at_most_50_mb(listener, line: bytes):
    process, port, _ = listener
    assert bring(port, HEAD + b"\r\n.\r\n") == 250
    before = peak_bytes(process.pid)

    code = bring(port, HEAD + b"\r\n" + line * (10 * SIZE // len(line)))

    assert code == 552
    assert peak_bytes(process.pid) - before < MOST_BYTES


MEASURE = """
import resource, sys
from newsletter.cli import main
try:
    main(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_a_message_of_ten_megabytes_in_a_pipe_costs_at_most_50_mb(listener):
    _, _, env = listener

    def peak(message: bytes) -> int:
        command = [sys.executable, "-c", MEASURE, "--env-file", "", "bounce", "ingest", "-"]
        done = subprocess.run(command, input=message, env=env, capture_output=True, check=True)
        return int(done.stderr.split()[-1]) * 1024

    before = peak(HEAD + b"\r\n")
    cost = max(peak(SHAPES[shape]()) - before for shape in ("empty lines", "headers"))

    assert cost < MOST_BYTES


REPORT = b"From: MAILER-DAEMON@mx.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
STATUS = (
    b"Content-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\nStatus: 5.1.1\r\n"
)


def deep(levels: int) -> bytes:
    parts = [REPORT, b"--b\r\n", STATUS, b"\r\n"]
    for number in range(levels):
        outer = b"b" if number == 0 else b"b%d" % (number - 1)
        parts.append(b"--%s\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (outer, number))
    return b"".join(parts)


REPORTS = {
    "ten megabytes": lambda: REPORT + b"--b\r\n" + STATUS + b"X: y\r\n" * (SIZE // 6),
    "ten megabytes of text": lambda: (
        REPORT + b"--b\r\n\r\n" + b"<a@b.example>: user unknown\r\n" * (SIZE // 29)
    ),
    "10,000 parts": lambda: REPORT + (b"--b\r\n" + STATUS + b"\r\n") * 10_000 + b"--b--\r\n",
    "3,000 levels": lambda: deep(3000),
}


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_hostile_report_costs_at_most_a_second_of_cpu_and_100_mb(listener):
    process, port, env = listener
    key = Tokens(load_settings(env).secret_keys).derived_key(RETURN_KEY)
    path = f"{delivery_token('7', key)}@example.org"
    bring(port, REPORT + b"--b\r\n" + STATUS, path)
    idle, costs = peak_bytes(process.pid), {}

    for shape, make in REPORTS.items():
        message, before = make(), cpu_seconds(process.pid)
        code = bring(port, message, path)
        costs[shape] = (code, cpu_seconds(process.pid) - before)
    cost = peak_bytes(process.pid) - idle
    with closing(sqlite3.connect(load_settings(env).data_dir / "newsletter.sqlite3")) as connection:
        outcomes = connection.execute("SELECT outcome FROM returned_mail").fetchall()

    print(costs, round(cost / 2**20, 1))
    assert {code for code, _ in costs.values()} == {250}
    assert max(seconds for _, seconds in costs.values()) < 1
    assert cost < 100 * 1024 * 1024
    # No delivery has the number 7. So each was read, matched and recorded.
    assert outcomes == [("gone",)] * (1 + len(REPORTS))
