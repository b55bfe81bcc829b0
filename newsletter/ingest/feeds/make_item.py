"""Make an item from what a feed gives for it: clean HTML, plain text, a title, a date, a language. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from newsletter.ingest.feeds.dates import Dated
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.html.pictures import first_picture
from newsletter.ingest.html.to_text import one_line, to_paragraphs
from newsletter.ingest.press.parse import HEADLINE_LENGTH, summarise
from newsletter.ingest.text.language import detect_language
from newsletter.mail.clean_html import LONGEST_HTML, absolute, clean_html

LONGEST_TITLE = 1_000
LONGEST_GUID = 2_000
LONGEST_URL = 2_000
LONGEST_PUBLISHER = 300

MOST_TAGS = 30
LONGEST_TAG = 100
_TAG = re.compile(r"[A-Za-z]{2,3}")
# A picture inside the text. Cleaning removes it, so it does not count as text.
_EMBEDDED = re.compile(r"data:image/[\w.+-]{1,20};base64,[A-Za-z0-9+/=\r\n]+")


def make_item(
    *,
    guid: str,
    url: str,
    title: str,
    publisher: str,
    dated: Dated | None,
    language: str,
    html: str,
    base: str,
    tags: Iterable[str] = (),
    pictures: Iterable[str] = (),
) -> Item | None:
    """Return an item; None if it has neither a title nor a text. `title` is plain text, `html` anything.

    `pictures` are addresses of images that the feed names beside the text.

    `language` is what the feed declares. It counts only if the text does not tell, because many feeds declare
    the language of their software. A field that is too long is cut, and is doubtful then.
    """
    shown = html if len(html) <= LONGEST_HTML else _EMBEDDED.sub("", html)
    body_html = clean_html(shown[:LONGEST_HTML], base)
    paragraphs = to_paragraphs(body_html[:LONGEST_HTML])
    title, publisher = one_line(title), one_line(publisher)
    too_long = {
        "title": len(title) > LONGEST_TITLE,
        "publisher": len(publisher) > LONGEST_PUBLISHER,
        "text": max(len(shown), len(body_html)) > LONGEST_HTML,
    }
    title = title[:LONGEST_TITLE] or summarise(paragraphs, HEADLINE_LENGTH).rstrip(" .。")
    if not any(map(str.isalnum, title)):
        return None
    found = detect_language("\n".join([title, *paragraphs]))
    image_url, image_alt = first_picture(html, pictures, base)
    declared = _TAG.match(language.strip())
    if found == "und" and declared:
        found = declared[0].lower()
    return Item(
        guid=one_line(guid)[:LONGEST_GUID],
        url=_link(url, base),
        title=title,
        publisher=publisher[:LONGEST_PUBLISHER],
        published=dated.day if dated else None,
        published_at=dated.moment if dated else None,
        language=found,
        body_html=body_html,
        paragraphs=paragraphs,
        doubts=tuple(name for name, is_cut in too_long.items() if is_cut),
        image_url=image_url,
        image_alt=image_alt,
        tags=_tags(tags),
    )


def _tags(given: Iterable[str]) -> tuple[str, ...]:
    """Return the first categories, each once and on one line."""
    lines = (one_line(each)[:LONGEST_TAG] for each in given)
    return tuple(dict.fromkeys(each for each in lines if each))[:MOST_TAGS]


def from_text(text: str) -> str:
    """Return plain text as HTML, a paragraph for each block of lines."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return "\n".join(f"<p>{escape(block, quote=False)}</p>" for block in blocks if block)


def _link(url: str, base: str) -> str:
    made = absolute(url, base) if url.strip() else None
    return made if made and len(made) <= LONGEST_URL and made.isprintable() and " " not in made else ""
