"""Read labels ("Source: X"), and lines that have only a date ("Updated 2025-10-23"). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from newsletter.ingest.phrases import read_phrases
from newsletter.ingest.press.dates.find import FoundDate, find_dates, latest_year
from newsletter.ingest.press.lines.furniture import kind_of
from newsletter.ingest.press.lines.furniture_patterns import Kind
from newsletter.ingest.press.lines.organisations import organisation_score
from newsletter.ingest.press.lines.shape import ends_question, size

NAME = 3  # the lowest organisation score at which a line counts as a name without other evidence

# How well a date tells the day of publication, by the word before it. The lowest value is the best.
PUBLISHED, BARE, UPDATED, EMBARGOED = 0, 1, 2, 3
_PHRASES = read_phrases("labels")
_LABELS = tuple(
    (kind, f"(?:{'|'.join(phrases)})") for kind, phrases in _PHRASES.items() if kind != "weekdays"
)
LABELLED = tuple(
    (kind, re.compile(rf"{pattern}\s?(?:[:=：]|\s\|)\s?", re.IGNORECASE)) for kind, pattern in _LABELS
)
# This label may also be inside a line: "2025-10-23 09:30 Source: X".
PUBLISHER_LABEL = next(
    re.compile(rf"(?<!\S){pattern}\s?[:=：]\s?", re.IGNORECASE)
    for kind, pattern in _LABELS
    if kind == "publisher"
)
DATE_WORD = {"date": PUBLISHED, "updated": UPDATED}
_LOOSE_LABEL = tuple(
    (kind, re.compile(rf"(?:{pattern})\s", re.IGNORECASE)) for kind, pattern in _LABELS if kind in DATE_WORD
)
BYLINE = re.compile(
    r"(?:written |reported |posted |published |story )?(?:by|von|par|por|di"
    r"|door)\s+(?=[A-Z\u00c0-\u024f])(?P<who>.{2,100})\Z",
    re.IGNORECASE,
)
_EMBARGO = re.compile(r".{0,20}(?:embargo|hold for|sperrfrist|not (?:for|before))", re.IGNORECASE)
SPLIT = re.compile(r"\s+[|¦·•]\s+|\s*[|¦•]\s*|\s+[–—/]\s+|\s+-\s+|\t")
_NOISE = re.compile(
    r"\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?"
    rf"|\b(?:{'|'.join(_PHRASES['weekdays'])})\b"
    r"|[(（]?(?:[月火水木金土日]曜?日?|[월화수목금토일]요?일?|星期[一二三四五六日]|周[一二三四五六日])[)）]"
    r"|\b\d{1,2}\s?[:h.]\s?\d{2}(?::\d{2})?(?:\.\d+)?\s*(?:[ap]\.?m\b\.?|uhr|hrs?)?"
    r"|\b\d{1,2}\s?[ap]\.?m\b\.?|t\d\d:\d\d(?::\d\d)?(?:\.\d+)?z?"
    r"|[+-]\d\d:?\d\d\b|\b(?:gmt|utc|e[sd]?t|c[esd]?[sd]?t|p[sd]?t|ist|jst|kst|msk|bst|eest"
    r"|eet|cet|cest|z)\b(?:[+-]\d{1,2})?"
    r"|\b(?:at|on|the|published|posted|released|issued|updated?|last|modified|date|dated"
    r"|as of|noon|midnight|local time"
    r"|(?:eastern|central|mountain|pacific|greenwich|moscow|standard|daylight|summer|mean) (?=.*time)"
    r"|о|в|у|по"
    r"|hours?|eastern|den|am|le|el|vom|à|um|г|года|року|r|p|m|d|hrs|time|edition|edited"
    r"|online|first|new|created|ngày)\b\.?"
    r"|[\s,.;:|()\[\]/@·•–—-]",
    re.IGNORECASE,
)


def stands_alone(text: str) -> bool:
    """Return whether a line is never part of a wrapped paragraph: a name, a date, furniture, a label."""
    if len(text) > 140:
        return False
    if kind_of(text) is not Kind.TEXT or date_line(text) is not None:
        return True
    if any(pattern.match(text) for _, pattern in LABELLED) and size(text) <= 8:
        return True
    return (
        size(text) <= 9
        and organisation_score(text) >= NAME
        and not ends_question(text)
        and text[-1] not in ",;-"
    )


def date_line(text: str) -> tuple[int, FoundDate] | None:
    """Return the rank and the date of a line that has only a date with its labels, or None."""
    if len(text) > 160 or size(text) > 16:
        return None
    dates = find_dates(text)
    if not dates or beside_dates(text, dates):
        return None
    return weigh(text, dates)


def is_time(text: str) -> bool:
    """Return whether a line has only a time of day."""
    return len(text) <= 40 and any(char.isdigit() for char in text) and not beside_dates(text, [])


def weigh(text: str, dates: list[FoundDate]) -> tuple[int, FoundDate]:
    if _EMBARGO.match(text):
        return EMBARGOED, dates[0]
    for kind, pattern in (*LABELLED, *_LOOSE_LABEL):
        if kind in DATE_WORD and pattern.match(text):
            return DATE_WORD[kind], dates[0]
    return BARE, dates[0]


def beside_dates(text: str, dates: list[FoundDate]) -> str:
    """Return the text of a line without its dates, times and labels."""
    for found in reversed(dates):
        text = text[: found.start] + " " + text[found.end :]
    for _, pattern in LABELLED:
        hit = pattern.match(text)
        if hit:
            text = text[hit.end() :]
            break
    for kind, pattern in _LOOSE_LABEL:
        hit = pattern.match(text)
        if kind in DATE_WORD and hit:
            text = text[hit.end() :]
    bare = " ".join(_NOISE.sub(" ", text).split())
    return text.strip(" ,.;:|()[]/–—-·•") if any(char.isalnum() for char in bare) else ""


def resolve(dates: Sequence[tuple[int, FoundDate]], year: int | None, today: date | None) -> date | None:
    """Return the day of publication: the date with the best rank. `year` or `today` give a missing year."""
    for _, found in sorted(dates, key=lambda each: (each[0], each[1].year is None)):
        known = year if year is not None else latest_year(found, today) if today else None
        day = found.on(known)
        if day is not None:
            return day
    return None
