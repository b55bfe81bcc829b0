"""The languages of pages and emails: list them, choose one, load its gettext catalogue.

Each language has a folder in translations/ with one catalogue (`<language>/LC_MESSAGES/messages.po`) for
pages and emails. English is the source language and needs none. There are no compiled catalogues, so a
stale one can never be used. Each process reads a catalogue once, in a few milliseconds.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

SOURCE_LANGUAGE = "en"
# The tag of a text whose language is not known (BCP 47).
UNKNOWN_LANGUAGE = "und"
FOLDER = Path(__file__).parent / "translations"


def catalogue_file(language: str, folder: Path = FOLDER) -> Path:
    """Return the path of a language's catalogue. The file may not exist."""
    return folder / language.replace("-", "_") / "LC_MESSAGES" / "messages.po"


def _languages() -> tuple[str, ...]:
    folders = sorted(file.parts[-3] for file in FOLDER.glob("*/LC_MESSAGES/messages.po"))
    return SOURCE_LANGUAGE, *(each.replace("_", "-") for each in folders)


# All languages, as tags such as pt-BR. The source language is first.
LANGUAGES = _languages()


@lru_cache
@lru_cache(maxsize=256)
def language_name(language: str) -> str:
    """Return a language's own name, such as Deutsch."""
    name = parse_language(language).get_display_name() or language
    return name[:1].upper() + name[1:]


def choose_language(wanted: str, offered: Sequence[str]) -> str:
    """Return the language of `offered` that fits the tag `wanted` best, such as de-AT.

    The order is: the same tag, the same language without the region, the first of `offered`.
    """
    tag = wanted.replace("_", "-")
    for each in (tag, tag.partition("-")[0].lower()):
        if each in offered:
            return each
    return offered[0]


def text_direction(language: str, text: str = "") -> str:
    """Return "rtl" or "ltr" for a language tag. If it is unknown, `text` decides."""
    if language and language != UNKNOWN_LANGUAGE:
        return str(parse_language(language).text_direction)
    kinds = (unicodedata.bidirectional(char) for char in text)
    first = next((kind for kind in kinds if kind in {"L", "R", "AL"}), "L")
    return "ltr" if first == "L" else "rtl"


def translatable(text: str) -> str:
    """Return `text` unchanged. It marks a sentence for the catalogues, and an edge translates it later."""
    return text


@lru_cache(maxsize=64)
def translations(language: str) -> NullTranslations:
    """Return the translations for a language tag. If it has no catalogue, all texts stay in English."""
    chosen = choose_language(language, LANGUAGES)
    return NullTranslations() if chosen == SOURCE_LANGUAGE else read_translations(catalogue_file(chosen))


def read_translations(file: Path) -> Translations:
    """Return the translations of a catalogue file, without the entries marked fuzzy."""
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=file.parts[-3]))
    compiled.seek(0)
    return Translations(compiled)


def parse_language(tag: str) -> Locale:
    """Return the locale of a language tag, or the source language's locale if the tag is unknown."""
    try:
        return Locale.parse(tag.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale.parse(SOURCE_LANGUAGE)
