"""The lead image of a page is fetched through the guard, and its content decides what it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pictures import SVG, photo
from servers.web import WebServer, answer, serving

from newsletter.errors import FetchError, FetchRefused, InputError
from newsletter.images.encoder import ImageEncoder
from newsletter.ingest.fetch_image import fetch_image
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Limits, Retriever

HERE = Allowed.of(["127.0.0.0/8"])


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as made:
        yield made


@pytest.fixture
def encoder() -> Iterator[ImageEncoder]:
    with ImageEncoder() as made:
        yield made


def test_an_image_is_taken_whatever_type_the_server_names(server: WebServer, encoder: ImageEncoder):
    server.answers["/quay"] = answer(photo(), headers={"Content-Type": "text/plain"})

    assert fetch_image(Retriever("test", HERE), encoder, server.url("/quay")).page.width == 900


def test_what_is_no_image_is_refused_whatever_type_the_server_names(server: WebServer, encoder: ImageEncoder):
    for document in (SVG, b"<html><script>alert(1)</script></html>", b"", photo()[:500]):
        server.answers["/quay"] = answer(document, headers={"Content-Type": "image/jpeg"})
        with pytest.raises(InputError):
            fetch_image(Retriever("test", HERE), encoder, server.url("/quay"))


def test_a_private_address_is_not_fetched_even_after_a_redirect(server: WebServer, encoder: ImageEncoder):
    server.answers["/away"] = answer(b"", 302, {"Location": "http://10.0.0.1/quay.jpg"})

    with pytest.raises(FetchRefused):
        fetch_image(Retriever("test"), encoder, server.url("/quay"))
    with pytest.raises(FetchRefused):
        fetch_image(Retriever("test", HERE), encoder, server.url("/away"))


def test_an_image_that_is_missing_or_too_large_is_not_taken(server: WebServer, encoder: ImageEncoder):
    server.answers["/large"] = answer(photo() + bytes(200_000))
    small = Retriever("test", HERE, Limits(body_bytes=100_000, wire_bytes=100_000))

    for path in ("/none", "/large"):
        with pytest.raises(FetchError):
            fetch_image(small, encoder, server.url(path))
