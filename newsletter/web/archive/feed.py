"""Releases as Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from email.utils import format_datetime
from html import escape
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo

from newsletter.links import Links
from newsletter.models import Release, StoredImage
from newsletter.web.archive.release import web_address

# Characters that XML 1.0 cannot contain, not even escaped (section 2.2).
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What may stand in xml:lang and in a language field: a BCP 47 tag.
_LANGUAGE = re.compile("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True)
class Channel:
    """What a feed says of itself. `page` and `feed` are complete URLs."""

    title: str
    page: str
    feed: str
    language: str
    # The zone of the newsletter.
    time_zone: str
    links: Links
    # The image of each release that has one, by the hash of the image.
    images: Mapping[str, StoredImage] = field(default_factory=dict)

    def published(self, release: Release) -> datetime:
        """Return noon of the release's date in the newsletter's zone: a release has a date and no time."""
        return datetime.combine(release.published_on, time(12), ZoneInfo(self.time_zone))

    def content(self, release: Release) -> str:
        """Return the text of a release as HTML, with its image before it."""
        image = self.image(release)
        if image is None:
            return release.body_html
        alt = escape(release.image_alt)
        shown = (
            f'<img src="{self.image_url(image)}" width="{image.width}" height="{image.height}" alt="{alt}">'
        )
        return f"<p>{shown}</p>{release.body_html}"

    def image(self, release: Release) -> StoredImage | None:
        """Return the image that is shown with a release."""
        return self.images.get(release.image_hash or "") if release.image_alt else None

    def image_url(self, image: StoredImage) -> str:
        """Return the URL of an image in the size for pages."""
        return self.links.image(image.file_name)

    def updated(self, releases: Sequence[Release]) -> datetime:
        """Return when the newest of the releases became public or was updated."""
        return max(map(changed, releases), default=datetime.fromtimestamp(0, UTC))


def changed(release: Release) -> datetime:
    """Return when a release became public here, or when its text was updated later."""
    return release.updated_at or release.made_public_at or release.created_at


def atom_feed(releases: Sequence[Release], channel: Channel) -> bytes:
    """Return the Atom feed."""
    root = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": channel.language})
    _say(root, "id", channel.feed)
    _say(root, "title", channel.title)
    _say(root, "updated", channel.updated(releases).isoformat())
    SubElement(root, "link", rel="self", type="application/atom+xml", href=channel.feed)
    SubElement(root, "link", rel="alternate", type="text/html", href=channel.page)
    for each in releases:
        language = _language(each)
        entry = SubElement(root, "entry", {"xml:lang": language} if language else {})
        address = channel.links.release(each.public_id)
        _say(entry, "id", address)
        _say(entry, "title", each.title)
        _say(entry, "published", channel.published(each).isoformat())
        _say(entry, "updated", changed(each).isoformat())
        # Every entry needs an author (section 4.1.2).
        _say(SubElement(entry, "author"), "name", each.publisher or channel.title)
        SubElement(entry, "link", rel="alternate", type="text/html", href=address)
        for name in _topics(each, channel):
            SubElement(entry, "category", term=_sayable(name))
        _say(entry, "summary", each.summary)
        _say(entry, "content", channel.content(each), type="html")
    return _xml(root)


def rss_feed(releases: Sequence[Release], channel: Channel) -> bytes:
    """Return the RSS 2.0 feed. The publisher is in dc:creator, because an RSS author is an email address."""
    root = Element(
        "rss",
        {
            "version": "2.0",
            "xmlns:atom": "http://www.w3.org/2005/Atom",
            "xmlns:dc": "http://purl.org/dc/elements/1.1/",
        },
    )
    top = SubElement(root, "channel")
    _say(top, "title", channel.title)
    _say(top, "link", channel.page)
    _say(top, "description", channel.title)
    _say(top, "language", channel.language)
    _say(top, "lastBuildDate", format_datetime(channel.updated(releases)))
    SubElement(top, "atom:link", rel="self", type="application/rss+xml", href=channel.feed)
    for each in releases:
        item = SubElement(top, "item")
        address = channel.links.release(each.public_id)
        _say(item, "title", each.title)
        _say(item, "link", address)
        _say(item, "guid", address, isPermaLink="true")
        _say(item, "pubDate", format_datetime(channel.published(each)))
        if each.publisher:
            _say(item, "dc:creator", each.publisher)
        for name in _topics(each, channel):
            _say(item, "category", name)
        _say(item, "description", channel.content(each))
    return _xml(root)


def json_feed(releases: Sequence[Release], channel: Channel) -> bytes:
    """Return the JSON Feed 1.1."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.page,
        "feed_url": channel.feed,
        "language": channel.language,
        "items": [_item(each, channel) for each in releases],
    }
    # Surrogates without a partner are no text in UTF-8.
    return json.dumps(feed, ensure_ascii=False).encode("utf-8", "replace")


def _item(release: Release, channel: Channel) -> dict[str, object]:
    address, image = channel.links.release(release.public_id), channel.image(release)
    optional: dict[str, object] = {
        "external_url": web_address(release.canonical_url),
        "summary": release.summary,
        "image": channel.image_url(image) if image else None,
        "language": _language(release),
        "authors": [{"name": release.publisher}] if release.publisher else None,
        "tags": _topics(release, channel),
    }
    return {
        "id": address,
        "url": address,
        "title": release.title,
        "content_html": channel.content(release),
        "date_published": channel.published(release).isoformat(),
        "date_modified": changed(release).isoformat(),
        **{name: value for name, value in optional.items() if value},
    }


@dataclass(frozen=True)
class Format:
    """A format of feeds: its media type, its name for people, and what writes it."""

    media_type: str
    name: str
    write: Callable[[Sequence[Release], Channel], bytes]


# By the extension in the address.
FORMATS: Mapping[str, Format] = {
    "atom": Format("application/atom+xml", "Atom", atom_feed),
    "rss": Format("application/rss+xml", "RSS", rss_feed),
    "json": Format("application/feed+json", "JSON Feed", json_feed),
}


def _topics(release: Release, channel: Channel) -> list[str]:
    return [link.topic.name_in(channel.language) for link in release.topic_links]


def _language(release: Release) -> str | None:
    known = release.language != "und" and _LANGUAGE.fullmatch(release.language)
    return release.language if known else None


def _xml(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _say(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = _sayable(text)


def _sayable(text: str) -> str:
    return _UNSAYABLE.sub("", text)
