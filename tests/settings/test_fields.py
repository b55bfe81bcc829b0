"""Values that are derived from several settings: the database, our name, the relay of an address."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import make_settings

from newsletter.settings import choose_relay, plain_return_path, variable

RELAYS = (
    "example.com=smtp://one.example.com, news@example.com=smtp://two.example.com?return_path=b@example.com"
)


def test_the_default_database_is_a_file_in_the_data_folder_whatever_its_name(tmp_path: Path):
    folder = tmp_path / "50% of? it#"

    assert make_settings(folder).database.database == str(folder / "newsletter.sqlite3")


def test_a_connection_to_postgresql_has_a_timeout_and_keeps_its_own(tmp_path: Path):
    url = "postgresql+psycopg://news@db/news"

    usual = make_settings(tmp_path, database_url=url).database
    own = make_settings(tmp_path, database_url=f"{url}?connect_timeout=3").database

    assert usual.query["connect_timeout"] == "10"
    assert own.query["connect_timeout"] == "3"


@pytest.mark.parametrize(
    ("url", "secure"), [("https://news.example.org", True), ("http://localhost:8000", False)]
)
def test_cookies_are_sent_over_https_only_if_the_public_url_is_https(tmp_path: Path, url, secure):
    assert make_settings(tmp_path, public_url=url).secure is secure


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("News@Example.com", "two.example.com"),
        ("other@example.com", "one.example.com"),
        ("news@sub.example.com", "127.0.0.1"),
        ("news@example.org", "127.0.0.1"),
    ],
)
def test_the_relay_is_chosen_by_address_then_by_domain(tmp_path: Path, address, host):
    assert choose_relay(make_settings(tmp_path, relays=RELAYS), address).host == host


def test_a_relay_with_its_own_return_path_uses_it(tmp_path: Path):
    settings = make_settings(tmp_path, relays=RELAYS, return_path="a@example.org")

    assert plain_return_path(settings, choose_relay(settings, "news@example.com")) == "b@example.com"
    assert plain_return_path(settings, settings.relay) == "a@example.org"
    without = make_settings(tmp_path)
    assert plain_return_path(without, without.relay) is None


def test_a_variable_has_the_name_of_its_field():
    assert variable("from_address") == "NEWSLETTER_FROM_ADDRESS"
