"""Read RSS 0.9x to 2.0, RDF and Atom with feedparser. Pure.

feedparser always gets a BytesIO. Given text or bytes, it opens a file or a URL of that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import feedparser
from feedparser.encodings import convert_to_utf8

from newsletter.errors import FeedUnreadable
from newsletter.ingest.feeds.check_xml import check_xml
from newsletter.ingest.feeds.dates import Dated, read_date
from newsletter.ingest.feeds.feed import Feed, Item
from newsletter.ingest.feeds.make_item import from_text, make_item
from newsletter.ingest.html.to_text import one_line, to_line

_DATES = ("published", "updated", "created")


def read_rss_atom(data: bytes, content_type: str, url: str) -> Feed:
    """Return the feed in `data`. Raises FeedUnreadable if it is none, or one that we refuse to read."""
    # Without the feed's URL, because feedparser would also join it to guids. A guid has to stay the same when
    # the feed moves.
    headers = {"content-type": content_type}
    # The same conversion as feedparser's own, so that the text that is checked is the text that is parsed.
    check_xml(convert_to_utf8(headers, data, {}))
    try:
        found = feedparser.parse(BytesIO(data), response_headers=headers, sanitize_html=False)
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError) as fault:
        raise FeedUnreadable(f"The feed cannot be read: {fault}"[:300]) from fault
    if not found.version and not found.entries:
        raise FeedUnreadable("It is not a feed: neither RSS, Atom, RDF nor JSON Feed.")
    head = found.feed
    # Only Atom says whether a title is HTML. In RSS, feedparser guesses, and leaves out unusual tags.
    is_atom = found.version.startswith("atom")
    language = _text(head, "language")
    title = _plain(head, "title", is_atom=is_atom)
    publisher = _text(head, "publisher") or title
    items: list[Item] = []
    for entry in found.entries:
        item = _item(entry, language, publisher, url, is_atom=is_atom)
        if item is not None:
            items.append(item)
    return Feed(
        title=title[:300],
        site_url=_text(head, "link")[:2000],
        kind=feedparser.api.SUPPORTED_VERSIONS.get(found.version, "unknown"),
        items=tuple(items),
        skipped=len(found.entries) - len(items),
    )


def _item(entry: Mapping[str, Any], language: str, publisher: str, url: str, *, is_atom: bool) -> Item | None:
    source = entry.get("source")
    own = _plain(source, "title", is_atom=is_atom) if isinstance(source, Mapping) else ""
    html, spoken = _body(entry)
    return make_item(
        guid=_text(entry, "id"),
        url=_text(entry, "link"),
        title=_plain(entry, "title", is_atom=is_atom),
        publisher=own or _text(entry, "publisher") or publisher,
        dated=_dated(entry),
        language=spoken or _text(entry, "language") or language,
        html=html,
        base=_text(entry, "link") if _text(entry, "link").startswith("http") else url,
        tags=_tags(entry),
        pictures=_pictures(entry),
    )


def _pictures(entry: Mapping[str, Any]) -> list[str]:
    """Return the addresses of an entry's enclosed images (RSS, Atom) and of its media (Media RSS)."""
    found = []
    for name in ("media_content", "enclosures", "media_thumbnail"):
        held = entry.get(name)
        for each in held if isinstance(held, list) else []:
            if isinstance(each, Mapping) and (name == "media_thumbnail" or _is_image(each)):
                found.append(_text(each, "url") or _text(each, "href"))
    return found


def _is_image(media: Mapping[str, Any]) -> bool:
    return _text(media, "medium") == "image" or _text(media, "type").startswith("image/")


def _tags(entry: Mapping[str, Any]) -> list[str]:
    """Return the categories of an entry: the label of each for people, or else its term."""
    found = entry.get("tags")
    tags = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    return [_text(each, "label") or _text(each, "term") for each in tags]


def _body(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the longest of an entry's texts as HTML, and the language that it declares."""
    contents = entry.get("content")
    details: list[Any] = list(contents) if isinstance(contents, Sequence) else []
    details.append(entry.get("summary_detail"))
    found = [
        (str(each.get("value") or ""), each)
        for each in details
        if isinstance(each, Mapping) and _is_text(str(each.get("type") or ""))
    ]
    if not found:
        return "", ""
    value, detail = max(found, key=lambda each: len(each[0]))
    html = from_text(value) if detail.get("type") == "text/plain" else value
    return html, str(detail.get("language") or "")


def _is_text(kind: str) -> bool:
    return not kind or kind.startswith("text/") or kind.endswith(("html+xml", "/xml", "+xml"))


def _plain(holder: Mapping[str, Any], name: str, *, is_atom: bool) -> str:
    """Return a title as plain text, without tags unless an Atom feed says that it is no HTML."""
    value = _text(holder, name)
    detail = holder.get(f"{name}_detail")
    kind = detail.get("type") if isinstance(detail, Mapping) else ""
    return one_line(value) if kind == "text/plain" and is_atom else to_line(value)


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def _dated(entry: Mapping[str, Any]) -> Dated | None:
    for name in _DATES:
        # feedparser answers "updated" with "published" where there is only that one; both come to the same.
        parsed = entry.get(f"{name}_parsed")
        found = read_date(_text(entry, name), tuple(parsed) if parsed else None)
        if found is not None:
            return found
    return None
