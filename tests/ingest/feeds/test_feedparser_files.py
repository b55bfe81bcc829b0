"""feedparser's own test files through our path to stored rows, compared with what they expect of an entry.

The first comment of a file says what feedparser makes of it. It is compared where an item of ours keeps the
field: title, link, id, dates, and the text of summary and content. An item without a title and a text is left
out here, so entries of files about other fields get a title first.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from house import NOON, House
from servers.sdist_files import feedparser_files

from newsletter.errors import FeedUnreadable
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.feeds.read import read_feed
from newsletter.ingest.html.to_text import one_line, to_line
from newsletter.ingest.sources.identity import ambiguous_urls, each_once, shared_keys
from newsletter.mail.clean_html import clean_html
from newsletter.models import Release
from newsletter.releases.from_sources.arrive import Arrival, store_arrival

_EXPECTED = re.compile(rb"Expect:\s*(.*?)\s*(?:\n[A-Z]\w*:|-->)", re.DOTALL)
_FIELD = re.compile(
    r"(?:not bozo and )?entries\[0\](?:\[u?['\"](\w+)['\"]\]|\.(\w+))"
    r"(?:\[0\](?:\.value|\[u?['\"]value['\"]\]))? == (.+)\Z",
    re.DOTALL,
)
_ENTRY = re.compile(rb"<(item|entry)((?:\s[^>]*)?)>")
TEXTS = {"summary", "description", "content"}
DATES = {"published_parsed", "updated_parsed"}
# Why an item of ours differs on purpose.
DIFFERENT = {
    "base64 content is not text": re.compile(r"_base64(_2)?\.xml"),
    "the longest of the texts is taken": re.compile(r"entry_content_and_summary\.xml"),
    "a guid stays as it is written, so that it is the same when the feed moves": re.compile(r"_id_base_"),
    "links start from the feed's URL, not from a header": re.compile(r"http_item_link_base_content_location"),
    "a text in angle brackets is a text": re.compile(r"content_text_plain_brackets\.xml"),
    "a script inside CDATA inside a script": re.compile(r"script_nested_cdata\.xml"),
}
# They define entities of their own, or are no feeds.
UNREADABLE = re.compile(r"cdf/|entity_decl|rss_empty_document|http_status_302|doctype|aaa_")


class Case(NamedTuple):
    """A test file, the field that it is about, and the expected value."""

    path: Path
    field: str
    value: object


@pytest.fixture(scope="module")
def files() -> Path:
    return feedparser_files()


def cases(files: Path) -> list[Case]:
    found = []
    for path in sorted(files.rglob("*.xml")):
        said = _EXPECTED.search(path.read_bytes())
        hit = _FIELD.match(said[1].decode("utf-8", "replace").strip()) if said else None
        field, value = "", None
        if hit:
            try:
                field, value = hit[1] or hit[2], ast.literal_eval(hit[3])
            except (ValueError, SyntaxError):
                field = ""
        found.append(Case(path, field, value))
    return found


def agrees(item: Item, case: Case) -> bool | None:
    """Return whether an item has the expected value; None if our model does not keep the field."""
    want = case.value
    if case.field in DATES and isinstance(want, tuple):
        return item.published_at is not None and item.published_at.timetuple()[:6] == want[:6]
    if not isinstance(want, str):
        return None
    if case.field == "title":
        return item.title in {to_line(want), one_line(want)}
    if case.field == "link":
        # Ours lead to the web, or nowhere.
        is_web = re.match(r"https?://\S+\Z", want) is not None
        return item.url == want if is_web else not item.url or item.url.startswith("http")
    if case.field in {"id", "guid"}:
        return item.guid == one_line(want)
    if case.field in TEXTS:
        return " ".join(item.body.split()) == to_line(clean_html(want, "http://base.example/"))
    return None


def test_every_file_is_read_to_stored_rows_and_entries_are_as_expected(files: Path, house: House):
    counted: Counter[bool | None] = Counter()
    wrong, unreadable = [], []
    with house.runtime.session() as session:
        for case in cases(files):
            name = str(case.path.relative_to(files))
            data = case.path.read_bytes()
            if case.field and "title" not in case.field:
                data = _ENTRY.sub(rb"<\1\2><title>Titled</title>", data, count=1)
            try:
                feed = read_feed(data, "application/xml", f"http://127.0.0.1:8097/tests/{name}")
            except FeedUnreadable:
                unreadable.append(name)
                continue
            items, _ = each_once(feed.items)
            ambiguous = ambiguous_urls(items, feed.site_url)
            for item in items:
                arrival = Arrival(item, shared_keys(item, ambiguous), recurs=True)
                release, _ = store_arrival(session, arrival, NOON)
                assert session.get_one(Release, release.id).title
            verdict = agrees(feed.items[0], case) if feed.items and case.field else None
            counted[verdict] += 1
            if verdict is False and not any(each.search(name) for each in DIFFERENT.values()):
                wrong.append((name, case.value, feed.items[0]))
        session.commit()

    assert wrong == []
    assert counted[True] >= 700
    assert [name for name in unreadable if not UNREADABLE.search(name)] == []
    assert len(unreadable) <= 12
