"""Read JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from newsletter.errors import FeedUnreadable
from newsletter.ingest.feeds.check_xml import MOST_ITEMS
from newsletter.ingest.feeds.dates import read_date
from newsletter.ingest.feeds.feed import Feed, Item
from newsletter.ingest.feeds.make_item import from_text, make_item
from newsletter.ingest.html.to_text import one_line


def read_json_feed(data: bytes, url: str) -> Feed:
    """Return the feed in `data`. Raises FeedUnreadable."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as fault:
        raise FeedUnreadable("It is neither XML nor JSON that can be read.") from fault
    entries = found.get("items") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(entries, list):
        raise FeedUnreadable("It is JSON, but not a JSON Feed: it has no list of items.")
    if len(entries) > MOST_ITEMS:
        raise FeedUnreadable(f"The feed has more than {MOST_ITEMS:,} items.")
    title = one_line(_text(found, "title"))
    language = _text(found, "language")
    made = [_item(each, title, language, url) for each in entries if isinstance(each, dict)]
    items = tuple(each for each in made if each is not None)
    return Feed(
        title=title[:300],
        site_url=_text(found, "home_page_url")[:2000],
        kind="JSON Feed",
        items=items,
        skipped=len(entries) - len(items),
    )


def _item(entry: Mapping[str, Any], publisher: str, language: str, url: str) -> Item | None:
    place = _text(entry, "url") or _text(entry, "external_url")
    text = _text(entry, "content_text") or _text(entry, "summary")
    tags = entry.get("tags")
    return make_item(
        guid=_text(entry, "id"),
        url=place,
        title=_text(entry, "title"),
        publisher=publisher,
        dated=read_date(_text(entry, "date_published")) or read_date(_text(entry, "date_modified")),
        language=_text(entry, "language") or language,
        html=_text(entry, "content_html") or from_text(text),
        base=place if place.startswith("http") else url,
        pictures=[_text(entry, "image"), _text(entry, "banner_image")],
        tags=[each for each in tags if isinstance(each, str)] if isinstance(tags, list) else [],
    )


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # ids that are numbers are to be read as text
    return value if isinstance(value, str) else ""
