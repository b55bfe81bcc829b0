"""Settings: all faults in one message, and no typo goes unnoticed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from house import ENVIRON

from newsletter.errors import SettingsError
from newsletter.mail import verp
from newsletter.settings import LONGEST_LEAVE_MAILBOX, Listener, RelaySecurity, load_settings


def faults_of(**changes: str | None) -> str:
    environ = {name: value for name, value in {**ENVIRON, **changes}.items() if value is not None}
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return str(caught.value)


def test_every_missing_setting_is_named_in_one_message():
    with pytest.raises(SettingsError) as caught:
        load_settings({})

    missing = [fault.split()[0] for fault in caught.value.faults]
    assert missing == [
        "NEWSLETTER_PUBLIC_URL",
        "NEWSLETTER_SECRET_KEYS",
        "NEWSLETTER_RELAY",
    ]


def test_several_faults_come_together():
    message = faults_of(
        NEWSLETTER_PUBLIC_URL="news.example.org", NEWSLETTER_SECRET_KEYS="short", NEWSLETTER_BIND="8000"
    )

    assert "NEWSLETTER_PUBLIC_URL is not a URL" in message
    assert "NEWSLETTER_SECRET_KEYS has a key of fewer than 32 characters" in message
    assert "NEWSLETTER_BIND is not host:port" in message


def test_a_misspelt_setting_is_told_with_what_was_meant():
    assert "did you mean NEWSLETTER_SITE_NAME?" in faults_of(NEWSLETTER_SITENAME="The Letter")


@pytest.mark.parametrize(
    ("url", "security", "port"),
    [
        ("smtp://relay.example.org", RelaySecurity.STARTTLS, 587),
        ("smtps://relay.example.org", RelaySecurity.TLS, 465),
        ("smtp://relay.example.org:25?tls=none", RelaySecurity.NONE, 25),
        ("smtp://127.0.0.1:1025", RelaySecurity.NONE, 1025),
        ("smtp://localhost:1025?tls=starttls", RelaySecurity.STARTTLS, 1025),
    ],
)
def test_a_relay_off_this_machine_is_protected_unless_told_otherwise(url, security, port):
    relay = load_settings({**ENVIRON, "NEWSLETTER_RELAY": url}).relay

    assert (relay.security, relay.port) == (security, port)


def test_a_password_with_reserved_characters_is_read_unchanged_and_not_shown():
    relay = load_settings({**ENVIRON, "NEWSLETTER_RELAY": "smtp://ann:p%40ss%2Fword@relay.example.org"}).relay

    assert relay.password == "p@ss/word"
    assert "p@ss" not in repr(relay)


@pytest.mark.parametrize(
    "url", ["relay.example.org:587", "http://x", "smtp://", "smtp://a@b?tls=maybe", "smtp://h:99999"]
)
def test_a_relay_that_is_no_url_is_a_fault(url):
    assert "NEWSLETTER_RELAY" in faults_of(NEWSLETTER_RELAY=url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FROM_ADDRESS", "news@exämple.org"),
        ("FROM_ADDRESS", "nëws@example.org"),
        ("FROM_ADDRESS", "news@bad domain"),
        ("LIST_ID", "foo"),
        ("RETURN_PATH_DOMAIN", "bad domain"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgresql://db/newsletter"),
        ("PUBLIC_URL", "https://example.org/news"),
    ],
)
def test_what_would_spoil_every_email_or_page_is_a_fault(name, value):
    assert f"NEWSLETTER_{name}" in faults_of(**{f"NEWSLETTER_{name}": value})


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("https://www.example.org", ("https://www.example.org",)),
        ("https://WWW.Example.org/, https://www.example.org:443", ("https://www.example.org",)),
        ("https://shop.example.org:8443", ("https://shop.example.org:8443",)),
        ("https://bücher.example", ("https://xn--bcher-kva.example",)),
        ("http://127.0.0.1:8080, http://localhost", ("http://127.0.0.1:8080", "http://localhost")),
        ("http://[::1]:8080", ("http://[::1]:8080",)),
        ("", ()),
    ],
)
def test_origins_are_written_as_browsers_write_them(given, origins):
    assert load_settings({**ENVIRON, "NEWSLETTER_EMBED_ORIGINS": given}).embed_origins == origins


@pytest.mark.parametrize(
    "given",
    [
        "http://www.example.org",
        "www.example.org",
        "https://",
        "https://www.example.org/page",
        "https://www.example.org?a",
        "https://ann@example.org",
        "https://*.example.org",
        "https://a;b.example.org",
        "https://www.example.org:port",
        "null",
        "*",
    ],
)
def test_what_is_no_origin_is_a_fault(given):
    assert "NEWSLETTER_EMBED_ORIGINS" in faults_of(NEWSLETTER_EMBED_ORIGINS=given)


@pytest.mark.parametrize(
    "given",
    [
        "http://www.example.org/thanks",
        "/thanks",
        "https://example.org/a b",
        "https://example.org/;x",
        "https://e'.org/",
    ],
)
def test_a_thank_you_page_is_a_complete_url(given):
    assert "NEWSLETTER_THANKS_URLS" in faults_of(NEWSLETTER_THANKS_URLS=given)


def test_the_environment_wins_over_the_file(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text('NEWSLETTER_SITE_NAME="From the file"\nNEWSLETTER_TAGLINE=A line\n')

    settings = load_settings({**ENVIRON, "NEWSLETTER_SITE_NAME": "From outside"}, file)

    assert (settings.site_name, settings.tagline) == ("From outside", "A line")


def test_an_unknown_time_zone_is_a_fault():
    assert "NEWSLETTER_TIME_ZONE" in faults_of(NEWSLETTER_TIME_ZONE="Mars/Olympus")


def test_half_a_dkim_key_is_a_fault():
    assert "must both be set" in faults_of(NEWSLETTER_DKIM_SELECTOR="s1")


SECRET = "a-secret-for-tests-that-is-long-enough"


@pytest.mark.parametrize("provider", ["POSTMARK", "BREVO"])
def test_networks_of_a_webhook_without_its_secret_are_a_fault(provider: str):
    faults = faults_of(**{f"NEWSLETTER_WEBHOOK_{provider}_NETWORKS": "203.0.113.0/24"})

    assert f"has no effect without NEWSLETTER_WEBHOOK_{provider}_SECRETS" in faults


@pytest.mark.parametrize(
    ("provider", "header"), [("POSTMARK", "X-PM-Metadata-Token"), ("BREVO", "X-Mailin-custom")]
)
def test_a_webhook_whose_provider_gives_no_header_of_ours_back_is_a_fault(provider: str, header: str):
    given = {f"NEWSLETTER_WEBHOOK_{provider}_SECRETS": SECRET}
    relay = f"smtp://127.0.0.1:2525?token_header={header.lower()}"

    assert f"needs token_header={header} in the URL of a relay" in faults_of(**given)
    load_settings({**ENVIRON, **given, "NEWSLETTER_RELAY": relay})
    load_settings({**ENVIRON, **given, "NEWSLETTER_RELAYS": f"example.com={relay}"})


def test_settings_cannot_be_changed():
    settings = load_settings(ENVIRON)

    with pytest.raises(FrozenInstanceError):
        settings.site_name = "Another"  # type: ignore[misc]


def test_the_unsubscribe_address_has_room_for_a_token():
    too_long = "l" * (LONGEST_LEAVE_MAILBOX + 1) + "@example.org"

    # mail/verp.py makes the addresses, but the settings must not import it.
    assert LONGEST_LEAVE_MAILBOX == verp.LONGEST_LEAVE_MAILBOX
    assert "has more than 23 characters before the @" in faults_of(NEWSLETTER_UNSUBSCRIBE_ADDRESS=too_long)


@pytest.mark.parametrize(
    "place", ["127.0.0.1:25", "http://127.0.0.1:25", "smtp://127.0.0.1", "lmtp://:0", ","]
)
def test_a_place_to_take_email_is_an_url_of_two_kinds(place: str):
    message = faults_of(NEWSLETTER_INTAKE_LISTEN=place, NEWSLETTER_UNSUBSCRIBE_ADDRESS="leave@example.org")

    assert message.count("NEWSLETTER_INTAKE_LISTEN") == 1


def test_email_may_be_taken_at_several_places_if_there_is_an_address_for_it():
    listen = {"NEWSLETTER_INTAKE_LISTEN": "SMTP://[::1]:8025, lmtp://127.0.0.1:8024"}

    found = load_settings({**ENVIRON, **listen, "NEWSLETTER_UNSUBSCRIBE_ADDRESS": "leave@example.org"})

    assert found.intake_listen == (Listener("smtp", "::1", 8025), Listener("lmtp", "127.0.0.1", 8024))
