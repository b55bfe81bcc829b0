"""The former settings fill the newsletter of a new database, or `newsletter edit` gives it a sender."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, NOON, make_settings, make_upgraded
from sqlalchemy.orm import Session

from newsletter.cli import main
from newsletter.errors import ServiceError
from newsletter.identity import load_identity
from newsletter.models import FIRST_NEWSLETTER, open_engine
from newsletter.service.database.first_newsletter import fill_first_newsletter, require_sender
from newsletter.settings import Settings, load_settings

SENDER = ("NEWSLETTER_FROM_ADDRESS", "NEWSLETTER_POSTAL_ADDRESS")


def settings_without(folder: Path, *names: str) -> Settings:
    kept = {name: value for name, value in ENVIRON.items() if name not in names}
    return load_settings({**kept, "NEWSLETTER_DATA_DIR": str(folder)})


def run(folder: Path, *words: str) -> Result:
    """Run a command without a sender in its settings."""
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(folder), **dict.fromkeys(SENDER, "")}
    return CliRunner().invoke(main, ["--env-file", "", *words], env=environ)


def name_in(settings: Settings) -> str:
    engine = open_engine(settings.database)
    with Session(engine) as session:
        name = load_identity(session, settings, FIRST_NEWSLETTER).name
    engine.dispose()
    return name


def test_a_new_database_gets_the_values_of_the_settings(tmp_path: Path):
    settings = make_settings(tmp_path, site_name="The Harbour Letter")
    make_upgraded(settings.database)

    assert fill_first_newsletter(settings, NOON) == []
    assert name_in(settings) == "The Harbour Letter"


def test_a_setting_that_was_changed_later_changes_nothing_and_is_named(tmp_path: Path):
    settings = make_settings(tmp_path, site_name="The Harbour Letter")
    make_upgraded(settings.database)
    fill_first_newsletter(settings, NOON)

    (told,) = fill_first_newsletter(make_settings(tmp_path, site_name="Another Letter"), NOON)

    assert told.startswith("NEWSLETTER_SITE_NAME is not used")
    assert name_in(settings) == "The Harbour Letter"


@pytest.mark.parametrize("missing", [SENDER, SENDER[:1], SENDER[1:]])
def test_without_a_sender_anywhere_the_error_names_the_settings_and_the_command(
    tmp_path: Path, missing: tuple[str, ...]
):
    settings = settings_without(tmp_path, *missing)
    make_upgraded(settings.database)

    for attempt in (lambda: fill_first_newsletter(settings, NOON), lambda: require_sender(settings)):
        with pytest.raises(ServiceError) as caught:
            attempt()
        assert [name for name in SENDER if name in str(caught.value)] == list(missing)
        assert "newsletter edit --" in str(caught.value)


def test_with_a_sender_in_the_database_the_settings_need_none(tmp_path: Path):
    upgraded = run(tmp_path, "db", "upgrade")
    assert upgraded.exit_code == 1
    assert "The newsletter has no sender yet." in upgraded.output

    sender = ("--from-address", "desk@example.org", "--postal-address", "Quay 7")
    incomplete = run(tmp_path, "edit", *sender[:2])
    edited = run(tmp_path, "edit", *sender)

    assert incomplete.exit_code == 1
    assert "Postal address is empty." in incomplete.output
    assert edited.exit_code == 0, edited.output
    assert run(tmp_path, "db", "upgrade").exit_code == 0
    require_sender(settings_without(tmp_path, *SENDER))
    assert "desk@example.org" in run(tmp_path, "edit").output


def test_a_database_that_was_filled_needs_the_settings_no_more(tmp_path: Path):
    settings = settings_without(tmp_path)
    make_upgraded(settings.database)
    fill_first_newsletter(settings, NOON)

    assert fill_first_newsletter(settings_without(tmp_path, *SENDER), NOON) == []
