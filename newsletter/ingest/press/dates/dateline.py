"""Read the dateline of a text, such as "TOKYO, Oct. 23 (Kyodo) --": its date and agency. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.ingest.phrases import read_phrases
from newsletter.ingest.press.dates.calendars import month_number
from newsletter.ingest.press.dates.find import FoundDate, find_dates
from newsletter.ingest.press.lines.organisations import is_agency, is_wire, organisation_score
from newsletter.ingest.press.lines.shape import size

_REACH = 130
_CUT = re.compile(
    r"\s[-–—]{1,2}\s|\s?--\s?|\s?—\s?|–\s|(?<=[\w)])-\s|/\.?:?(?:\s|\Z)|\)[.,:]?\s|\)\.[-–—]\s|(?<=\w)[:.]\s"
)
_IN_BRACKETS = re.compile(r"\(([^()]{2,40})\)|/([^/()]{2,40})/|【([^】]{2,20})】")
_IN_SLASHES = re.compile(r"/\s[^/()]{2,40}\s/(?:\s|\Z)")
_NAME = 3
_DASHES = re.compile(r"[\s\-–—:]*")
_AGENCY_FIRST = re.compile(r"[(/]([^()/]{2,20})[)/]\s?[-–—]{1,2}\s+(?=\S)")
_SITE_FIRST = re.compile(r"([\w-]{2,20}\.[A-Za-z]{2,7}), [^\W\d_][\w ]{1,30}\s?[-–—]{1,2}\s+(?=\S)")
_STATES = re.compile(r"[A-Z]{2}|[A-Z][a-z]{1,4}\.|\d.*")
_AGENCY_BEHIND = re.compile(r"([^\W\d_]{2,12})\.\s+(?=\S)")
_TWO_CAPITALS = re.compile(r"[^\W\d_][\w -]{2,30}\. ?[^\W\d_]{3,12}")  # "PORT HALDEN. BRINEPRESS -"
# Words that have no capital inside the name of a place, or between two names.
_SMALL = frozenset(read_phrases("organisations")["small words"]) | {"al", "d", "les", "m"}


@dataclass(frozen=True, slots=True)
class Dateline:
    """The dateline of a text: where it ends, its date, and its agency or ""."""

    end: int
    found: FoundDate | None
    agency: str


def read_dateline(paragraph: str, dates: Sequence[FoundDate] | None = None) -> Dateline | None:
    """Return the dateline at the start of `paragraph`, or None. `dates` are those of the paragraph, if known.

    If its date has no year, the same day with a year in the text behind it tells the year.
    """
    if opened := _agency_first(paragraph):
        return opened
    opening = paragraph[:_REACH]
    known = find_dates(paragraph) if dates is None else dates
    for cut in _CUT.finditer(opening):
        head = opening[: cut.end()].rstrip(" -–—:")
        # "(LEAD) Seoul" is no dateline. In scripts without capitals, the place is inside the brackets too.
        if not head or size(head) > 18 or "|" in head or (head[0] == "(" and head.isascii()):
            return None
        dashes = _DASHES.match(paragraph, cut.end())
        end = dashes.end() if dashes else cut.end()
        goes_on = any(found.start == end for found in known) or _IN_SLASHES.match(opening, cut.start())
        if goes_on or opening[cut.end() : cut.end() + 1] in ("/", "("):
            continue  # "MOSCOW, October 23. /TASS/.", "LUND - (BrineWire) - May 2, 2031 - "
        if any(found.start < cut.start() < found.end for found in known):
            continue  # "Nov. 12, 2024"
        if head.endswith(")") and opening[cut.end() : cut.end() + 1].islower():
            return None  # "The Union of Ports (UOP) has", no dateline
        inside = [found for found in known if found.end <= len(head)]
        agency = _agency(head)
        if inside and inside[0].start == 0 and not _is_known_name(agency):
            agency = ""  # "May 2, 2031 (LUND) - "
        sure = (
            inside or opening[cut.start() : cut.end()].strip(" ).,") or is_agency(agency) or is_wire(agency)
        )
        if (
            inside
            and ":" in cut[0]
            and not any(map(str.isalpha, head[: inside[0].start] + head[inside[0].end :]))
        ):
            return None  # "4 March 2031: Harbour opens", a headline
        if (inside or agency) and sure and _is_place(head, inside):
            behind = None if agency else _AGENCY_BEHIND.match(paragraph, end)
            if behind and is_agency(behind[1]):  # "КИЇВ. 23 лютого. УНН. "
                agency, end = behind[1], behind.end()
            return Dateline(end, _with_year(inside[0], known) if inside else None, agency)
    return None


def _agency_first(paragraph: str) -> Dateline | None:
    """Return a dateline that begins with its agency: "(ANSA) - ROMA, 28 LUG -", "port.example, LUND -"."""
    if site := _SITE_FIRST.match(paragraph):
        return Dateline(site.end(), None, site[1])
    first = _AGENCY_FIRST.match(paragraph)
    if not first or not is_agency(first[1]):
        return None
    rest = read_dateline(paragraph[first.end() :])
    return Dateline(first.end() + (rest.end if rest else 0), rest.found if rest else None, first[1])


def _is_known_name(name: str) -> bool:
    return is_agency(name) or is_wire(name) or organisation_score(name) >= _NAME


def _with_year(found: FoundDate, known: Sequence[FoundDate]) -> FoundDate:
    if found.year is not None:
        return found
    same = (each for each in known if each.year and (each.month, each.day) == (found.month, found.day))
    return next(same, found)


def _agency(head: str) -> str:
    for groups in reversed(_IN_BRACKETS.findall(head)):
        name = str(next(group for group in groups if group)).strip()
        if not find_dates(name) and not _STATES.fullmatch(name) and any(char.isalpha() for char in name):
            return name
    last: str = re.split(r"[,.\s]+", head.strip(" ,.:"))[-1]
    if is_agency(last) and head.strip() != last:
        return last
    return last if _TWO_CAPITALS.fullmatch(head) and head.isupper() else ""


def _is_place(head: str, dates: Sequence[FoundDate]) -> bool:
    """Return whether `head` without its date and agency could be the name of one or two places."""
    rest = head
    for found in reversed(dates):
        rest = rest[: found.start] + " " + rest[found.end :]
    words = [word for word in re.split(r"[\s,.;:()/\-–—]+", _IN_BRACKETS.sub(" ", rest)) if word]
    words = [word for word in words if not word.isdigit()]
    cased = [word for word in words if word.lower() != word.upper()]
    if any(word[0].islower() and word not in _SMALL and month_number(word) is None for word in cased):
        return False
    # Scripts without capitals: only very few words are certainly not a sentence.
    return len(cased) <= 7 and sum(len(word) for word in words if word not in cased) <= 12
