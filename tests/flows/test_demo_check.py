"""The demo: one command starts it, and its self-check follows a subscriber over HTTP and SMTP.

test_wheel.py runs the self-check of the installed demo, with SQLite and without a server for the queue.
"""

from __future__ import annotations

import os
import subprocess
import sys

from demo_journey import require_whole_journey

from newsletter.demo.check import Browser

DEMO = (sys.executable, "-m", "newsletter", "demo")


def environ(folder, **more):
    # The demo must not use the settings of this environment.
    return os.environ | {"TMPDIR": str(folder), "NEWSLETTER_RELAY": "smtp://relay.example.org", **more}


def test_the_journey_from_the_form_to_the_digest_and_out_again(tmp_path, postgresql_url, redis_url):
    done = subprocess.run(
        [*DEMO, "--check", "--database", postgresql_url, "--broker", redis_url],
        env=environ(tmp_path),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    require_whole_journey(done.stdout, tmp_path)


def test_a_running_demo_says_where_everything_is_and_is_the_only_one_in_its_folder(tmp_path, free_port):
    folder, home = tmp_path / "demo-data", f"http://127.0.0.1:{free_port}"

    demo = _until_ready([*DEMO, "--data", str(folder), "--port", str(free_port)], tmp_path)
    second = subprocess.run(
        [*DEMO, "--data", str(folder), "--port", "1"],
        env=environ(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    mailbox = Browser().open(f"{home}/dev/mailbox").text
    told = _stop(demo)

    assert f"{home}/dev/mailbox" in told
    assert "one-time password" in told
    assert "Traceback" not in told
    assert "Mailbox" in mailbox
    assert second.returncode == 1
    assert "A service already runs" in second.stderr
    assert "--data" in second.stderr


def _until_ready(command, folder):
    process = subprocess.Popen(
        command, env=environ(folder, PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    )
    process.told = ""
    for line in process.stdout:
        process.told += line
        if "Ctrl-C stops everything" in line:
            return process
    raise AssertionError(process.told)


def _stop(process):
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return process.told + told
