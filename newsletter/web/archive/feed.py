"""Releases as an Atom feed (RFC 4287). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo

from newsletter.links import Links
from newsletter.models import Release

# Characters that XML 1.0 cannot contain, not even escaped (section 2.2).
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def atom_feed(
    releases: Sequence[Release], *, title: str, page: str, feed: str, links: Links, time_zone: str
) -> bytes:
    """Return the Atom feed of the releases on `page`. `feed` and `page` are complete URLs.

    A release has a date and no time. Noon in the newsletter's time zone stands for it, so the text has
    that date.
    """
    zone = ZoneInfo(time_zone)
    root = Element("feed", xmlns="http://www.w3.org/2005/Atom")
    _say(root, "id", feed)
    _say(root, "title", title)
    _say(root, "updated", _moment(max((each.created_at for each in releases), default=None)))
    SubElement(root, "link", rel="self", type="application/atom+xml", href=feed)
    SubElement(root, "link", rel="alternate", type="text/html", href=page)
    for each in releases:
        entry = SubElement(root, "entry", {"xml:lang": each.language})
        address = links.release(each.public_id)
        _say(entry, "id", address)
        _say(entry, "title", each.title)
        _say(entry, "published", datetime.combine(each.published_on, time(12), zone).isoformat())
        _say(entry, "updated", _moment(each.created_at))
        # Every entry needs an author (section 4.1.2).
        _say(SubElement(entry, "author"), "name", each.publisher or title)
        SubElement(entry, "link", rel="alternate", type="text/html", href=address)
        _say(entry, "summary", each.summary)
        _say(entry, "content", each.body_html, type="html")
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _say(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = _UNSAYABLE.sub("", text)


def _moment(value: datetime | None) -> str:
    return (value or datetime.fromtimestamp(0, UTC)).isoformat()
