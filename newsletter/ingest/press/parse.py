"""Parse a press release from scraped text: title, publisher, date, language and paragraphs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import takewhile
from typing import Protocol

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.press.body import Body, cut_mark, find_end, is_day, read_body
from newsletter.ingest.press.clean import clean
from newsletter.ingest.press.dates.dateline import Dateline, read_dateline
from newsletter.ingest.press.dates.find import FoundDate, find_dates, resolve
from newsletter.ingest.press.doubt import FIRST_SENTENCE, LABELLED, SURE
from newsletter.ingest.press.head import Head, read_head
from newsletter.ingest.press.lines.furniture import Kind, kind_of
from newsletter.ingest.press.lines.labels import BARE, BELOW, DATELINE, EVENT, PUBLISHED
from newsletter.ingest.press.lines.line import NAME, OF, Line
from newsletter.ingest.press.lines.organisations import organisation_score
from newsletter.ingest.press.lines.shape import is_sentence
from newsletter.ingest.press.main_text import MainText, find_main_text
from newsletter.ingest.press.page_title import find_page_title, join_headline, site_of, without_menus
from newsletter.ingest.press.publisher import Evidence, copyright_year, find_publisher
from newsletter.ingest.press.title import same_headline, split_site
from newsletter.ingest.press.unwrap import read_lines
from newsletter.ingest.text.language import detect_language

SUMMARY_LENGTH = 240
MAX_LINES = 50_000
HEADLINE_LENGTH = 120
# How many lines below the text, and of contacts, are searched for the publisher.
_TELLING = 200
_NEAR_TEXT = 12
# A longer title that opens with a place and a day is a sentence.
_LONGEST_OPENING = 60
_OPENED = 6  # one of this many first paragraphs may begin with the day, if there is no other date
_CLOCK = re.compile(r"\d{1,2}:\d\d")
_FEWEST_LINES = 4  # a text without a sentence has at least this many lines below its title
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s)|[。！？][」』）]*")
# Signs of the United States, where 3/4/2025 is in March.
_AMERICAN = re.compile(r"\b(?:NYSE|N(?:asdaq|ASDAQ)|BUSINESS WIRE|PRN?ewswire|PRNewswire|AccessWire)\b")


@dataclass(frozen=True)
class Markup:
    """The indexes of the paragraphs that are subheads and quotations, and links: their words and address."""

    subheads: frozenset[int] = frozenset()
    quotes: frozenset[int] = frozenset()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PressRelease:
    """A parsed release. `language` is a BCP 47 primary subtag, or "und" if it is not clear.

    `doubts` names the fields that a person should look at before the release is sent.
    """

    title: str
    publisher: str
    published: date | None
    language: str
    paragraphs: tuple[str, ...]
    markup: Markup = Markup()
    doubts: tuple[str, ...] = ()
    # A text has no time, no address, no HTML and no image. A release from a feed has them (feeds/feed.py).
    published_at: datetime | None = None
    canonical_url: str | None = None
    body_html: str = ""
    tags: tuple[str, ...] = ()
    image_hash: str | None = None
    image_alt: str = ""

    @property
    def body(self) -> str:
        """The text, with a blank line between paragraphs and one line for each list item."""
        return "\n\n".join(self.paragraphs)

    @property
    def summary(self) -> str:
        """The first sentences, at most 240 characters. A longer first sentence is cut after a word."""
        return summarise(self.paragraphs)


def parse_press(text: str, name: str, today: date | None = None) -> PressRelease:
    """Return the press release in `text`, scraped from a page with or without its menus and notices.

    `name` is for messages. A date without a year gets the latest one up to `today`. The dateline stays in the
    text. Everything after an end mark ("###", "-30-", "ENDS") is dropped, notes to editors included. An
    "About us" section is kept if it is above the mark, or if there is no mark. Raises ReleaseUnreadable if
    there is no title or no text.
    """
    cleaned = clean(text, MAX_LINES)
    if cleaned.more:
        reason = f"it has more than {MAX_LINES:,} lines; save only the text of the release and try again"
        raise ReleaseUnreadable(name, reason)
    main = find_main_text(cleaned.lines)
    above = read_lines(main.above)
    lines = [*above, *(each for line in read_lines(main.lines) for each in cut_mark(line))]
    lines = join_headline(lines)
    page, headline_at = find_page_title(lines), -1
    left_out = 0
    if page is not None:
        shown, headline_at = without_menus(lines, page)
        left_out, lines = len(lines) - len(shown), shown
    text_at = max(headline_at + 1, len(above) - left_out)
    end = text_at + find_end(lines[text_at:])
    head = read_head(lines[:end], headline_at, text_at)
    top = {line.text for line in lines[: head.body_at]}
    body = read_body(lines[head.body_at : end], lines[end:], top)
    _speak_for_title(head, body)
    if not head.title:
        reason = "it has no title; put only the headline on the first line and try again"
        raise ReleaseUnreadable(name, reason)
    leads = [lead for lead in head.leads if lead not in body.paragraphs]
    skipped = 1 if body.paragraphs and not leads and _is_title(body.paragraphs[0], head) else 0
    paragraphs = leads + body.paragraphs[skipped:]
    if not paragraphs:
        paragraphs = _lines_below(read_lines(cleaned.lines), head.title)
        head.sure = min(head.sure, FIRST_SENTENCE)
    if not paragraphs:
        reason = "it has a title but no text below; save the whole release into the file and try again"
        raise ReleaseUnreadable(name, reason)
    moved = len(leads) - skipped
    opening = (read_dateline(each) for each in paragraphs[: len(leads) + 2])
    dateline = next((found for found in opening if found), None)
    title, *sites = split_site(head.title, {line.text for line in lines})
    sites.append(head.site)
    if page is not None and page.site:
        sites.insert(0, page.site)
    elif main.above:
        sites.append(site_of(cleaned.lines[0].text))
    named = [site for site in sites if organisation_score(site) >= NAME or (page and site == page.site)]
    names = [*(named if not head.labelled else ()), head.publisher, *sites]
    return PressRelease(
        title=title,
        publisher=next(filter(None, names), "") or _publisher(head, paragraphs, body, main, dateline),
        published=_published(head, body, dateline, paragraphs, today),
        language=detect_language("\n".join([title, *paragraphs])),
        paragraphs=tuple(paragraphs),
        markup=Markup(
            frozenset(at + moved for at in body.subheads),
            frozenset(at + moved for at in body.quotes),
            tuple(cleaned.links.items()),
        ),
        doubts=() if head.sure >= SURE else ("title",),
    )


def _speak_for_title(head: Head, body: Body) -> None:
    """Let the first sentence be the title of a release without a headline. It also stays in the text."""
    opening = read_dateline(head.title) if head.sure < LABELLED else None
    if opening is not None and len(head.title) <= _LONGEST_OPENING:
        head.sure = FIRST_SENTENCE  # a headline without a text below, or a sentence without a headline
        return
    if opening is not None:
        body.paragraphs.insert(0, head.title)
        body.subheads = {at + 1 for at in body.subheads}
        body.quotes = {at + 1 for at in body.quotes}
    elif head.title or not body.paragraphs:
        return
    prose = next((each for each in body.paragraphs if is_sentence(each)), body.paragraphs[0])
    head.title = summarise((prose,), HEADLINE_LENGTH).rstrip(" .。")
    head.sure = FIRST_SENTENCE


def _lines_below(lines: Sequence[Line], title: str) -> list[str]:
    """Return the lines below the title of a text without a sentence, such as who speaks, when and where."""
    title_at = next((at for at, line in enumerate(lines) if title in line.text), len(lines))
    below = takewhile(lambda line: line.kind not in {Kind.END, Kind.RELATED}, lines[title_at + 1 :])
    found = [line.text for line in below if line.kind is Kind.TEXT and title not in line.text]
    return found if len(found) >= _FEWEST_LINES else []


def _is_title(paragraph: str, head: Head) -> bool:
    return head.title_at >= 0 and same_headline(paragraph, head.title)


def _opens(text: str, day: FoundDate) -> bool:
    """Return whether a text begins with a date, with or without "Press release of" or brackets around it."""
    kind = kind_of(OF.sub("", text[: day.start].strip()))[0] if day.start <= 40 else ""
    bracketed = text[day.start - 1] == "(" and text[day.end : day.end + 1] == ")"
    return day.start == 0 or kind == "kind of release" or bracketed


class Parsed(Protocol):
    """What one line of `newsletter release parse` needs of a release: it is from a text, or from a page."""

    @property
    def title(self) -> str: ...
    @property
    def publisher(self) -> str: ...
    @property
    def published(self) -> date | None: ...
    @property
    def language(self) -> str: ...
    @property
    def body(self) -> str: ...


def as_json(name: str, release: Parsed | ReleaseUnreadable) -> dict[str, str | None]:
    """Return one line of `newsletter release parse`. "error" is there only on failure, other keys always."""
    if isinstance(release, ReleaseUnreadable):
        empty: dict[str, str | None] = dict.fromkeys(("title", "publisher", "body"), "")
        return {
            "file": name,
            "title": empty["title"],
            "publisher": empty["publisher"],
            "published": None,
            "language": "und",
            "body": empty["body"],
            "error": release.reason,
        }
    return {
        "file": name,
        "title": release.title,
        "publisher": release.publisher,
        "published": release.published.isoformat() if release.published else None,
        "language": release.language,
        "body": release.body,
    }


def summarise(paragraphs: tuple[str, ...], limit: int = SUMMARY_LENGTH) -> str:
    """Return the first sentences that fit into `limit` characters, or as many words if none fits."""
    prose = next((each for each in paragraphs if is_sentence(each)), paragraphs[0] if paragraphs else "")
    start = read_dateline(prose)
    prose = " ".join((prose[start.end :].strip() if start else prose).split())
    if len(prose) <= limit:
        return prose
    ends = [hit.end() for hit in _SENTENCE_END.finditer(prose[: limit + 1]) if 60 <= hit.end() <= limit]
    if ends:
        return prose[: ends[-1]]
    cut = prose[: limit - 1]
    word = cut.rfind(" ")
    return (cut[:word] if word > limit // 2 else cut).rstrip(" ,;:–—-") + "…"


def _publisher(
    head: Head, paragraphs: list[str], body: Body, main: MainText, dateline: Dateline | None
) -> str:
    opened = (each for each in paragraphs if dateline is not None and read_dateline(each) == dateline)
    lead = next(opened, "")[dateline.end if dateline else 0 :].strip()
    footer = [line.text for line in body.footer[:_TELLING]]
    page = [raw.text for raw in main.others]
    contacts = (head.contacts + body.contacts)[:_TELLING]
    signed = [line.text for line in body.signed if line.score >= NAME]
    return find_publisher(
        Evidence(paragraphs, footer, contacts, dateline, lead.strip(), head.title, signed, page)
    )


def _labelled(footer: list[Line]) -> list[Line]:
    """Return the lines with a labelled day below the text, without those of a list of other releases."""
    found = [line for line in footer if line.dates and line.alone and line.rank != BARE]
    listed = len({line.dates[0].on(None) for line in found if line.rank == PUBLISHED}) > 1
    return [line for line in footer if line.kind is Kind.WEAK or (line in found and not listed)]


def _days_below(footer: list[Line]) -> Iterator[Line]:
    """Yield the lines right below the text that are only a place and a day, or a moment."""
    for line in footer[:_NEAR_TEXT]:
        if line.kind is Kind.RELATED:
            return
        if line.dates and is_day(line) and (not line.alone or _CLOCK.search(line.text)):
            yield line


def _published(
    head: Head, body: Body, dateline: Dateline | None, paragraphs: list[str], today: date | None
) -> date | None:
    """Return the day of publication: the date with the best rank, of several the one nearest to the title."""
    dates: list[tuple[int, FoundDate]] = [(each.rank, each.found) for each in head.told_dates()]
    dates.extend((line.rank, line.dates[0]) for line in body.early_dates)
    if dateline is not None and dateline.found is not None:
        dates.append((DATELINE, dateline.found))
    dates.extend((DATELINE, line.dates[0]) for line in body.signed if line.dates)
    dates.extend((EVENT, found) for found in find_dates(head.title)[:1])
    # Below the text, only lines such as "Last updated" and "Source: X 2025-10-23" have dates of this release,
    # and a line right below the text.
    telling = [*body.last_dates, *_labelled(body.footer), *_days_below(body.footer)]
    dates.extend((BELOW, line.dates[0]) for line in telling if line.dates)
    year = next((found.year for _, found in dates if found.year), None)
    year = year or copyright_year([line.text for line in body.footer])
    if not dates and paragraphs:  # "15 August 2022 The harbour office ...", "Today (15.8.2022), ..."
        for each in paragraphs[:_OPENED]:
            dates.extend((BELOW, day) for day in find_dates(each)[:1] if day.year and _opens(each, day))
    american = any(_AMERICAN.search(each[:400]) for each in paragraphs[:3])
    return resolve(dates, year, today, american=american)
