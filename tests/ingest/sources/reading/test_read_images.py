"""The images of a source's items: each address is fetched once, within limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ingest.sources.samples import make_sample
from pictures import SVG, photo
from servers.web import WebServer, answer, serving

from newsletter.images.encoder import ImageEncoder
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.listing import Listed
from newsletter.ingest.sources.reading.read_images import MOST_IMAGES, MOST_SECONDS, ImageReader
from newsletter.ingest.sources.reading.read_pages import PagesRead

HERE = Allowed.of(["127.0.0.0/8"])


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as made:
        yield made


@pytest.fixture
def reader() -> Iterator[ImageReader]:
    with ImageEncoder() as encoder:
        yield ImageReader(Retriever("test", HERE), encoder)


def listed(server: WebServer, *paths: str) -> list[Listed]:
    return [Listed(path, make_sample(image_url=server.url(path))) for path in paths]


def test_an_address_is_fetched_once(server: WebServer, reader: ImageReader):
    server.answers["/new"] = server.answers["/changed"] = answer(photo())
    found = PagesRead(listed(server, "/new", "/same", "/changed", "/legacy"))
    found.listed.append(Listed("none", make_sample()))
    known = {"/same": server.url("/same"), "/changed": server.url("/old"), "/legacy": None, "none": ""}

    reader.read(found, known)

    assert sorted(found.images) == ["/changed", "/new"]
    assert sorted(each.path for each in server.asked) == ["/changed", "/new"]
    assert len(found.listed) == 5


def test_what_gives_no_image_is_told_and_not_fetched_again(server: WebServer, reader: ImageReader):
    server.answers["/svg"] = answer(SVG)
    found = PagesRead(listed(server, "/svg", "/missing"))
    found.listed.append(Listed("away", make_sample(image_url="http://10.0.0.1/quay.jpg")))

    reader.read(found, {})

    assert found.images == {}
    assert sorted(found.imageless) == ["/missing", "/svg", "away"]
    assert len(found.listed) == len(found.problems) == 3


def test_beyond_the_limits_new_items_wait_and_stored_ones_are_listed(server: WebServer, reader: ImageReader):
    late = ImageReader(reader.retriever, reader.encoder, iter([0.0, *[MOST_SECONDS + 1] * 9]).__next__)
    found = PagesRead(listed(server, "/new", "/changed"))

    late.read(found, {"/changed": server.url("/old")})

    assert [each.key for each in found.listed] == ["/changed"]
    assert (found.unread, found.images, server.asked) == (2, {}, [])
    assert MOST_IMAGES >= 25
