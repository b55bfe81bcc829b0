"""The `newsletter` command: quick help, clear errors, and the same settings for every command."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from house import ENVIRON

from newsletter import __version__
from newsletter.cli import COMMANDS, main
from newsletter.cli.context import Invocation
from newsletter.cli.settings import describe
from newsletter.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]


def run(*words, **environ):
    return CliRunner().invoke(main, words, env={**ENVIRON, **environ})


def test_every_command_of_the_table_is_there():
    for name in COMMANDS:
        told = run(name, "--help")
        assert told.exit_code == 0, told.output
        assert told.output.startswith(f"Usage: main {name}")


def test_help_lists_every_command_and_imports_none_of_them():
    script = (
        "import sys\n"
        "from newsletter.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'flask', 'celery', 'sqlalchemy', 'gunicorn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    began = time.perf_counter()
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stderr
    assert all(name in told.stdout for name in COMMANDS)
    assert time.perf_counter() - began < 3


def test_the_version_is_told():
    assert __version__ in run("--version").output


@pytest.mark.parametrize("words", [("nonsense",), ("worker", "--lane", "fast"), ("demo", "--port", "0")])
def test_a_wrong_word_is_a_usage_error(words):
    assert run(*words).exit_code == 2


def test_settings_that_cannot_be_used_are_one_message_and_status_one():
    told = run("db", "upgrade", NEWSLETTER_RELAY="relay", NEWSLETTER_BIND="here")

    assert told.exit_code == 1
    assert "Traceback" not in told.output
    assert "NEWSLETTER_RELAY is not" in told.output
    assert "NEWSLETTER_BIND is not" in told.output


def test_a_database_is_made_once(tmp_path):
    folder = {"NEWSLETTER_DATA_DIR": str(tmp_path / "data")}

    first, second = run("db", "upgrade", **folder), run("db", "upgrade", **folder)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "from empty to" in first.output
    assert "up to date" in second.output


def test_a_command_without_a_database_says_how_to_make_one(tmp_path):
    told = run("account", "list", NEWSLETTER_DATA_DIR=str(tmp_path / "data"))

    assert told.exit_code == 1
    assert "newsletter db upgrade" in told.output
    assert not (tmp_path / "data").exists()


def test_a_database_that_cannot_be_reached_is_named_without_its_password(free_port):
    told = run(
        "db", "upgrade", NEWSLETTER_DATABASE_URL=f"postgresql+psycopg://me:secret@127.0.0.1:{free_port}/x"
    )

    assert told.exit_code == 1
    assert "cannot be reached" in told.output
    assert "secret" not in told.output


def test_the_environment_wins_over_the_file_and_other_variables_stay_out(tmp_path, monkeypatch):
    path = tmp_path / "settings.env"
    path.touch(0o600)  # else each command warns
    path.write_text("NEWSLETTER_SITE_NAME='From the file'\nNEWSLETTER_TAGLINE='Also'\nPATH=/nowhere\n")
    for name, value in {**ENVIRON, "NEWSLETTER_SITE_NAME": "From outside"}.items():
        monkeypatch.setenv(name, value)

    call = Invocation(path)

    assert (call.settings.site_name, call.settings.tagline) == ("From outside", "Also")
    assert call.environ["PATH"] != "/nowhere"


def test_a_file_of_settings_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        _ = Invocation(tmp_path / "missing.env").environ


def test_the_page_about_settings_is_what_the_command_prints():
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == describe() == run("settings").output
