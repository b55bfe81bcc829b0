"""The relay's URL: what it may contain, and that no message shows a part of a password."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from house import ENVIRON, make_settings
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SettingsError
from newsletter.settings import load_settings, plain_return_path
from newsletter.settings.parse.common import PERCENT_ENCODE

FILE = Path(__file__).parents[2] / "data" / "relay" / "relay-urls.txt"
URLS = [line for line in FILE.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def faults_of(**changes: str) -> tuple[str, ...]:
    given_now = {f"NEWSLETTER_{name.upper()}": value for name, value in changes.items()}
    with pytest.raises(SettingsError) as caught:
        load_settings({**ENVIRON, **given_now})
    return caught.value.faults


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("setting", ["relay", "relays"])
def test_a_reserved_character_in_a_password_gives_one_message_that_says_to_percent_encode(url, setting):
    (fault,) = faults_of(**{setting: f"example.org={url}" if setting == "relays" else url})

    # The message is the same for every password, so it cannot contain a part of one.
    assert fault == f"NEWSLETTER_{setting.upper()} {PERCENT_ENCODE}"


PASSWORDS = st.text(string.ascii_letters + string.digits + "#/?[]@:%,=&;+ ÄÖ漢\n\t", min_size=1, max_size=20)


@given(PASSWORDS.map(lambda text: f"qZ7{text}9vX"), st.sampled_from(["relay", "relays"]))
def test_no_message_about_a_relay_shows_a_part_of_its_password(password, setting):
    """The markers at both ends of the password appear in none of our messages by chance."""
    url = f"smtp://ann:{password}@relay.example.org:587"
    try:
        load_settings(
            {**ENVIRON, f"NEWSLETTER_{setting.upper()}": f"example.org={url}" if setting == "relays" else url}
        )
    except SettingsError as caught:
        assert "qZ7" not in str(caught)
        assert "9vX" not in str(caught)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://relay.example.org/folder",
        "smtp://relay.example.org:0",
        "smtp://relay.example.org:5x7",
        "smtp://:secret@relay.example.org",
        "smtp://[::1",
        "smtp://re lay.example.org",
        "smtp://@",
        "smtp://relay.example.org?token_header=From",
        "smtp://relay.example.org?return_path=nobody",
    ],
)
def test_what_is_no_relay_is_one_fault(url):
    (fault,) = faults_of(relay=url)

    assert fault.startswith("NEWSLETTER_RELAY ")
    assert "secret" not in fault


def test_a_misspelt_option_is_told_with_what_was_meant():
    (fault,) = faults_of(relay="smtp://relay.example.org?per_secnd=5")

    assert "did you mean per_second?" in fault


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("smtp://[::1]:25", "::1", 25),
        ("SMTPS://relay.example.org", "relay.example.org", 465),
        ("smtp://mail_relay:2525", "mail_relay", 2525),
        ("smtp://bücher.example", "xn--bcher-kva.example", 587),
        ("smtp://ann@example.org:secret@relay.example.org:25", "relay.example.org", 25),
    ],
)
def test_host_and_port_of_a_relay_are_read(tmp_path: Path, url, host, port):
    relay = make_settings(tmp_path, relay=url).relay

    assert (relay.host, relay.port) == (host, port)


def test_a_plain_return_path_is_of_all_relays_or_of_one(tmp_path: Path):
    own = "smtp://127.0.0.1:2525?return_path=own%40example.org"

    def path_of(**changes: str) -> str | None:
        settings = make_settings(tmp_path, **changes)
        return plain_return_path(settings, settings.relay)

    assert path_of() is None
    assert path_of(return_path="letter@example.org") == "letter@example.org"
    assert path_of(relay=own) == "own@example.org"
    assert path_of(relay=own, return_path="letter@example.org") == "own@example.org"


def test_a_plain_return_path_and_a_domain_of_signed_ones_exclude_each_other():
    (fault,) = faults_of(return_path="letter@example.org", return_path_domain="bounces.example.org")

    assert "NEWSLETTER_RETURN_PATH and NEWSLETTER_RETURN_PATH_DOMAIN cannot both be set" in fault


def test_a_domain_of_signed_return_paths_that_no_relay_uses_is_a_fault(tmp_path: Path):
    own = "smtp://127.0.0.1:2525?return_path=own@example.org"

    (fault,) = faults_of(relay=own, return_path_domain="bounces.example.org")

    assert "NEWSLETTER_RETURN_PATH_DOMAIN has no effect" in fault
    others = "example.com=smtp://relay.example.com"
    assert make_settings(tmp_path, relay=own, relays=others, return_path_domain="bounces.example.org")


def test_a_user_without_a_password_needs_a_command_for_tokens(tmp_path: Path):
    url = "smtp://ann@relay.example.org"

    (fault,) = faults_of(relay=url)

    assert "no password" in fault
    assert "NEWSLETTER_RELAY_TOKEN_COMMAND" in fault
    assert make_settings(tmp_path, relay=url, relay_token_command="token --for ann").relay.password is None
    assert "quotation mark" in faults_of(relay=url, relay_token_command="token 'ann")[0]
