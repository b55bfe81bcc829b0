"""The transport to the relay: which relay, how many connections, and which certificates it trusts."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import make_settings

from newsletter.errors import SettingsError
from newsletter.mail.addresses import parse_address
from newsletter.service.checks.settings_check import faults_of
from newsletter.service.relay_transport import make_endpoint
from newsletter.settings import choose_relay
from newsletter.smtp.endpoint import Endpoint

TWO = "example.com=smtps://com.example.org, News@Example.org=smtp://news.example.org?per_hour=50"


@pytest.mark.parametrize(
    ("sender", "host"),
    [
        ("letter@example.org", "127.0.0.1"),
        ("anybody@example.com", "com.example.org"),
        ("anybody@EXAMPLE.COM", "com.example.org"),
        ("news@example.org", "news.example.org"),
        ("anybody@sub.example.com", "127.0.0.1"),
    ],
)
def test_the_relay_is_chosen_by_the_from_address_then_by_its_domain(tmp_path: Path, sender, host):
    assert choose_relay(make_settings(tmp_path, relays=TWO), sender).host == host


@pytest.mark.parametrize(
    "relays", ["smtp://relay.example.org", "example.com=http://x", "a.example=smtp://b, A.example=smtp://c"]
)
def test_relays_that_cannot_be_read_are_a_fault(tmp_path: Path, relays):
    with pytest.raises(SettingsError, match="NEWSLETTER_RELAYS"):
        make_settings(tmp_path, relays=relays)


def test_limits_follow_the_relay_they_are_of(tmp_path: Path):
    url = "smtp://127.0.0.1:2525?per_second=0.5&per_hour=1000&per_day=5000&max_connections=9"

    relay = make_settings(tmp_path, relay=url).relay

    assert (relay.per_second, relay.per_hour, relay.per_day, relay.max_connections) == (0.5, 1000, 5000, 9)
    assert relay.security == "none"


@pytest.mark.parametrize("query", ["per_second=0", "per_hour=many", "per_week=5", "tls=maybe", "per_day=1.5"])
def test_a_limit_that_cannot_be_read_is_a_fault(tmp_path: Path, query):
    with pytest.raises(SettingsError, match="NEWSLETTER_RELAY"):
        make_settings(tmp_path, relay=f"smtp://relay.example.org?{query}")


@pytest.mark.parametrize(("most", "each"), [(9, 3), (2, 1), (300, 100)])
def test_the_processes_of_a_host_share_its_connections(tmp_path: Path, most, each):
    url = f"smtp://127.0.0.1?max_connections={most}"
    settings = make_settings(tmp_path, relay=url, send_workers="2")

    assert make_endpoint(settings, settings.relay).max_connections == each


def test_without_a_limit_each_process_has_the_usual_connections(tmp_path: Path):
    settings = make_settings(tmp_path)

    assert make_endpoint(settings, settings.relay) == Endpoint(settings.relay, local_name="news.example.org")


def test_certificates_of_our_own_are_trusted_when_the_file_is_there(tmp_path: Path):
    file = tmp_path / "ca.pem"
    (fault,) = faults_of({"relay_ca_file": file})
    assert fault.startswith("NEWSLETTER_RELAY_CA_FILE")
    file.write_text("")

    settings = make_settings(tmp_path, relay_ca_file=str(file))

    assert make_endpoint(settings, settings.relay).ca_file == str(file)


def test_two_accounts_at_one_relay_are_counted_apart(tmp_path: Path):
    urls = ["smtp://r.example.org", "smtp://ann:x@r.example.org", "smtp://ben:x@r.example.org"]

    keys = {make_settings(tmp_path, relay=url).relay.key for url in urls}

    assert len(keys) == 3
    assert not any("ann" in key for key in keys)


@pytest.mark.parametrize("limits", ["gmail.com", "gmail.com=20", "gmail.com=0/s", "a@b.example=1/s", "x=1/d"])
def test_domain_limits_that_cannot_be_read_are_a_fault(tmp_path: Path, limits):
    with pytest.raises(SettingsError, match="NEWSLETTER_DOMAIN_LIMITS"):
        make_settings(tmp_path, domain_limits=limits)


@pytest.mark.parametrize(
    "domain", ["straße.example", "STRAßE.example", "βόλος.example", "bücher.example", "例え.jp"]
)
def test_a_domain_with_a_limit_is_the_one_that_addresses_are_kept_with(tmp_path: Path, domain: str):
    """Python's own codec knows only IDNA 2003, which turns the first domain into strasse."""
    settings = make_settings(tmp_path, domain_limits=f"{domain}=1/s")

    assert dict(settings.domain_limits) == {parse_address(f"ann@{domain}").domain: 1}


def test_domain_limits_are_a_second_a_minute_or_an_hour(tmp_path: Path):
    settings = make_settings(tmp_path, domain_limits="Gmail.com=20/s, bücher.example=60/m, *=3600/h")

    assert dict(settings.domain_limits) == {"gmail.com": 20, "xn--bcher-kva.example": 1, "*": 1}


@pytest.mark.parametrize(
    "window", ["Mo-Fr", "08:00", "Xx 08:00-09:00", "Mo 25:00-26:00", "Mo 08:00-09:00 Mars/Olympus", "UTC"]
)
def test_hours_that_cannot_be_read_are_a_fault(tmp_path: Path, window):
    with pytest.raises(SettingsError, match="NEWSLETTER_SENDING_WINDOW"):
        make_settings(tmp_path, sending_window=window)
