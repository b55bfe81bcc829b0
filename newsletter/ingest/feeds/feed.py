"""What a feed says, as values. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from newsletter.ingest.press.parse import Markup, summarise


@dataclass(frozen=True)
class Item:
    """One item of a feed. `releases.store.add_release` stores it.

    `published` is the date as the publisher gave it, in the publisher's time zone. `published_at` is the
    moment, in UTC, if the feed has a time. `body_html` is clean. `guid` and `url` may be "". `doubts` names
    the fields that a person should look at.
    """

    guid: str
    url: str
    title: str
    publisher: str
    published: date | None
    published_at: datetime | None
    language: str
    body_html: str
    paragraphs: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    # Only for the text of a file: the HTML of a feed's item has its markup.
    marks: Markup = Markup()
    # The lead image of a page, and what it shows.
    image_url: str = ""
    image_alt: str = ""
    # The image as it was stored (images/store.py). None until then.
    image_hash: str | None = None
    # The categories that the feed gives it.
    tags: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The text, with a blank line between paragraphs."""
        return "\n\n".join(self.paragraphs)

    @property
    def summary(self) -> str:
        """The first sentences, at most 240 characters."""
        return summarise(self.paragraphs)

    @property
    def markup(self) -> Markup:
        """What the paragraphs are."""
        return self.marks

    @property
    def canonical_url(self) -> str | None:
        """The address of the release at its publisher."""
        return self.url or None

    @property
    def text_hash(self) -> str:
        """A hash of title and text, to see whether the item has changed."""
        words = "\n".join([self.title, *self.paragraphs])
        return hashlib.sha256(" ".join(words.split()).encode("utf-8", "replace")).hexdigest()

    def named(self, publisher: str) -> Item:
        """Return the item with a publisher of the editor's choice; "" keeps its own."""
        return replace(self, publisher=publisher) if publisher else self

    def as_record(self) -> dict[str, Any]:
        """Return the fields in types that JSON has. The markup of files is left out."""
        record = asdict(self)
        del record["marks"]
        record["published"] = self.published and self.published.isoformat()
        record["published_at"] = self.published_at and self.published_at.isoformat()
        return record

    def completed(self, *, title: str, published: date | None) -> Item:
        """Return the item with the title and the date that a list has, where its own page has none."""
        return replace(self, title=self.title or title, published=self.published or published)

    def with_text_of(self, page: Item) -> Item:
        """Return the item with the text and the image of its page."""
        language = page.language if page.language != "und" else self.language
        kept = (each for each in self.doubts if each != "text")
        made = replace(
            self,
            body_html=page.body_html,
            paragraphs=page.paragraphs,
            language=language,
            doubts=(*kept, *(each for each in page.doubts if each == "text")),
        )
        return made.pictured(page.image_url, page.image_alt) if page.image_url else made

    def pictured(self, url: str, alt: str) -> Item:
        """Return the item with a lead image."""
        return replace(self, image_url=url, image_alt=alt)


@dataclass(frozen=True)
class Feed:
    """A feed: its title, the site it belongs to, and its items in the order of the feed."""

    title: str
    site_url: str
    kind: str
    items: tuple[Item, ...]
    # How many items were left out. They have neither a title nor a text.
    skipped: int = 0

    def as_record(self) -> dict[str, Any]:
        """Return the fields in types that JSON has."""
        return {**asdict(replace(self, items=())), "items": [each.as_record() for each in self.items]}


def feed_from_record(record: Mapping[str, Any]) -> Feed:
    """Return the feed that `Feed.as_record` made."""
    items = tuple(item_from_record(each) for each in record["items"])
    return Feed(record["title"], record["site_url"], record["kind"], items, record["skipped"])


def item_from_record(record: Mapping[str, Any]) -> Item:
    """Return the item that `Item.as_record` made."""
    return Item(
        **{
            **record,
            "published": record["published"] and date.fromisoformat(record["published"]),
            "published_at": record["published_at"] and datetime.fromisoformat(record["published_at"]),
            "paragraphs": tuple(record["paragraphs"]),
            "doubts": tuple(record["doubts"]),
            "tags": tuple(record["tags"]),
        }
    )
