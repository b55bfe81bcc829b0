"""`newsletter edit` shows and changes the newsletter's content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON

from newsletter.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert run(tmp_path, "db", "upgrade").exit_code == 0
    return tmp_path


def run(folder: Path, *words: str, **more: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(folder), **more}
    return CliRunner().invoke(main, words, env=environ)


def test_without_options_the_content_is_printed(folder):
    lines = run(folder, "edit").output.splitlines()

    assert "Name:             The Release Letter" in lines
    assert "From address:     letter@example.org" in lines
    assert "Reply-To address:" in lines


def test_given_fields_are_changed_in_one_language(folder):
    assert run(folder, "edit", "--language", "lt", "--name", "Uosto laiškas").output == "Changed: name.\n"

    shown = json.loads(run(folder, "edit", "--language", "lt", "--json").output)
    assert shown["name"] == "Uosto laiškas"
    assert json.loads(run(folder, "edit", "--json").output)["name"] == "The Release Letter"


def test_every_fault_is_printed_and_nothing_is_changed(folder):
    told = run(folder, "edit", "--name", "", "--time-zone", "Mars")

    assert told.exit_code == 1
    assert "Name is empty." in told.output
    assert "Time zone is not an IANA time zone" in told.output
    assert json.loads(run(folder, "edit", "--json").output)["version"] == 1


def test_a_former_setting_that_differs_is_reported(folder):
    told = run(folder, "edit", "--from-address", "new@example.org")

    assert "NEWSLETTER_FROM_ADDRESS still has another value" in told.output
    warned = run(folder, "db", "upgrade")
    assert "NEWSLETTER_FROM_ADDRESS is not used" in warned.output
    assert (
        "NEWSLETTER_FROM_ADDRESS"
        not in run(folder, "db", "upgrade", NEWSLETTER_FROM_ADDRESS="new@example.org").output
    )
