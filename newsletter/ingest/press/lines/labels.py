"""Read labels ("Source: X") and what stands beside the dates of a line. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.ingest.phrases import read_phrases
from newsletter.ingest.press.dates.find import FoundDate

# How well a date tells the day of publication, by the word before it. The lowest value is the best.
PUBLISHED, BARE, DATELINE, UPDATED, EVENT, BELOW = range(6)
_PHRASES = read_phrases("labels")
_KINDS = ("title", "publisher", "date", "updated", "author")
_RANKS = {"date": PUBLISHED, "updated": UPDATED}
_WORDS = {kind: f"(?:{'|'.join(_PHRASES[kind])})" for kind in _KINDS}
_LABEL = re.compile(
    r"(?:[-•·*]\s)?(?:"
    + "|".join(rf"(?P<{kind}>{_WORDS[kind]}\s?(?:[:=：]|\s\|)\s?)" for kind in _KINDS)
    + ")",
    re.IGNORECASE,
)
_LOOSE = re.compile(rf"(?P<date>{_WORDS['date']}\s)|(?P<updated>{_WORDS['updated']}\s)", re.IGNORECASE)
INNER_DATE = re.compile(rf"(?<!\S)(?:{_WORDS['date']}|{_WORDS['updated']})(?!\w)\s?[:：]?", re.IGNORECASE)
# This label may also be inside a line: "2025-10-23 09:30 Source: X".
INNER_PUBLISHER = re.compile(rf"(?<!\S){_WORDS['publisher']}\s?[:=：]\s?", re.IGNORECASE)
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
    r"|\d{1,2}\s?[時时시点](?:\s?\d{1,2}\s?[分분])?|午[前後]|오[전후]|[上下]午|[~〜～]"
    r"|\b\d{1,2}\s?[:h.]\s?\d{2}(?::\d{2})?(?:\.\d+)?\s*(?:[ap]\.?m\b\.?|uhr|hrs?)?"
    r"|\b\d{1,4}/\d{2,4}\b|\b\d{1,2}\s?[ap]\.?m\b\.?|t\d\d:\d\d(?::\d\d)?(?:\.\d+)?z?"
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


_MARKS = " ,.;:|()[]/–—-·•"
_EDGE_TIME = re.compile(r"\A\d{1,2}[:.]\d{2}(?::\d{2})?(?!\d)|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?\Z")


def read_label(text: str) -> tuple[str, str]:
    """Return the kind of the label at the start of a line and the text behind it, or two empty strings.

    A line that is a label and nothing else may have no colon. Its value is on the next line.
    """
    hit = _LABEL.match(text) or (_LABEL.fullmatch(f"{text}:") if len(text) <= 24 else None)
    return (str(hit.lastgroup), text[hit.end() :].strip(" |")) if hit else ("", "")


def is_time(text: str) -> bool:
    """Return whether a line has only a time of day."""
    return any(char.isdigit() for char in text) and not beside_dates(text, ())


def weigh(text: str) -> int:
    """Return how well the date in a line tells the day of publication, by the words before it."""
    if _EMBARGO.match(text):
        return EVENT
    hit = _LABEL.match(text) or _LOOSE.match(text)
    return _RANKS.get(str(hit.lastgroup), BARE) if hit else BARE


def beside_dates(text: str, dates: Sequence[FoundDate]) -> str:
    """Return the text of a line without its dates, times and labels."""
    for found in reversed(dates):
        text = text[: found.start] + " " + text[found.end :]
    for pattern in (_LABEL, _LOOSE):
        hit = pattern.match(text)
        text = text[hit.end() :] if hit else text
    bare = INNER_DATE.sub(" ", _NOISE.sub(" ", text))
    text = _EDGE_TIME.sub("", text.strip(_MARKS))
    return text.strip(_MARKS) if any(char.isalnum() for char in bare) else ""
