"""The public URL and our name in EHLO: a wrong one is refused at start, an accepted one can send."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from house import make_house, make_settings
from smtp.relay_script import Session, scripted_relay

from newsletter.errors import SettingsError
from newsletter.models import Lane
from newsletter.outbox.drain.worker import drain
from newsletter.service.relay_transport import Transports, make_endpoint

FILE = Path(__file__).parents[2] / "data" / "relay" / "public-urls.txt"
URLS = [line for line in FILE.read_text("utf-8").splitlines() if line and not line.startswith("#")]
REFUSED = {
    "https://my news.test.example",
    "https://news.test.example:99999",
    "http://news_letter:8000",
    "https://user:word@news.test.example",
    "https://-news.test.example",
    "http://192.0.2.700:8000",
    "http://[2001:db8::zz]:8000",
    "https://news..test.example",
}
# A domain, or an address literal (RFC 5321, section 4.1.3). A bare IP address is neither.
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
STRICT = re.compile(rf"{LABEL}(?:\.{LABEL})*|\[(?:IPv6:[0-9a-f:]+|[0-9.]+)\]")


def strict_ehlo(session: Session) -> str:
    name = session.transcript.commands[-1].partition(" ")[2]
    if not STRICT.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
        return "504 5.5.2 Helo command rejected: need fully-qualified hostname"
    return "250-relay.test\r\n250 PIPELINING"


@pytest.mark.parametrize("url", URLS)
def test_a_public_url_is_refused_at_start_or_a_digest_with_it_is_accepted(tmp_path: Path, url: str):
    with scripted_relay(answers={"EHLO": strict_ehlo, "HELO": strict_ehlo}) as relay:
        try:
            settings = make_settings(
                tmp_path, public_url=url, relay=f"smtp://127.0.0.1:{relay.port}", send_workers="1"
            )
        except SettingsError as caught:
            assert url in REFUSED
            assert len(caught.faults) == 1
            assert caught.faults[0].startswith("NEWSLETTER_PUBLIC_URL ")
            return
        assert url not in REFUSED
        house = make_house(settings)
        house.add_subscriber(house.topic("energy"))
        house.release("A new energy cable")
        house.open()
        with closing(Transports(settings)) as transports:
            drain(house.runtime, transports.to, lane=Lane.BULK)

        assert house.states() == ["accepted"]
        assert f"<{settings.public_url}/unsubscribe/".encode() in relay.contents[0].replace(b"\r\n ", b" ")
        house.runtime.engine.dispose()


@pytest.mark.parametrize(
    ("given", "url", "name"),
    [
        ("HTTPS://News.Test.Example/", "https://news.test.example", "news.test.example"),
        ("https://müller.example", "https://xn--mller-kva.example", "xn--mller-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("https://news.example:443", "https://news.example", "news.example"),
        ("http://news.example:443", "http://news.example:443", "news.example"),
        ("https://news.example.", "https://news.example", "news.example"),
        ("http://localhost:8000", "http://localhost:8000", "localhost"),
        ("http://192.0.2.7:8000", "http://192.0.2.7:8000", "[192.0.2.7]"),
        ("http://[2001:DB8:0::7]:8000", "http://[2001:db8::7]:8000", "[IPv6:2001:db8::7]"),
    ],
)
def test_scheme_and_host_are_written_in_one_form(tmp_path: Path, given, url, name):
    settings = make_settings(tmp_path, public_url=given)

    assert settings.public_url == url
    assert settings.local_name == name
    assert settings.secure == url.startswith("https:")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Mail.Example.org", "mail.example.org"),
        ("192.0.2.7", "[192.0.2.7]"),
        ("[192.0.2.7]", "[192.0.2.7]"),
        ("[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_name_in_ehlo_can_be_set(tmp_path: Path, given, name):
    settings = make_settings(tmp_path, public_url="http://192.0.2.9", ehlo_name=given)

    assert make_endpoint(settings, settings.relay).local_name == name


@pytest.mark.parametrize("given", ["our mail", "mail_1.example.org", "[192.0.2]", "x\r\nMAIL FROM:<>"])
def test_a_name_that_cannot_stand_in_ehlo_is_refused(tmp_path: Path, given):
    with pytest.raises(SettingsError, match="NEWSLETTER_EHLO_NAME"):
        make_settings(tmp_path, ehlo_name=given)
