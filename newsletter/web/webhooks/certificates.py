"""The certificates by which Amazon SNS signs: fetched once, kept for a day, and few fetches at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from cryptography import x509
from flask import current_app

from newsletter.errors import FetchError
from newsletter.ingest.retrieve import Limits
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.settings import Settings
from newsletter.throttle import Bucket, Limit, take

EXTENSION = "newsletter.sns_certificates"
# A certificate has 2 KB, and the answer to a confirmation less.
LIMITS = Limits(
    seconds=10.0, silent_seconds=5.0, wire_bytes=64 * 1024, body_bytes=64 * 1024, header_bytes=16 * 1024,
    redirects=0,
)  # fmt: skip
KEPT = timedelta(days=1)
MOST_KEPT = 20
# Anybody who knows the name of a topic can make this process fetch from Amazon.
FETCHES = Limit(burst=10, period_seconds=600)


class CertificateStore:
    """Gets certificates by `fetch`, which returns the body at a URL or raises FetchError."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._known: dict[str, tuple[datetime, x509.Certificate]] = {}
        self._bucket: Bucket | None = None
        self._lock = threading.Lock()

    def get(self, url: str, now: datetime) -> x509.Certificate:
        """Return the certificate at a URL that was checked. Raises FetchError."""
        with self._lock:
            known = self._known.get(url)
            if known is not None and now - known[0] < KEPT:
                return known[1]
            self._bucket, wait_seconds = take(self._bucket, FETCHES, now)
        if wait_seconds:
            raise FetchError(url, "too many certificates were fetched shortly before")
        certificate = _read(url, self._fetch(url))
        with self._lock:
            while len(self._known) >= MOST_KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[url] = (now, certificate)
        return certificate

    def visit(self, url: str) -> None:
        """Open the URL that confirms a subscription. Raises FetchError."""
        self._fetch(url)


def _read(url: str, body: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(body)
    except ValueError:
        raise FetchError(url, "its answer is not a certificate") from None


def fetcher(settings: Settings, limits: Limits = LIMITS) -> Callable[[str], bytes]:
    """Return a function that fetches a certificate from Amazon.

    It never connects to a private address, and follows no redirect.
    """
    retriever = make_retriever(settings, limits)

    def fetch(url: str) -> bytes:
        with retriever.get(url) as answer:
            if answer.status != 200:
                raise FetchError(url, f"it answers {answer.status}")
            return answer.read()

    return fetch


def certificates(settings: Settings) -> CertificateStore:
    """Return the store of this process."""
    known = current_app.extensions.get(EXTENSION)
    if known is None:
        # If several threads get here together, all use the store that was set first.
        known = current_app.extensions.setdefault(EXTENSION, CertificateStore(fetcher(settings)))
    return cast("CertificateStore", known)
