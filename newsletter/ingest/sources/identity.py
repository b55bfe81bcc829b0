"""What identifies an item: in its source, and in every source. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from newsletter.ingest.feeds.feed import Item

# A guid of another form, such as a number, may also be that of another site's item.
_GLOBAL_GUID = re.compile(
    r"(?:https?://\S{8,}|tag:\S{8,}|urn:\S{8,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\Z", re.IGNORECASE
)
_TRACKING = re.compile(r"(?:utm_\w+|fbclid|gclid|mc_[ce]id)\Z")


def item_key(item: Item) -> str:
    """Return the key of an item in its source: of its guid, else of its URL, else of its text."""
    if item.guid:
        return _hash("guid", item.guid)
    return _hash("url", normal_url(item.url)) if item.url else _hash("text", item.text_hash)


def each_once(items: Iterable[Item]) -> tuple[list[Item], int]:
    """Return the items without those whose key an earlier one has, and the number of those."""
    found: dict[str, Item] = {}
    count = 0
    for each in items:
        count += 1
        found.setdefault(item_key(each), each)
    return list(found.values()), count - len(found)


def shared_keys(item: Item, ambiguous: set[str]) -> tuple[str, ...]:
    """Return the keys of an item in every source: of its guid if that is a URI, and of its URL.

    `ambiguous` has the URLs that identify no item (`ambiguous_urls`).
    """
    keys = [_hash("guid", item.guid)] if _GLOBAL_GUID.match(item.guid) else []
    url = url_key(item, ambiguous)
    return (*keys, url) if url else tuple(keys)


def url_key(item: Item, ambiguous: set[str]) -> str | None:
    """Return the key of an item's URL in every source, or None if the URL identifies nothing."""
    url = normal_url(item.url) if item.url else ""
    return _hash("place", url) if url and url not in ambiguous else None


def ambiguous_urls(items: Sequence[Item], site_url: str) -> set[str]:
    """Return the URLs that identify no item: those of several items, the site's own, and start pages."""
    count = Counter(normal_url(each.url) for each in items if each.url)
    found = {url for url, times in count.items() if times > 1 or not set("/?") & set(url)}
    if site_url:
        found.add(normal_url(site_url))
    return found


def normal_url(url: str) -> str:
    """Return a URL without scheme, www., tracking parameters, fragment and last slash."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
        port = parts.port
    except ValueError:
        return url
    place = host if port in {None, 80, 443} else f"{host}:{port}"
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(pair[0])]
    made = urlunsplit(("", "", parts.path.rstrip("/"), urlencode(query), ""))
    return f"{place}{made}"


def _hash(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode("utf-8", "replace")).hexdigest()
