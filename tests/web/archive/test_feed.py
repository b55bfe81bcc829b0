"""The feeds are valid, whatever characters a release has, and each rule they are checked by can be broken."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from house import House
from lxml import etree
from web.archive.feed_rules import JSON_RULES, RSS_RULES, atom_faults, json_faults, rss_faults

from newsletter.ingest.press.parse import parse_press
from newsletter.models import Release
from newsletter.releases.publishing.archive import newest_public
from newsletter.releases.store import add_release
from newsletter.web.archive.feed import FORMATS, Channel, atom_feed, json_feed, rss_feed

ATOM = "{http://www.w3.org/2005/Atom}"
PAGE, FEED = "https://news.example.org/releases", "https://news.example.org/releases.atom"
FAULTS = {"atom": atom_faults, "rss": rss_faults, "json": json_faults}
HOSTILE = [
    "a\x00b\x0bc\ufffed <&>\U0001f600", "]]>", "<script>alert(1)</script>", "&lt;b&gt;", "\ud800", "\u202e",
    "", "</content></entry>", "\u2028", '"', "'",
]  # fmt: skip


def channel(house: House, zone: str = "UTC") -> Channel:
    return Channel("Letter & Co", PAGE, FEED, "en", zone, house.runtime.links)


@pytest.fixture
def releases(house: House) -> list[Release]:
    house.topic("energy")
    house.release("Energy in March")
    house.clock.pass_(hours=1)
    house.release("Energy in April")
    with house.runtime.reading() as session:
        found = list(newest_public(session, house.clock(), 10))
        session.expunge_all()
        return found


@pytest.mark.parametrize("kind", FORMATS)
def test_a_feed_is_valid(house: House, releases, kind):
    releases[0].canonical_url = "https://port.example.com/news?a=1&b=2"

    assert FAULTS[kind](FORMATS[kind].write(releases, channel(house))) == []


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_feed_is_valid_whatever_characters_a_release_has(house: House, releases, kind, text):
    first = releases[0]
    first.title, first.publisher, first.summary = text, text, text
    first.language, first.canonical_url, first.body_html = text, text, f"<p>{text}</p>"
    first.topic_links[0].topic.name = text

    body = FORMATS[kind].write(releases, channel(house))

    assert FAULTS[kind](body) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_a_feed_without_releases_is_valid_too(house: House, kind):
    assert FAULTS[kind](FORMATS[kind].write([], channel(house))) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_a_release_without_a_date_is_valid(house: House, kind):
    text = "Northern Grid\n\nEnergy notice without a day\n\nThe operator gave no date at all.\n"
    with house.runtime.session() as session:
        add_release(session, parse_press(text, "notice.txt"), now=house.clock())
        session.commit()
        found = list(newest_public(session, house.clock(), 10))
        body = FORMATS[kind].write(found, channel(house))

    assert FAULTS[kind](body) == []
    assert b"Energy notice" in body


def test_each_release_is_an_entry_with_its_link_and_its_times(house: House, releases):
    feed = etree.fromstring(atom_feed(releases, channel(house)))

    assert feed.findtext(f"{ATOM}title") == "Letter & Co"
    assert feed.findtext(f"{ATOM}updated") == house.clock().isoformat()
    assert [(each.get("rel"), each.get("href")) for each in feed.findall(f"{ATOM}link")] == [
        ("self", FEED), ("alternate", PAGE),
    ]  # fmt: skip
    entries = feed.findall(f"{ATOM}entry")
    assert [each.findtext(f"{ATOM}id") for each in entries] == [
        house.runtime.links.release(each.public_id) for each in releases
    ]
    assert [each.findtext(f"{ATOM}title") for each in entries] == ["Energy in April", "Energy in March"]
    assert entries[0].findtext(f"{ATOM}author/{ATOM}name") == "Port of Halmstrand"
    assert entries[0].find(f"{ATOM}category").get("term") == "Energy"
    assert entries[0].find(f"{ATOM}content").get("type") == "html"


def test_a_release_has_the_publisher_s_own_date_in_every_zone(house: House, releases):
    for zone in ("UTC", "Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        feed = etree.fromstring(atom_feed(releases, channel(house, zone)))

        published = feed.findtext(f"{ATOM}entry/{ATOM}published")
        assert published.startswith(releases[0].published_on.isoformat())


# For each rule a change of a valid feed that breaks it: a text, and what stands in its place.
RSS_BREAKS = {
    "the root is rss 2.0": ('version="2.0"', 'version="0.91"'),
    "there is one channel": ("</channel>", "</channel><channel/>"),
    "the channel has title, link and description once": ("<description>Letter &amp; Co</description>", ""),
    "the channel's link is an address": (f"<link>{PAGE}</link>", "<link>/releases</link>"),
    "the channel has only known elements": ("<lastBuildDate>", "<updated>now</updated><lastBuildDate>"),
    "the language is a language": ("<language>en</language>", "<language>the English</language>"),
    "the channel's dates are in RFC 822": ("<lastBuildDate>", "<lastBuildDate>2026-03-10 "),
    "it names its own address": ('rel="self"', 'rel="other"'),
    "items have only known elements": ("<guid", "<summary>x</summary><guid"),
    "an item has a title or a description": ("<item>", "<item/><item>"),
    "an element stands once in an item": ("<guid", "<title>again</title><guid"),
    "an item's link is an address": ("<link>https://news.example.org/releases/", "<link>releases/"),
    "a guid is a permanent address, and no two are the same": (
        'isPermaLink="true">https://', 'isPermaLink="true">',
    ),
    "an item's date is in RFC 822": ("<pubDate>", "<pubDate>2026-03-10T12:00:00Z"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RSS_RULES)
def test_each_rule_of_rss_is_broken_by_a_feed(house: House, releases, rule):
    before, after = RSS_BREAKS[rule]
    valid = rss_feed(releases, channel(house)).decode()
    assert before in valid

    assert rule in rss_faults(valid.replace(before, after, 1).encode())


JSON_BREAKS = {
    "the version is 1.1": lambda feed: feed.update(version="https://jsonfeed.org/version/2"),
    "there is a title": lambda feed: feed.pop("title"),
    "items are a list": lambda feed: feed.update(items={}),
    "the feed has known fields of their types": lambda feed: feed.update(link=PAGE),
    "addresses of the feed are addresses": lambda feed: feed.update(feed_url="/releases.json"),
    "the language is a language": lambda feed: feed["items"][0].update(language="the English"),
    "an item has known fields of their types": lambda feed: feed["items"][0].update(tags="energy"),
    "an item has an id, and no two the same": lambda feed: feed["items"].append(feed["items"][0]),
    "an item has content": lambda feed: feed["items"][0].pop("content_html"),
    "an item's addresses are addresses": lambda feed: feed["items"][0].update(url="/releases/1"),
    "an item's dates are in RFC 3339": lambda feed: feed["items"][0].update(date_published="10 March 2026"),
    "an author has a name": lambda feed: feed["items"][0].update(authors=[{}]),
    "tags are texts": lambda feed: feed["items"][0].update(tags=[1]),
}


@pytest.mark.parametrize("rule", JSON_RULES)
def test_each_rule_of_json_feed_is_broken_by_a_feed(house: House, releases, rule):
    feed = json.loads(json_feed(releases, channel(house)))
    JSON_BREAKS[rule](feed)

    assert rule in json_faults(json.dumps(feed).encode())


ATOM_BREAKS = {
    "a feed without id": (f"<id>{FEED}</id>", ""),
    "a feed without title": ("<title>Letter &amp; Co</title>", ""),
    "two titles": ("<entry", "<title>again</title><entry"),
    "an updated time without a zone": ("+00:00</updated>", "</updated>"),
    "a date in place of a time": ("T12:00:00+00:00</published>", "</published>"),
    "a link without an address": (f' href="{PAGE}"', ""),
    "a link with a media type that is none": ('type="text/html"', 'type="html"'),
    "an author without a name": ("<name>Port of Halmstrand</name>", ""),
    "an entry without an author": ("<author><name>Port of Halmstrand</name></author>", ""),
    "content of an unknown type": ('<content type="html">', '<content type="markup">'),
    "a category without a term": ('<category term="Energy" />', "<category />"),
    "an element of another version": ("<entry", "<tagline>x</tagline><entry"),
    "an id that is no address": ("<id>https://news.example.org/releases/", "<id>releases/"),
    "a language that is none": ('xml:lang="en"', 'xml:lang="the English"'),
}


@pytest.mark.parametrize("name", ATOM_BREAKS)
def test_each_fault_of_an_atom_feed_is_found(house: House, releases, name):
    before, after = ATOM_BREAKS[name]
    valid = atom_feed(releases, channel(house)).decode()
    assert before in valid

    assert atom_faults(valid.replace(before, after, 1).encode()) != []


def test_a_late_release_is_in_the_feed_and_a_date_ahead_does_not_lead_it(either_house: House):
    house = either_house
    for title, day in (("ahead", 11), ("today", 10), ("late", 1)):
        text = f"Port\n\nThe harbour news is {title}\n\n{title} it opens on Monday.\n"
        press = parse_press(text, "notice.txt")
        with house.runtime.session() as session:
            release, _ = add_release(session, press, now=house.clock())
            release.published_on = date(2026, 3, day)
            session.commit()
        house.clock.pass_(hours=1)

    with house.runtime.reading() as session:
        found = newest_public(session, house.clock() + timedelta(days=1), 10)
        order = [each.title.rpartition(" ")[2] for each in found]

    assert order == ["late", "today", "ahead"]
