"""`newsletter subscriber held`: what the owner sees and does when many people sign up at once."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from house import ENVIRON, make_upgraded

from newsletter.cli import main
from newsletter.clock import utcnow
from newsletter.models import SignupRequest
from newsletter.runtime import Runtime
from newsletter.settings import load_settings


@pytest.fixture
def run(tmp_path):
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path)}
    runtime = Runtime(load_settings(environ))
    make_upgraded(runtime.settings.database)
    now = utcnow()
    with runtime.session() as session:
        for number in range(3):
            email = f"ann{number}@example.org"
            asked = now - timedelta(minutes=number)
            session.add(SignupRequest(email=email, email_key=email, created_at=asked, held_until=asked))
        session.commit()
    runtime.engine.dispose()

    def invoke(*words):
        return CliRunner().invoke(main, ["subscriber", "held", *words], env=environ)

    return invoke


def test_who_waits_is_counted(run):
    answer = json.loads(run("--json").output)

    assert (answer["held"], answer["free"]) == (3, 100)
    assert "3 sign-ups wait since" in run().output


def test_all_may_be_dropped(run):
    dropped = run("--drop", "--json")

    assert json.loads(dropped.output) == {"dropped": 3}
    assert json.loads(run("--json").output)["held"] == 0


def test_all_may_be_let_go(run):
    assert run("--release").output == "3 are let go.\n"


def test_one_cannot_have_both(run):
    assert run("--release", "--drop").exit_code == 2
