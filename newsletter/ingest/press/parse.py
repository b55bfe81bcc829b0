"""Parse a press release from scraped text: title, publisher, date, language and paragraphs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.press.body import Body, read_body
from newsletter.ingest.press.clean import clean_lines
from newsletter.ingest.press.dates.dateline import Dateline, read_dateline
from newsletter.ingest.press.dates.find import FoundDate, find_dates
from newsletter.ingest.press.head import Head, read_head
from newsletter.ingest.press.lines.furniture import kind_of
from newsletter.ingest.press.lines.furniture_patterns import Kind
from newsletter.ingest.press.lines.labels import date_line, resolve, stands_alone
from newsletter.ingest.press.lines.organisations import organisation_score
from newsletter.ingest.press.lines.shape import is_sentence
from newsletter.ingest.press.publisher import Evidence, copyright_year, find_publisher
from newsletter.ingest.press.unwrap import unwrap
from newsletter.ingest.text.language import detect_language

SUMMARY_LENGTH = 240
MAX_LINES = 50_000
HEADLINE_LENGTH = 120
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s)|[。！？][」』）]*")
_DATELINE, _IN_TITLE, _BELOW = 4, 5, 6


@dataclass(frozen=True)
class PressRelease:
    """A parsed release. `language` is a BCP 47 primary subtag, or "und" if it is not clear."""

    title: str
    publisher: str
    published: date | None
    language: str
    paragraphs: tuple[str, ...]

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
    cleaned = clean_lines(text, MAX_LINES)
    if len(cleaned) > MAX_LINES:
        reason = f"it has more than {MAX_LINES:,} lines; save only the text of the release and try again"
        raise ReleaseUnreadable(name, reason)
    lines = unwrap(cleaned, stands_alone)
    head = read_head(lines)
    if not head.title:
        reason = "it has no title; put only the headline on the first line and try again"
        raise ReleaseUnreadable(name, reason)
    body = read_body(lines[head.body_at :])
    if (opening := read_dateline(head.title)) is not None and len(head.title) > 60:
        # There is no headline, so the title is made of the first sentence, which also stays in the text.
        body.paragraphs.insert(0, head.title)
        head.title = summarise((head.title[opening.end :].strip(),), HEADLINE_LENGTH).rstrip(" .")
    paragraphs = [lead for lead in head.leads if lead not in body.paragraphs] + body.paragraphs
    paragraphs = _without_title(paragraphs, head.title)
    if not paragraphs:
        reason = "it has a title but no text below; save the whole release into the file and try again"
        raise ReleaseUnreadable(name, reason)
    dateline = next(
        (found for each in paragraphs[: len(head.leads) + 2] if (found := read_dateline(each))), None
    )
    title, site = _split_site(head.title)
    return PressRelease(
        title=title,
        publisher=head.publisher or site or _publisher(head, paragraphs, body, dateline),
        published=_published(head, body, dateline, paragraphs, today),
        language=detect_language("\n".join([title, *paragraphs])),
        paragraphs=tuple(paragraphs),
    )


def as_json(name: str, release: PressRelease | ReleaseUnreadable) -> dict[str, str | None]:
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


def _without_title(paragraphs: list[str], title: str) -> list[str]:
    return paragraphs[1:] if paragraphs and paragraphs[0].casefold() == title.casefold() else paragraphs


def _split_site(title: str) -> tuple[str, str]:
    """Return the headline, and the name of the site that pages append to it, or ""."""
    for mark in (" | ", " :: ", " - ", " – ", " — "):
        before, found, after = title.rpartition(mark)
        if found and len(before) >= 15 and organisation_score(after) >= 4:
            return before.strip(), after.strip()
    return title, ""


def _publisher(head: Head, paragraphs: list[str], body: Body, dateline: Dateline | None) -> str:
    opened = (each for each in paragraphs if dateline is not None and read_dateline(each) == dateline)
    lead = next(opened, "")[dateline.end if dateline else 0 :].strip()
    evidence = Evidence(paragraphs, body.footer, head.contacts + body.contacts, dateline, lead.strip())
    return find_publisher(evidence)


def _published(
    head: Head, body: Body, dateline: Dateline | None, paragraphs: list[str], today: date | None
) -> date | None:
    dates: list[tuple[int, FoundDate]] = list(head.dates)
    if dateline is not None and dateline.found is not None:
        dates.append((_DATELINE, dateline.found))
    dates.extend((_IN_TITLE, found) for found in find_dates(head.title)[:1])
    dates.extend((_BELOW, found) for _, found in body.dates)
    # Below the text, only lines such as "Last updated" and "Source: X 2025-10-23" have dates of this release.
    telling = [line for line in body.footer if kind_of(line) is Kind.WEAK or date_line(line)]
    dates.extend((_BELOW, found) for line in telling for found in find_dates(line)[:1])
    year = next((found.year for _, found in dates if found.year), None) or copyright_year(body.footer)
    return resolve(dates, year, today)
