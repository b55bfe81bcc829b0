"""`newsletter add`, `list` and `edit` add newsletters, and show and change their content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, make_installed, make_settings

from newsletter.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_installed(make_settings(tmp_path))
    return tmp_path


def run(folder: Path, *words: str, **more: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(folder), **more}
    return CliRunner().invoke(main, words, env=environ)


def test_without_options_the_content_is_printed(folder):
    lines = run(folder, "edit").output.splitlines()

    assert "Name:                       The Release Letter" in lines
    assert "From address:               letter@example.org" in lines
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


def test_a_newsletter_is_added_listed_and_edited_by_its_slug(folder):
    words = ("--name", "Harbour News", "--from-address", "desk@harbour.example")
    added = run(folder, "add", "harbour", *words)

    assert added.exit_code == 0
    assert "newsletter topic add SLUG NAME --newsletter harbour" in added.output
    assert run(folder, "list").output.splitlines() == [
        "news  The Release Letter  The Release Letter <letter@example.org>",
        "harbour  Harbour News  Harbour News <desk@harbour.example>",
    ]
    assert "needed if" in run(folder, "edit", "--help").output
    assert run(folder, "edit", "--newsletter", "harbour", "--slug", "port").output == "Changed: slug.\n"
    assert [json.loads(line)["slug"] for line in run(folder, "list", "--json").output.splitlines()] == [
        "news",
        "port",
    ]


def test_with_several_newsletters_an_edit_must_name_one(folder):
    run(folder, "add", "harbour", "--name", "Harbour News", "--from-address", "desk@harbour.example")

    told = run(folder, "edit", "--name", "Other")

    assert told.exit_code == 1
    assert "Say which one, by --newsletter: news, harbour." in told.output


def test_a_newsletter_without_a_name_is_refused(folder):
    told = run(folder, "add", "harbour")

    assert told.exit_code == 1
    assert "Name is empty." in told.output
    assert "From address is empty." in told.output
