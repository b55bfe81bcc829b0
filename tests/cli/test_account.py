from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from newsletter.accounts.create import find_account
from newsletter.accounts.passwords import check_password
from newsletter.cli import main
from newsletter.models import open_engine


@pytest.fixture
def folder(env_file: Path) -> Path:
    """A data folder with an upgraded database, and an env file that names it."""
    return env_file.parent


def _run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--env-file", str(folder / "settings.env"), "account", *words])


def _fits(folder: Path, password: str) -> bool:
    engine = open_engine(f"sqlite:///{folder / 'newsletter.sqlite3'}")
    with Session(engine) as session:
        user = find_account(session, "editor@example.org")
        stored = user.password_hash if user else None
    engine.dispose()
    return check_password(password, stored)[0]


def test_an_account_is_added_with_a_password_that_is_printed_once(folder: Path) -> None:
    added = _run(folder, "add", "Editor@Example.org", "--json")

    assert added.exit_code == 0, added.output
    printed = json.loads(added.output)
    assert printed["address"] == "editor@example.org"
    assert _fits(folder, printed["one_time_password"])
    assert printed["one_time_password"] not in _run(folder, "list").output


def test_what_is_printed_for_people_says_where_to_go(folder: Path) -> None:
    output = _run(folder, "add", "editor@example.org").output

    assert "https://news.example.org/admin" in output
    assert "must be changed at the first sign-in" in output


def test_a_reset_gives_a_new_password(folder: Path) -> None:
    first = json.loads(_run(folder, "add", "editor@example.org", "--json").output)
    second = json.loads(_run(folder, "reset", "EDITOR@example.org", "--json").output)

    assert not _fits(folder, first["one_time_password"])
    assert _fits(folder, second["one_time_password"])


def test_accounts_are_listed(folder: Path) -> None:
    _run(folder, "add", "editor@example.org")

    (line,) = _run(folder, "list", "--json").output.splitlines()

    listed = json.loads(line)
    assert (listed["address"], listed["must_change"], listed["signed_in_at"]) == (
        "editor@example.org",
        True,
        None,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "no address"), "an email address"),
        (("reset", "nobody@example.org"), "no account"),
    ],
)
def test_what_cannot_be_done_is_said_with_status_1(
    folder: Path, words: tuple[str, ...], message: str
) -> None:
    result = _run(folder, *words)

    assert result.exit_code == 1
    assert message in result.output


def test_an_account_is_added_once(folder: Path) -> None:
    _run(folder, "add", "editor@example.org")

    again = _run(folder, "add", "editor@example.org")

    assert again.exit_code == 1
    assert "already" in again.output
