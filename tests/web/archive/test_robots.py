"""What search engines look for: robots.txt, the sitemap and the icon."""

from __future__ import annotations

import io
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

from house import edit_release
from PIL import Image

from newsletter.models import Release
from newsletter.releases.editing.edit import ReleaseAction

NAMESPACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def places(answer) -> list[str]:
    root = ElementTree.fromstring(answer.data)
    return [each.text for each in root.iter(f"{NAMESPACE}loc")]


def test_robots_may_read_the_archive_and_nothing_private(visitor):
    read = RobotFileParser()
    read.parse(visitor.get("/robots.txt").text.splitlines())

    assert read.site_maps() == ["https://news.example.org/sitemap.xml"]
    for path, allowed in {
        "/": True, "/releases": True, "/topics/energy": True, "/issues/1": True, "/admin": False,
        "/admin/releases": False,
    }.items():  # fmt: skip
        assert read.can_fetch("anybody", f"https://news.example.org{path}") is allowed, path


def test_the_sitemap_leads_to_every_public_page(visitor):
    shown, hidden = visitor.house.release("Energy from waves"), visitor.house.release("Sea and shore")
    edit_release(visitor.house, hidden, ReleaseAction.EXCLUDE)
    ids = {each.id: each.public_id for each in visitor.house.all(Release)}

    parts = places(visitor.get("/sitemap.xml"))
    listed = [
        place
        for part in parts
        for place in places(visitor.get(part.removeprefix("https://news.example.org")))
    ]

    assert parts == [f"https://news.example.org/sitemap-{number}.xml" for number in (0, 1)]
    assert f"https://news.example.org/releases/{ids[shown]}" in listed
    assert "https://news.example.org/topics/energy" in listed
    assert ids[hidden] not in " ".join(listed)
    for place in listed:
        assert visitor.get(place.removeprefix("https://news.example.org")).status_code == 200
    assert visitor.get("/sitemap-2.xml").status_code == 404
    assert visitor.get(f"/sitemap-{'9' * 30}.xml").status_code == 404


def test_the_sitemap_of_several_newsletters_has_their_topics(visitor):
    visitor.house.topic("quay", newsletter=visitor.house.newsletter("other"))

    assert "https://news.example.org/n/other/topics/quay" in places(visitor.get("/sitemap-0.xml"))


def test_the_icon_is_an_icon(visitor):
    answer = visitor.get("/favicon.ico")

    assert Image.open(io.BytesIO(answer.data)).format == "ICO"
    assert answer.mimetype == "image/vnd.microsoft.icon"
