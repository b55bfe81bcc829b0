"""Names of months in the languages of releases, and dates of the Iranian calendar. Pure."""

from __future__ import annotations

import unicodedata
from datetime import date

import jdatetime

from newsletter.ingest.phrases import read_phrases

_PHRASES = read_phrases("months")
_JALALI_MONTHS = {name: number for number, name in enumerate(_PHRASES["jalali"], 1)}


def _fold(word: str) -> str:
    """Return `word` in lower case and without accents, so that "Aout" and "AOÛT" are one month."""
    bare = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in bare if not unicodedata.combining(char))


def _table() -> dict[str, int]:
    table: dict[str, int] = {}
    for language, months in _PHRASES.items():
        if language == "jalali":
            continue
        for number, variants in enumerate(months, 1):
            for name in variants.split(" / "):
                table.setdefault(_fold(name), number)
    return table


_MONTHS = _table()


def month_number(word: str) -> int | None:
    """Return 1 to 12 for the name of a month in any of these languages, or None."""
    if word.isascii():
        return _MONTHS.get(word.lower())
    return _MONTHS.get(_fold(word)) if len(word) <= 14 else None


def jalali_month(word: str) -> int | None:
    """Return 1 to 12 for the name of a month of the Iranian calendar, or None."""
    return _JALALI_MONTHS.get(
        word.replace("ي", "ی").replace("ك", "ک")
    )  # many texts have the Arabic characters


def from_jalali(year: int, month: int, day: int) -> date | None:
    """Return the Gregorian date of a day of the Iranian calendar (years 1300 to 1500), or None."""
    if not 1300 <= year <= 1500:
        return None
    try:
        found: date = jdatetime.date(year, month, day).togregorian()
    except ValueError:
        return None
    return found
