"""Find dates in a short text, in the formats and languages of releases. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache

from newsletter.ingest.press.dates.calendars import from_jalali, jalali_month, month_number

_LOOK_AT = 240
_FIRST_YEAR, _LAST_YEAR = 1900, 2100


@dataclass(frozen=True)
class FoundDate:
    """A date in a text: its position and its parts. `year` is None if the text has none."""

    start: int
    end: int
    year: int | None
    month: int
    day: int
    first: int = 0  # the first number of a date such as 3/4/2025, which may be in March or in April

    def american(self) -> FoundDate:
        """Return the date with the month first, if the text leaves the order open."""
        if not self.first:
            return self
        return replace(self, month=self.first, day=self.month + self.day - self.first)

    def on(self, year: int | None) -> date | None:
        """Return the date, with `year` if the text has none. Return None if there is no such day."""
        chosen = self.year or year
        return _day(chosen, self.month, self.day) if chosen else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


Parts = tuple[int | None, int, int]
ReadParts = Callable[["re.Match[str]"], "Parts | None"]

# In Thai and the scripts of India, vowels are combining marks. Four Arabic months of the Levant have names of
# two words. Many Arabic dates have both names of a month, with a slash between them.
_LETTER = r"(?:[^\W\d_]|[\u0900-\u0963\u0970-\u0dff\u0e31-\u0e4e])"
_LEVANT = r"(?:تشرين|كانون) (?:الأول|الثاني)"
_MONTH = rf"(?P<m>{_LEVANT}|[^\W\d_]{_LETTER}{{1,13}})(?:\s?/\s?(?:{_LEVANT}|[^\W\d_]{{3,10}}))?"
_D = r"(?<!\d)(?P<d>\d{1,2})"
# Some pages have a time right behind the year: "28 luglio 202010:43".
_Y = r"(?P<y>\d{4})(?!\d(?!\d?:\d\d))"


def _year(text: str) -> int | None:
    year = int(text)
    if 2450 <= year <= 2650:  # the Buddhist era of Thai dates
        year -= 543
    return year if _FIRST_YEAR <= year <= _LAST_YEAR else None


def _numbers(hit: re.Match[str]) -> Parts | None:
    year, month, day = int(hit["y"]), int(hit["m"]), int(hit["d"])
    if 1300 <= year <= 1500:
        persian = from_jalali(year, month, day)
        return (persian.year, persian.month, persian.day) if persian else None
    known = _year(hit["y"])
    return (known, month, day) if known and _day(known, month, day) else None


def _two_orders(hit: re.Match[str]) -> Parts | None:
    """Read 23/10/2025 and 10/23/2025. 3/10/2025 is in October, unless a 12-hour time (a.m., p.m.) follows."""
    year = int(hit["y"])
    if len(hit["y"]) == 2:
        year += 2000
    first, second = int(hit["a"]), int(hit["b"])
    american = second > 12 or (
        first <= 12 and re.match(r",?\s*\d{1,2}[:.]\d\d\s*[ap]\.?m", hit.string[hit.end() :])
    )
    month, day = (first, second) if american else (second, first)
    return (year, month, day) if _FIRST_YEAR <= year <= _LAST_YEAR and _day(year, month, day) else None


def _named(hit: re.Match[str]) -> Parts | None:
    day = int(hit["d"])
    text = hit.groupdict().get("y")
    if (persian := jalali_month(hit["m"])) is not None:
        found = from_jalali(int(text), persian, day) if text else None
        return (found.year, found.month, found.day) if found else None
    month = month_number(hit["m"])
    year = _year(text) if text else None
    if month is None or (text and year is None) or _day(year or 2000, month, day) is None:
        return None
    return year, month, day


# The first year of each era of Japan, and of the Republic of China on Taiwan.
_ERAS = {"令和": 2019, "平成": 1989, "昭和": 1926, "民國": 1912}


def _era(hit: re.Match[str]) -> Parts | None:
    year = _ERAS[hit["e"]] - 1 + (1 if hit["y"] == "元" else int(hit["y"]))
    return (year, int(hit["m"]), int(hit["d"])) if _day(year, int(hit["m"]), int(hit["d"])) else None


def _republic(hit: re.Match[str]) -> Parts | None:
    year = int(hit["y"]) + _ERAS["民國"] - 1
    return (year, int(hit["m"]), int(hit["d"])) if _day(year, int(hit["m"]), int(hit["d"])) else None


# The short names of the months in Thai have full stops.
_THAI = ("ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค.")


def _thai(hit: re.Match[str]) -> Parts | None:
    year, month, day = _year(hit["y"]), _THAI.index(hit["m"]) + 1, int(hit["d"])
    return (year, month, day) if year and _day(year, month, day) else None


def _without_year(hit: re.Match[str]) -> Parts | None:
    return (None, int(hit["m"]), int(hit["d"])) if _day(2000, int(hit["m"]), int(hit["d"])) else None


# Each has a name, a pattern, and a function that returns None if a match is not a date. They are tried in
# this order, on text in lower case with ASCII digits.
PATTERNS: tuple[tuple[str, re.Pattern[str], ReadParts], ...] = tuple(
    (name, re.compile(pattern), read_parts)
    for name, pattern, read_parts in (
        ("juche", rf"{_MONTH}\.?\s+(?P<d>\d{{1,2}}),?\s+juche\s*\d{{2,3}}\s*\(\s*{_Y}\s*\)", _named),
        (
            "east asian",
            r"(?<!\d)(?P<y>\d{4})\s*[年년]\s*(?P<m>\d{1,2})\s*[月월]\s*(?P<d>\d{1,2})\s*[日일号號]?",
            _numbers,
        ),
        (
            "era",
            (
                rf"(?P<e>{'|'.join(_ERAS)})\s*(?P<y>\d{{1,3}}|元)\s*(?:[(（]\d{{4}}[)）])?年\s*(?:[(（]\d{{4}}年?[)）])?"
                r"\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*日"
            ),
            _era,
        ),
        # The offices of Taiwan leave out the name of the era: 114年01月13日 is in 2025.
        (
            "republic",
            r"(?<!\d)(?P<y>1[0-3]\d)\s*年\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*日",
            _republic,
        ),
        (
            "iso",
            r"(?<![\d./-])(?P<y>\d{4})\s?(?P<s>[-/.])\s?(?P<m>\d{1,2})\s?(?P=s)\s?(?P<d>\d{1,2})(?![\d/-])",
            _numbers,
        ),
        (
            "numbers",
            r"(?<![\d./-])(?P<a>\d{1,2})(?P<s>[./-])\s?(?P<b>\d{1,2})(?P=s)\s?(?P<y>\d{4}|\d{2})(?![\d/-])",
            _two_orders,
        ),
        (
            "day month year",
            (
                rf"{_D}(?:st|nd|rd|th|er|º|ª|-?[гое]о?)?\.?[\s-]*(?:(?:of|de|do)\s+|d['’]|י)?(?:tháng\s+)?"
                rf"{_MONTH}\.?,?[\s-]*(?:(?:de|del|of)\s+)?{_Y}"
            ),
            _named,
        ),
        ("vietnamese", rf"{_D}\s+tháng\s+(?P<m>\d{{1,2}})[,\s]+(?:năm\s+)?{_Y}", _numbers),
        ("thai", rf"{_D}\s*(?P<m>{'|'.join(map(re.escape, _THAI))})\s*{_Y}", _thai),
        (
            "month day year",
            rf"{_MONTH}\.?,?[\s-]+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:\s?,\s?|[\s-]+){_Y}",
            _named,
        ),
        (
            "year month day",
            (
                rf"(?<!\d)(?P<y>\d{{4}})\.?\s*(?:m\.?|metų"
                rf"|gada)?\s*(?:gada\s+)?{_MONTH}\s+(?P<d>\d{{1,2}})\.?(?:\s*d\.)?"
            ),
            _named,
        ),
        ("latvian", rf"(?<!\d)(?P<y>\d{{4}})\.\s*gada\s+(?P<d>\d{{1,2}})\.\s*{_MONTH}", _named),
        ("year day month", rf"(?<!\d)(?P<y>\d{{4}}),?\s+(?P<d>\d{{1,2}})\.?\s+{_MONTH}(?![^\W\d_])", _named),
        (
            "east asian, no year",
            r"(?<![\d年년])(?P<m>\d{1,2})\s*[月월]\s*(?P<d>\d{1,2})\s*[日일]",
            _without_year,
        ),
        ("month day", rf"(?<![^\W\d_]){_MONTH}\.?\s*(?P<d>\d{{1,2}})(?!\d)(?:st|nd|rd|th)?", _named),
        ("day month", rf"{_D}(?:st|nd|rd|th|\.)?\s+(?:de\s+|of\s+)?{_MONTH}(?![^\W\d_])", _named),
    )
)


_DIGIT = re.compile(r"\d")
_WORD = re.compile(rf"{_LEVANT}|[^\W\d_]{_LETTER}{{1,13}}")
# What a text must have so that a pattern can match.
_MARKS = {
    "juche": ("juche",),
    "east asian": ("年", "년"),
    "era": tuple(_ERAS),
    "republic": ("年",),
    "vietnamese": ("tháng",),
    "latvian": ("gada",),
    "thai": _THAI,
    "east asian, no year": ("月", "월"),
}
_NUMBERS = re.compile(r"\d\s?[-./]\s?\d{1,2}\s?[-./]\s?\d")


# Made at the first use, because it takes longer than to import the rest of the module.
@cache
def _ascii_digits() -> dict[int, str]:
    """Return the ASCII digit for each digit of another script, such as Arabic or Devanagari."""
    others = filter(str.isdecimal, map(chr, range(0x80, 0x1FBFA)))
    return {ord(digit): str(unicodedata.decimal(digit)) for digit in others}


def fold_digits(text: str) -> str:
    """Return `text` in lower case with ASCII digits. No character changes its position."""
    low = text.lower()
    if low.isascii():
        return low
    if len(low) != len(text):  # "İ" becomes two characters
        low = "".join(each if len(each := char.lower()) == 1 else char for char in text)
    return low.translate(_ascii_digits())


def find_dates(text: str) -> list[FoundDate]:
    """Return the dates in the first 240 characters of `text`, in their order and without overlaps."""
    folded = fold_digits(text[:_LOOK_AT])
    if not _DIGIT.search(folded):
        return []
    found: list[FoundDate] = []
    # Most lines with a number have no date. Quick checks tell which patterns can match.
    named = any(month_number(word) or jalali_month(word) for word in _WORD.findall(folded))
    numbers = _NUMBERS.search(folded) is not None
    for name, pattern, read_parts in PATTERNS:
        mark = _MARKS.get(name)
        if mark is not None:
            if not any(each in folded for each in mark):
                continue
        elif not (numbers if name in ("iso", "numbers") else named):
            continue
        for start, end, parts in _hits(pattern, read_parts, folded):
            if all(end <= other.start or start >= other.end for other in found):
                order_open = (
                    name == "numbers"
                    and "." not in folded[start:end]
                    and parts[2] <= 12
                    and parts[1] != parts[2]
                )
                first = int(re.findall(r"\d+", folded[start:end])[0]) if order_open else 0
                found.append(FoundDate(start, end, *parts, first))
    return sorted(found, key=lambda each: each.start)


def _hits(pattern: re.Pattern[str], read_parts: ReadParts, text: str) -> Iterator[tuple[int, int, Parts]]:
    """Yield the matches that `read_parts` accepts. After a refusal, search again from the next character."""
    at = 0
    while hit := pattern.search(text, at):
        parts = read_parts(hit)
        at = hit.end() if parts else hit.start() + 1
        if parts:
            yield hit.start(), hit.end(), parts


def latest_year(found: FoundDate, today: date) -> int:
    """Return the latest year in which this date is not after `today`, or one day later for time zones."""
    this_year = found.on(today.year)
    if this_year is not None and this_year <= today + timedelta(days=1):
        return today.year
    return today.year - 1


def resolve(
    dates: Sequence[tuple[int, FoundDate]], year: int | None, today: date | None, *, american: bool = False
) -> date | None:
    """Return the day of publication: the date with the lowest rank. `year` or `today` give a missing year."""
    for _, found in sorted(dates, key=lambda each: (each[0], each[1].year is None)):
        known = year if year is not None else latest_year(found, today) if today else None
        day = (found.american() if american else found).on(known)
        if day is not None:
            return day
    return None
