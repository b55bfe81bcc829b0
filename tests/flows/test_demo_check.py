"""The demo: one command starts it, and its self-check follows a subscriber over HTTP and SMTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from newsletter.demo.check import Browser

DEMO = (sys.executable, "-m", "newsletter", "demo")


def environ(folder, **more):
    # The demo must not use the settings of this environment.
    return os.environ | {"TMPDIR": str(folder), "NEWSLETTER_RELAY": "smtp://relay.example.org", **more}


@pytest.mark.parametrize("size", ["embedded", "scaled"])
def test_the_journey_from_the_form_to_the_digest_and_out_again(tmp_path, request, size):
    urls = {"--database": "postgresql_url", "--broker": "redis_url"} if size == "scaled" else {}
    options = [word for name, url in urls.items() for word in (name, request.getfixturevalue(url))]
    done = subprocess.run(
        [*DEMO, "--check", *options],
        env=environ(tmp_path),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told["ok"]
    assert 0 < told["html_bytes"] < 102_400
    assert {"start", "sign_up", "confirmation_mail", "confirm", "digest_mail", "unsubscribe"} <= told[
        "seconds"
    ].keys()
    digest = message_from_bytes(Path(told["eml"]).read_bytes(), policy=policy.default)
    assert digest["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert digest.get_body(("plain",)) is not None
    assert digest.get_body(("html",)) is not None
    # Only the digest is left in the mailbox.
    assert [path.suffix for path in tmp_path.glob("newsletter-*")].count(".eml") == 1
    assert not list(tmp_path.glob("newsletter-check-*/data"))


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
