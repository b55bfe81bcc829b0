"""The former settings fill the newsletter of a new database, and later differences are told."""

from __future__ import annotations

from pathlib import Path

from house import NOON, make_settings
from sqlalchemy.orm import Session

from newsletter.identity import load_identity
from newsletter.models import FIRST_NEWSLETTER, open_engine
from newsletter.service.database import upgrade
from newsletter.service.first_newsletter import fill_first_newsletter


def name_in(settings) -> str:
    engine = open_engine(settings.database)
    with Session(engine) as session:
        name = load_identity(session, settings, FIRST_NEWSLETTER).name
    engine.dispose()
    return name


def test_a_new_database_gets_the_values_of_the_settings(tmp_path: Path):
    settings = make_settings(tmp_path, site_name="The Harbour Letter")
    upgrade(settings.database)

    assert fill_first_newsletter(settings, NOON) == []
    assert name_in(settings) == "The Harbour Letter"


def test_a_setting_that_was_changed_later_changes_nothing_and_is_named(tmp_path: Path):
    settings = make_settings(tmp_path, site_name="The Harbour Letter")
    upgrade(settings.database)
    fill_first_newsletter(settings, NOON)

    (told,) = fill_first_newsletter(make_settings(tmp_path, site_name="Another Letter"), NOON)

    assert told.startswith("NEWSLETTER_SITE_NAME is not used")
    assert name_in(settings) == "The Harbour Letter"
