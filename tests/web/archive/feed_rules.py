"""What RSS 2.0 and JSON Feed 1.1 ask of a feed, as a list of rules that a test can check."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree

GRAMMAR = Path(__file__).resolve().parents[2] / "data" / "feeds" / "atom.rng"
ATOM_LINK = "{http://www.w3.org/2005/Atom}link"
DC_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
RFC822 = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)? (?:GMT|UT|[+-]\d{4})"
)
LANGUAGE = re.compile("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
CHANNEL = {"title", "link", "description", "language", "lastBuildDate", "item", ATOM_LINK}
ITEM = {"title", "link", "guid", "pubDate", "category", "description", DC_CREATOR}


def atom_faults(feed: bytes) -> list[str]:
    """Return what RFC 4287 forbids: what the grammar says, and what no grammar can."""
    root = etree.fromstring(feed)
    grammar = etree.RelaxNG(etree.parse(GRAMMAR))
    faults = [] if grammar.validate(root) else [str(grammar.error_log.last_error)]
    atom = "{http://www.w3.org/2005/Atom}"
    for entry in root.iter(f"{atom}entry"):
        # Section 4.1.2 and 4.2.7.2.
        if entry.find(f"{atom}author") is None and root.find(f"{atom}author") is None:
            faults.append("an entry has no author")
        alternates = [(each.get("type"), each.get("hreflang")) for each in entry.iter(f"{atom}link")
                      if each.get("rel", "alternate") == "alternate"]  # fmt: skip
        if len(alternates) != len(set(alternates)):
            faults.append("an entry has two alternate links of one kind")
        if entry.find(f"{atom}content") is None and not alternates:
            faults.append("an entry has neither content nor an alternate link")
    ids = [each.text for each in root.iter(f"{atom}id")]
    if any(not urlsplit(each or "").scheme for each in ids):
        faults.append("an id is no absolute address")
    return faults


def _is_absolute(url: str | None) -> bool:
    parts = urlsplit(url or "")
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _is_rfc822(text: str | None) -> bool:
    return RFC822.fullmatch(text or "") is not None and parsedate_to_datetime(text or "") is not None


def _is_rfc3339(text: object) -> bool:
    try:
        return datetime.fromisoformat(str(text)).tzinfo is not None and "T" in str(text)
    except ValueError:
        return False


Rss = etree._Element
RSS_RULES: dict[str, Callable[[Rss], bool]] = {
    "the root is rss 2.0": lambda rss: rss.tag == "rss" and rss.get("version") == "2.0",
    "there is one channel": lambda rss: [each.tag for each in rss] == ["channel"],
    "the channel has title, link and description once": lambda rss: all(
        len(rss.findall(f"channel/{name}")) == 1 and rss.findtext(f"channel/{name}")
        for name in ("title", "link", "description")
    ),
    "the channel's link is an address": lambda rss: _is_absolute(rss.findtext("channel/link")),
    "the channel has only known elements": lambda rss: {each.tag for each in rss[0]} <= CHANNEL,
    "the language is a language": lambda rss: all(
        LANGUAGE.fullmatch(each.text or "") for each in rss.findall("channel/language")
    ),
    "the channel's dates are in RFC 822": lambda rss: all(
        _is_rfc822(each.text) for each in rss.findall("channel/lastBuildDate")
    ),
    "it names its own address": lambda rss: all(
        each.get("rel") == "self"
        and _is_absolute(each.get("href"))
        and each.get("type") == "application/rss+xml"
        for each in rss.findall(f"channel/{ATOM_LINK}")
    ) and len(rss.findall(f"channel/{ATOM_LINK}")) == 1,
    "items have only known elements": lambda rss: all(
        each.tag in ITEM for item in rss.iter("item") for each in item
    ),
    "an item has a title or a description": lambda rss: all(
        item.findtext("title") or item.findtext("description") for item in rss.iter("item")
    ),
    "an element stands once in an item": lambda rss: all(
        len(item.findall(name)) <= 1
        for item in rss.iter("item")
        for name in ("title", "link", "guid", "pubDate", "description")
    ),
    "an item's link is an address": lambda rss: all(
        _is_absolute(each.text) for each in rss.findall("channel/item/link")
    ),
    "a guid is a permanent address, and no two are the same": lambda rss: all(
        each.get("isPermaLink", "true") in {"true", "false"}
        and (each.get("isPermaLink") == "false" or _is_absolute(each.text))
        for each in rss.iter("guid")
    ) and len({each.text for each in rss.iter("guid")}) == len(list(rss.iter("guid"))),
    "an item's date is in RFC 822": lambda rss: all(_is_rfc822(each.text) for each in rss.iter("pubDate")),
}  # fmt: skip


def rss_faults(feed: bytes) -> list[str]:
    """Return the rules of RSS 2.0 that a feed breaks."""
    root = etree.fromstring(feed)
    return [name for name, holds in RSS_RULES.items() if not holds(root)]


FIELDS = {
    "id": str, "url": str, "external_url": str, "title": str, "content_html": str, "content_text": str,
    "summary": str, "date_published": str, "date_modified": str, "authors": list, "language": str,
    "tags": list,
}  # fmt: skip
TOP = {"version": str, "title": str, "home_page_url": str, "feed_url": str, "language": str, "items": list}

JSON_RULES: dict[str, Callable[[dict], bool]] = {
    "the version is 1.1": lambda feed: feed.get("version") == "https://jsonfeed.org/version/1.1",
    "there is a title": lambda feed: isinstance(feed.get("title"), str),
    "items are a list": lambda feed: isinstance(feed.get("items"), list),
    "the feed has known fields of their types": lambda feed: all(
        name in TOP and isinstance(value, TOP[name]) for name, value in feed.items()
    ),
    "addresses of the feed are addresses": lambda feed: all(
        _is_absolute(feed[name]) for name in ("home_page_url", "feed_url") if name in feed
    ),
    "the language is a language": lambda feed: all(
        LANGUAGE.fullmatch(str(each["language"])) for each in (feed, *_items(feed)) if "language" in each
    ),
    "an item has known fields of their types": lambda feed: all(
        name in FIELDS and isinstance(value, FIELDS[name])
        for item in _items(feed)
        for name, value in item.items()
    ),
    "an item has an id, and no two the same": lambda feed: (
        all(item.get("id") for item in _items(feed))
        and len({item.get("id") for item in _items(feed)}) == len(_items(feed))
    ),
    "an item has content": lambda feed: all(
        "content_html" in item or "content_text" in item for item in _items(feed)
    ),
    "an item's addresses are addresses": lambda feed: all(
        _is_absolute(item[name]) for item in _items(feed) for name in ("url", "external_url") if name in item
    ),
    "an item's dates are in RFC 3339": lambda feed: all(
        _is_rfc3339(item[name])
        for item in _items(feed)
        for name in ("date_published", "date_modified")
        if name in item
    ),
    "an author has a name": lambda feed: all(
        isinstance(author, dict) and isinstance(author.get("name"), str) and author["name"]
        for item in _items(feed)
        for author in item.get("authors", [])
    ),
    "tags are texts": lambda feed: all(
        isinstance(tag, str) for item in _items(feed) for tag in item.get("tags", [])
    ),
}


def _items(feed: dict) -> list[dict]:
    found = feed.get("items")
    return found if isinstance(found, list) else []


def json_faults(feed: bytes) -> list[str]:
    """Return the rules of JSON Feed 1.1 that a feed breaks."""
    read = json.loads(feed)
    return [name for name, holds in JSON_RULES.items() if not holds(read)]
