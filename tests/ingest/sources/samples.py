"""Items for tests."""

from __future__ import annotations

from typing import Any

from newsletter.ingest.feeds.feed import Item


def make_sample(guid: str = "", **given: Any) -> Item:
    """Return an item; its title names the guid unless another title is given."""
    values: dict[str, Any] = {
        "guid": guid,
        "url": "",
        "title": f"Quay {guid} opens",
        "publisher": "Harbour Press",
        "published": None,
        "published_at": None,
        "language": "en",
        "body_html": "<p>All ferries use it.</p>",
        "paragraphs": ("All ferries use it.",),
        **given,
    }
    return Item(**values)
