"""Read lines above the text that have a date and more, such as a name, a byline or a headline. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.ingest.press.dates.find import FoundDate, find_dates
from newsletter.ingest.press.lines.furniture import Kind, is_share_bar, kind_of
from newsletter.ingest.press.lines.labels import (
    BARE,
    BYLINE,
    EVENT,
    INNER_DATE,
    INNER_PUBLISHER,
    SPLIT,
    beside_dates,
    read_label,
)
from newsletter.ingest.press.lines.line import NAME, Line
from newsletter.ingest.press.lines.organisations import is_agency, looks_like_name, organisation_score
from newsletter.ingest.press.lines.shape import size
from newsletter.ingest.press.title import Entry

_LEANS_ON_DATE = re.compile(
    r"\S\s(?:on|of|for|in|since|until|from|by|before|after|am|ab|le|el|vom|bis)\s\Z", re.IGNORECASE
)
_TRAILING = re.compile(
    r"(?:,?\s+(?:posted|published|updated|released|issued|dated|on))?(?:\s+\d{1,2}[:.]\d\d)?\Z", re.IGNORECASE
)
_IN_SECTION = re.compile(r"\s(?:in|en|em|dans|im)\Z")  # "Posted 27 March by ACN in"
_DOMAIN = re.compile(r"\S+\.[a-z]{2,8}(?:\s\(.{1,12}\))?")
_CLOCK = re.compile(r"(?<!\d)\d{1,2}:\d\d(?!\d)")
_NEXT_LABEL = re.compile(r"\s+[^\s:：]{1,12}\s?[:：]")


@dataclass(frozen=True, slots=True)
class HeadDate:
    """A date above the text: where it is, and how well it tells the day of publication."""

    at: int
    rank: int
    found: FoundDate
    weekday: bool = False


def is_name(text: str) -> bool:
    return organisation_score(text) >= NAME


def named_value(at: int, line: Line, value: str, dates_found: list[HeadDate]) -> list[Entry]:
    if line.dates:
        dates_found.append(HeadDate(at, BARE, line.dates[0]))
        value = line.beside or value
    first = SPLIT.split(value)[0] if "|" in value else value
    # Cut off a second label ("Source: X Editor: Y", "来源：X 时间：Y"), and the text of a "Follow" button.
    first = _NEXT_LABEL.split(first, maxsplit=1)[0].removesuffix(" Follow").strip(" ,|")
    first = first.strip('"“”„«»') if first[:1] in '"“„«' else first
    if not first or first.startswith("http") or _DOMAIN.fullmatch(first.casefold()):
        return []
    return [Entry(at, first, line, named=True)]


def read_byline(at: int, line: Line, who: str, dates_found: list[HeadDate]) -> list[Entry]:
    dates = find_dates(who)
    dates_found.extend(HeadDate(at, BARE, found) for found in dates[:1])
    plain = who[: dates[0].start] if dates else who
    if "," not in plain.strip(" ,"):
        return names_in(at, line, [*SPLIT.split(plain), plain])
    return names_in(at, line, [*reversed(plain.split(",")), *reversed(SPLIT.split(plain)), plain])


def names_in(at: int, line: Line, parts: Sequence[str]) -> list[Entry]:
    for part in parts:
        bare = _IN_SECTION.sub("", part.strip(" ,|-–—"))
        bare = read_label(bare)[1] or bare
        if bare and not find_dates(bare) and (is_name(bare) or is_agency(bare)):
            return [Entry(at, bare, line, named=True)]
    return []


def read_mixed(at: int, line: Line, dates_found: list[HeadDate]) -> list[Entry]:
    """Read a line with a date and more: "Ministry of X | 23 October 2025", "By X, October 23", a title."""
    text, dates = line.text, line.dates
    rest = _TRAILING.sub("", line.beside)
    if dates[0].start == 0 and text[dates[0].end :].startswith(":") and size(rest) >= 4:
        # The date before a headline is that of an event, if another day stands above it.
        event = any(each.found.year and not _same(each.found, dates[0]) for each in dates_found)
        dates_found.append(HeadDate(at, EVENT if event else BARE, dates[0]))
        return [Entry(at, text if event else line.beside, line)]
    parts = [_IN_SECTION.sub("", part).strip(" ,") for part in SPLIT.split(rest) if part.strip(" ,")]
    labelled = next(((part, hit) for part in parts if (hit := INNER_PUBLISHER.search(part))), None)
    if labelled:
        dates_found.append(HeadDate(at, line.rank, dates[0]))
        return named_value(at, Line(text), labelled[0][labelled[1].end() :], dates_found)
    glued = text[dates[0].end : dates[0].end + 1].isalpha()  # "2031年6月8日港口发布会" is a headline
    opens = dates[0].start <= 6 and text.endswith(line.beside) and not glued
    if opens and (line.mark == "#" or (size(rest) >= 6 and not looks_like_name(rest))):
        dates_found.append(HeadDate(at, BARE, dates[0]))
        return [Entry(at, line.beside, line)]  # "2025-10-23 Government approves budget"
    parts = [each for each in parts if kind_of(each)[1] is Kind.TEXT and not is_share_bar(each.casefold())]
    parts = [each for each in parts if beside_dates(each, ())]  # the day of the week is no name
    if _is_headline(line, rest, parts):
        # The date of a headline is the day of the event, so any other date is better evidence.
        dates_found.append(HeadDate(at, EVENT, dates[0]))
        return [Entry(at, text, line)]
    dates_found.append(HeadDate(at, line.rank, dates[0]))
    return _names_beside_date(at, line, parts, dates_found)


def _same(one: FoundDate, other: FoundDate) -> bool:
    return (one.year, one.month, one.day) == (other.year, other.month, other.day)


def _is_headline(line: Line, rest: str, parts: Sequence[str]) -> bool:
    """Return whether the text beside a date is a headline, and no name and no byline."""
    text, dates = line.text, line.dates
    if any(BYLINE.match(part) for part in parts) or INNER_DATE.search(text[: dates[0].start]):
        return False
    # "What changes on 1 January" is a headline. "Ministry of Roads, 1 January 2025" is a name with a date.
    small = any(word.islower() for word in rest.split()) and all(each.year is None for each in dates)
    if (small or _LEANS_ON_DATE.search(text[: dates[0].start])) and "|" not in text and size(rest) >= 2:
        return True
    if dates[0].year is not None and _CLOCK.search(text[dates[0].end :]):
        return False  # "Politics 22 May 2008 / 14:30 491 views"
    at_edge = dates[0].start == 0 or "|" in text or not any(map(str.isalpha, text[dates[-1].end :]))
    short = at_edge and size(rest) <= (4 if "|" in text else 3)
    cells = len(parts) >= 2 and all(size(part) <= 3 for part in parts)  # "Home news | kjm | 11.2.2025"
    return not (short or cells or not parts or any(map(is_name, parts)))


def _names_beside_date(at: int, line: Line, parts: Sequence[str], dates_found: list[HeadDate]) -> list[Entry]:
    named = [part for part in parts if is_name(part)]
    by = next((hit for part in parts if (hit := BYLINE.match(part))), None)
    if by:
        return read_byline(at, line, by["who"], dates_found) or names_in(at, line, named)
    if named:
        return [Entry(at, named[0], line, named=len(named) == 1 and size(named[0]) <= 9, by_date=True)]
    # The text beside a date is more often a place than a publisher, unless a bar separates them.
    telling = parts[:1] if line.text.count("|") == 1 or any(map(is_agency, parts[:1])) else []
    return [Entry(at, part, line, by_date=True) for part in telling if "," not in part]
