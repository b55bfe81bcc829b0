"""The program that reads feeds and pages in a process with limits (isolated_reader.py asks it)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from newsletter.ingest.feeds.read import read_feed
from newsletter.isolation.process import Answer


def answer(document: bytes, request: Mapping[str, Any]) -> Answer:
    """Return the record of the feed, list or release in a document. Raises InputError if there is none."""
    content_type, url = request["content_type"], request["url"]
    if request["what"] == "feed":
        return Answer(read_feed(document, content_type, url).as_record())
    # Only a process that reads pages needs the memory for what reads them.
    from newsletter.ingest.pages.links import read_list  # noqa: PLC0415
    from newsletter.ingest.pages.read import read_page  # noqa: PLC0415

    if request["what"] == "list":
        found = read_list(document, content_type, url, request["selector"], request["pattern"])
        return Answer(found.as_record())
    today = date.fromisoformat(request["today"]) if request["today"] else None
    return Answer(read_page(document, content_type, url, today).as_record())
