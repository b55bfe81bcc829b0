"""Read the dateline of a text, such as "TOKYO, Oct. 23 (Kyodo) --": its date and agency. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.ingest.press.dates.calendars import month_number
from newsletter.ingest.press.dates.find import FoundDate, find_dates
from newsletter.ingest.press.lines.organisations import is_agency
from newsletter.ingest.press.lines.shape import size

_REACH = 130
_CUT = re.compile(r"\s[-–—]{1,2}\s|\s?--\s?|\s?—\s?|–\s|(?<=[\w)])-\s|/\.?:?\s|\)[.,:]?\s|(?<=\w)[:.]\s")
_IN_BRACKETS = re.compile(r"\(([^()]{2,40})\)|/([^/()]{2,40})/|【([^】]{2,20})】")
_DASHES = re.compile(r"[\s\-–—:]*")
_STATES = re.compile(r"[A-Z]{2}|[A-Z][a-z]{1,4}\.|\d.*")
_SMALL = {
    "de",
    "la",
    "le",
    "el",
    "al",
    "du",
    "d",
    "den",
    "der",
    "die",
    "da",
    "do",
    "of",
    "on",
    "in",
    "the",
    "les",
    "y",
    "m",
}


@dataclass(frozen=True)
class Dateline:
    """The dateline of a text: where it ends, its date, and its agency or ""."""

    end: int
    found: FoundDate | None
    agency: str


def read_dateline(paragraph: str) -> Dateline | None:
    """Return the dateline at the start of `paragraph`, or None."""
    opening = paragraph[:_REACH]
    for cut in _CUT.finditer(opening):
        head = opening[: cut.end()].rstrip(" -–—:")
        # "(LEAD) Seoul" is no dateline. In scripts without capitals, the place is inside the brackets too.
        if not head or size(head) > 14 or "|" in head or (head[0] == "(" and head.isascii()):
            return None
        if opening[cut.end() : cut.end() + 1] in ("/", "("):
            continue  # "MOSCOW, October 23. /TASS/."
        dates = find_dates(head)
        agency = _agency(head)
        if (dates or agency) and _is_place(head, dates):
            dashes = _DASHES.match(paragraph, cut.end())
            end = dashes.end() if dashes else cut.end()
            return Dateline(end, dates[0] if dates else None, agency)
    return None


def _agency(head: str) -> str:
    for groups in reversed(_IN_BRACKETS.findall(head)):
        name = str(next(group for group in groups if group)).strip()
        if not find_dates(name) and not _STATES.fullmatch(name) and any(char.isalpha() for char in name):
            return name
    last: str = re.split(r"[,.\s]+", head.strip(" ,.:"))[-1]
    return last if is_agency(last) and head.strip() != last else ""


def _is_place(head: str, dates: list[FoundDate]) -> bool:
    """Return whether `head` without its date and agency could be the name of one or two places."""
    rest = _IN_BRACKETS.sub(" ", _without(head, dates))
    words = [word for word in re.split(r"[\s,.;:()/\-–—]+", rest) if word and not word.isdigit()]
    cased = [word for word in words if word.lower() != word.upper()]
    if any(word[0].islower() and word not in _SMALL and month_number(word) is None for word in cased):
        return False
    # Scripts without capitals: only very few words are certainly not a sentence.
    return len(cased) <= 6 and sum(len(word) for word in words if word not in cased) <= 12


def _without(text: str, dates: list[FoundDate]) -> str:
    for found in reversed(dates):
        text = text[: found.start] + " " + text[found.end :]
    return text
