"""Certificates of Amazon SNS: fetched through the guard, kept, and not too often."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from house import NOON, make_settings
from servers.web import answer, serving
from webhook_calls import CERTIFICATE_URL, certificate

from newsletter.errors import FetchError, FetchRefused
from newsletter.web.webhooks.certificates import FETCHES, KEPT, LIMITS, MOST_KEPT, CertificateStore, fetcher


class Pages:
    """Answers fetches, and remembers the URLs."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return self.body


def test_a_certificate_is_fetched_once_a_day():
    pages = Pages(certificate())
    store = CertificateStore(pages)

    first = store.get(CERTIFICATE_URL, NOON)
    assert store.get(CERTIFICATE_URL, NOON + KEPT - timedelta(seconds=1)) is first
    assert len(pages.asked) == 1
    assert store.get(CERTIFICATE_URL, NOON + KEPT) == first
    assert len(pages.asked) == 2


def test_fetches_are_limited_and_kept_certificates_still_count():
    store = CertificateStore(Pages(certificate()))
    store.get(CERTIFICATE_URL, NOON)
    for number in range(int(FETCHES.burst) - 1):
        store.get(f"https://sns/{number}", NOON)

    with pytest.raises(FetchError, match="too many"):
        store.get("https://sns/more", NOON)
    store.get(CERTIFICATE_URL, NOON)
    store.get("https://sns/more", NOON + timedelta(seconds=FETCHES.period_seconds))


def test_at_most_some_certificates_are_kept():
    pages = Pages(certificate())
    store = CertificateStore(pages)
    for number in range(MOST_KEPT + 1):
        store.get(f"https://sns/{number}", NOON + timedelta(minutes=2 * number))

    store.get("https://sns/0", NOON + timedelta(hours=2))

    assert pages.asked.count("https://sns/0") == 2


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_another_answer_is_no_certificate(body: bytes):
    with pytest.raises(FetchError, match="not a certificate"):
        CertificateStore(Pages(body)).get(CERTIFICATE_URL, NOON)


def test_the_guard_refuses_private_addresses_and_redirects(tmp_path):
    with serving() as server:
        settings = make_settings(tmp_path)
        server.answers["/a.pem"] = answer(b"x")
        with pytest.raises(FetchRefused, match="loopback"):
            fetcher(settings)(server.url("/a.pem"))
        assert server.asked == []

        settings = make_settings(tmp_path, fetch_allow="127.0.0.0/8")
        assert fetcher(settings)(server.url("/a.pem")) == b"x"
        server.answers["/moved"] = answer(b"", status=302, headers={"Location": server.url("/a.pem")})
        server.answers["/gone"] = answer(b"", status=404)
        server.answers["/large"] = answer(os.urandom(LIMITS.body_bytes + 1))
        for path in ("/moved", "/gone", "/large"):
            with pytest.raises(FetchError):
                fetcher(settings)(server.url(path))
