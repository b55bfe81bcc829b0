"""The program as a fork: its arguments, folder, streams, status and parent are those of a start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from house import ENVIRON, make_house, make_installed, make_settings

from servers.programs import Program, run_program


@pytest.mark.parametrize(
    "words",
    [
        ("--version",), ("digest", "--help"), ("no-such-command",), ("topic", "list"),
        ("topic", "add", "energy", "Energie – ü", "--words", "energy"), ("bounce", "parse", "-"),
    ],
)  # fmt: skip
def test_a_forked_program_says_and_does_what_an_executed_one_does(tmp_path, words):
    given = b"From: ann@example.org\nSubject: hello\n\nHello.\n"
    ends = []
    for kind in ("executed", "forked"):
        folder = tmp_path / kind
        folder.mkdir()
        environ = {**os.environ, **ENVIRON, "NEWSLETTER_DATA_DIR": "data", "PYTHONPATH": str(Path.cwd())}
        if kind == "forked":
            done = run_program(*words, given=given, env=environ, cwd=folder)
        else:
            command = [sys.executable, "-m", "newsletter", *words]
            done = subprocess.run(
                command, input=given, env=environ, cwd=folder, capture_output=True, check=False
            )
        made = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        faults = done.stderr.replace(bytes(folder), b"")
        ends.append((done.returncode, done.stdout, faults, made))

    assert ends[0] == ends[1]
    assert ends[0][1] or ends[0][2]


def test_a_forked_program_is_a_child_of_the_tests_and_ends_by_a_signal(tmp_path, free_port):
    environ = {**os.environ, **ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path)}
    environ |= {
        "NEWSLETTER_INTAKE_LISTEN": f"smtp://127.0.0.1:{free_port}",
        "NEWSLETTER_UNSUBSCRIBE_ADDRESS": "leave@news.example.org",
    }
    assert run_program("db", "upgrade", env=environ).returncode == 0

    process = Program("bounce", "serve", env=environ, stderr=subprocess.PIPE, text=True)
    told = process.stderr.readline()
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    process.send_signal(signal.SIGKILL)

    assert "intake_listening" in told
    assert int(stat[1]) == os.getpid()
    assert process.wait(20) == -signal.SIGKILL
    process.stderr.close()


def test_a_program_that_was_told_to_stop_stops_no_later_one(tmp_path, smtp_sink):
    environ = {**os.environ, **ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    environ |= {"NEWSLETTER_RELAY": smtp_sink.url, "NEWSLETTER_SEND_WORKERS": "1"}
    settings = make_settings(tmp_path, relay=smtp_sink.url)
    make_installed(settings)
    house = make_house(settings)
    house.add_subscriber(house.topic("energy"))
    house.release("A new energy cable")
    house.open()
    house.runtime.engine.dispose()

    worker = Program("worker", "--lane", "single", env=environ, stderr=subprocess.PIPE, text=True)
    assert any("event=worker_ready" in line for line in worker.stderr)
    worker.terminate()
    worker.communicate(timeout=60)
    assert run_program("worker", "--drain", env=environ).returncode == 0

    assert len(smtp_sink.mails) == 1
