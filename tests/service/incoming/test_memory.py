"""The peak memory of the processes that receive a large message."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest
from house import ENVIRON, make_installed

from newsletter.settings import load_settings

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
    "dots": lambda: HEAD + b"\r\n" + b".\r\n" * (SIZE // 4),
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
    process = start(*RUN, "bounce", "serve", env=env)
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


def bring(port: int, message: bytes) -> int:
    with smtplib.SMTP("127.0.0.1", port, timeout=120) as talk:
        talk.ehlo()
        talk.mail("ada@example.org")
        talk.rcpt(MAILBOX)
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
