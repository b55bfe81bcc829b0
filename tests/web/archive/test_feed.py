"""The Atom feed is well-formed XML with every release, whatever characters a release has."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

from house import House

from newsletter.models import Release
from newsletter.web.archive.feed import atom_feed

ATOM = "{http://www.w3.org/2005/Atom}"
PAGE, FEED = "https://news.example.org/releases", "https://news.example.org/releases.atom"


def feed_of(house: House, releases, zone: str = "UTC"):
    links = house.runtime.links
    return fromstring(
        atom_feed(releases, title="Letter & Co", page=PAGE, feed=FEED, links=links, time_zone=zone)
    )


def test_each_release_is_an_entry_with_its_link_and_its_times(house: House):
    house.topic("energy")
    house.release("Energy in March")
    house.clock.pass_(hours=1)
    house.release("Energy in April")
    releases = house.all(Release)

    feed = feed_of(house, releases)

    assert feed.findtext(f"{ATOM}title") == "Letter & Co"
    assert feed.findtext(f"{ATOM}updated") == house.clock().isoformat()
    assert [(each.get("rel"), each.get("href")) for each in feed.findall(f"{ATOM}link")] == [
        ("self", FEED), ("alternate", PAGE),
    ]  # fmt: skip
    entries = feed.findall(f"{ATOM}entry")
    assert [each.findtext(f"{ATOM}id") for each in entries] == [
        house.runtime.links.release(each.public_id) for each in releases
    ]
    assert [each.findtext(f"{ATOM}title") for each in entries] == ["Energy in March", "Energy in April"]
    assert entries[0].findtext(f"{ATOM}author/{ATOM}name") == "Port of Halmstrand"
    assert entries[0].find(f"{ATOM}content").get("type") == "html"


def test_characters_that_xml_cannot_hold_are_left_out(house: House):
    house.topic("energy")
    house.release("Energy in March")
    (release,) = house.all(Release)
    release.title, release.publisher = "a\x00b\x0bc\ufffed <&>\U0001f600", ""

    entry = feed_of(house, [release]).find(f"{ATOM}entry")

    assert entry.findtext(f"{ATOM}title") == "abcd <&>\U0001f600"
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Letter & Co"


def test_a_feed_without_releases_is_valid_too(house: House):
    assert feed_of(house, []).findtext(f"{ATOM}updated") == "1970-01-01T00:00:00+00:00"


def test_a_release_has_the_publisher_s_own_date_in_every_zone(house: House):
    house.topic("energy")
    house.release("Energy in March")
    releases = house.all(Release)

    for zone in ("UTC", "Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        published = feed_of(house, releases, zone).findtext(f"{ATOM}entry/{ATOM}published")

        assert published.startswith(releases[0].published_on.isoformat())
