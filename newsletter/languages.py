"""The languages that pages and mails are complete in, their catalogues, and which one a reader gets.

A language is a folder of translations/ with one gettext catalogue for pages and mails alike
(`<language>/LC_MESSAGES/messages.po`); English, the source language, needs none. Nothing is
compiled beforehand: a catalogue is read in some milliseconds, once in a process, and so what is
sent can never be older than what was translated.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

SOURCE_LANGUAGE = "en"
FOLDER = Path(__file__).parent / "translations"


def catalogue_file(language: str, folder: Path = FOLDER) -> Path:
    """Return where the catalogue of a language lies, or would."""
    return folder / language.replace("-", "_") / "LC_MESSAGES" / "messages.po"


def _languages() -> tuple[str, ...]:
    folders = sorted(file.parts[-3] for file in FOLDER.glob("*/LC_MESSAGES/messages.po"))
    return SOURCE_LANGUAGE, *(each.replace("_", "-") for each in folders)


# Every language there is, as tags such as pt-BR, the source language first.
LANGUAGES = _languages()


@lru_cache
@lru_cache(maxsize=256)
def language_name(language: str) -> str:
    """Return what the speakers of a language call it, such as Deutsch."""
    name = parse_language(language).get_display_name() or language
    return name[:1].upper() + name[1:]


def choose_language(wanted: str, offered: Sequence[str]) -> str:
    """Return which of `offered` somebody gets who prefers the tag `wanted` (such as de-AT).

    That very language, or the same without its region, or the first.
    """
    tag = wanted.replace("_", "-")
    for each in (tag, tag.partition("-")[0].lower()):
        if each in offered:
            return each
    return offered[0]


def translatable(text: str) -> str:
    """Return `text` as it is; marks a sentence for the catalogues that an edge translates later."""
    return text


@lru_cache(maxsize=64)
def translations(language: str) -> NullTranslations:
    """Return the catalogue for a language tag; for one that has none, what leaves every text in English."""
    chosen = choose_language(language, LANGUAGES)
    return NullTranslations() if chosen == SOURCE_LANGUAGE else read_translations(catalogue_file(chosen))


def read_translations(file: Path) -> Translations:
    """Return the translations of a catalogue's file; entries marked fuzzy do not count."""
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=file.parts[-3]))
    compiled.seek(0)
    return Translations(compiled)


def parse_language(tag: str) -> Locale:
    """Return the locale of a language tag, or the source language's when it is not known."""
    try:
        return Locale.parse(tag.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale.parse(SOURCE_LANGUAGE)
