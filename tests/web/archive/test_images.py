"""The public addresses of images, and the pages that show them."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

from house import edit_release as steer
from house import public_id
from pictures import photo

from newsletter.images.encoder import ImageEncoder
from newsletter.images.store import store_image
from newsletter.models import StoredImage
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.edit_fields import edit_release
from newsletter.web.archive.images import WEEK


def with_image(house, release: int, alt: str = "A <quay>") -> StoredImage:
    """Give a release an image, and return it."""
    with ImageEncoder() as encoder:
        encoded = encoder.encode(photo())
    with house.runtime.session() as session:
        image_hash = store_image(session, encoded, house.clock())
        given = {"image": image_hash, "image_alt": alt}
        edit_release(session, public_id(house, release), given, actor="Ann", now=house.clock())
        session.commit()
        return session.get_one(StoredImage, image_hash)


def test_an_image_may_be_kept_for_a_week_and_is_asked_for_by_its_tag(visitor):
    release = visitor.house.release("Energy from waves")
    image = with_image(visitor.house, release)

    first = visitor.get(f"/images/{image.file_name}")
    again = visitor.get(f"/images/{image.file_name}", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, first.mimetype) == (200, "image/jpeg")
    assert first.data.startswith(b"\xff\xd8")
    assert first.headers["Cache-Control"] == WEEK
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert "Vary" not in first.headers
    assert again.status_code == 304


def test_the_image_of_a_release_that_was_withdrawn_is_gone(visitor):
    release = visitor.house.release("Energy from waves")
    image = with_image(visitor.house, release)
    first = visitor.get(f"/images/{image.file_name}")

    steer(visitor.house, release, ReleaseAction.HOLD)

    for headers in ({}, {"If-None-Match": first.headers["ETag"]}):
        assert visitor.get(f"/images/{image.file_name}", headers=headers).status_code == 404


def test_names_that_are_none_of_an_image_are_not_found(visitor):
    for name in ("x", "0" * 64 + ".jpg", "0" * 64 + ".svg", "%00"):
        assert visitor.get(f"/images/{name}").status_code == 404


def test_the_page_of_a_release_shows_its_image_with_its_description(visitor):
    release = visitor.house.release("Energy from waves")
    image = with_image(visitor.house, release)

    page = visitor.get(f"/releases/{public_id(visitor.house, release)}").text

    url = f"https://news.example.org/images/{image.file_name}"
    size = f'width="{image.width}" height="{image.height}"'
    assert f'<img src="/images/{image.file_name}" {size} alt="A &lt;quay&gt;"' in page
    assert f'<meta property="og:image" content="{url}">' in page
    assert '<meta property="og:image:alt" content="A &lt;quay&gt;">' in page
    article = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page)[1])
    assert article["image"] == {"@type": "ImageObject", "url": url, "width": 900, "height": 600}


def test_feeds_have_the_image_before_the_text(visitor):
    release = visitor.house.release("Energy from waves")
    image = with_image(visitor.house, release)
    url = f"https://news.example.org/images/{image.file_name}"

    feeds = {kind: visitor.get(f"/releases.{kind}") for kind in ("atom", "rss", "json")}

    (item,) = json.loads(feeds["json"].text)["items"]
    assert item["image"] == url
    shown = f'<p><img src="{url}" width="900" height="600" alt="A &lt;quay&gt;"></p>'
    assert item["content_html"].startswith(shown)
    content = ElementTree.fromstring(feeds["atom"].data).find(".//{http://www.w3.org/2005/Atom}content")
    assert content.text.startswith(shown)
    assert ElementTree.fromstring(feeds["rss"].data).find(".//item/description").text.startswith(shown)


def test_a_release_without_an_image_has_none_of_this(visitor):
    release = visitor.house.release("Energy from waves")

    page = visitor.get(f"/releases/{public_id(visitor.house, release)}").text

    assert "/images/" not in page
    assert "lead-image" not in page
