"""Translation catalogues: extract the texts of pages, emails and messages; update or add a language."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.pofile import read_po, write_po

from newsletter.errors import InputError, StateConflict
from newsletter.languages import FOLDER, LANGUAGES, SOURCE_LANGUAGE, catalogue_file
from newsletter.runtime import data_folder

# The owner's pages and commands are in English.
ENGLISH_ONLY = ("web/admin", "web/mailbox", "cli", "demo", "service")
# templates/admin and templates/dev are the owner's too.
TRANSLATED_TEMPLATES = ("web", "email")

# A text, or its singular and its plural.
Text = str | tuple[str, ...]
_CALLS = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "lazy_ngettext": (1, 2), "translatable": None}
# The options of the Jinja environments of pages and emails, so that extracted texts match the lookups.
_TEMPLATE_OPTIONS = {"newstyle_gettext": "true", "silent": "false"}
# The version history already holds who changed a file and when. These lines only cause merge conflicts.
_IDLE_HEADERS = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Report-Msgid-Bugs-To|'
    r"Generated-By|Project-Id-Version):.*\n",
    re.M,
)


def gather() -> Catalog:
    """Return every translatable text of pages, emails and messages, with the files that contain it."""
    found = Catalog(charset="utf-8")
    for name, text, context in _texts():
        # Without line numbers: every edit changes them, and the text can be searched for.
        found.add(text, locations=[(name, 0)], context=context)
    return found


@cache
def _texts() -> list[tuple[str, Text, str | None]]:
    """Return each text with its file and its context. It takes a second or two, so once in a process."""
    found: list[tuple[str, Text, str | None]] = []
    package, templates = Path(__file__).parents[1], data_folder("templates")
    for path in _sources(package):
        found += _extract("python", path, f"newsletter/{path.relative_to(package).as_posix()}")
    for path in _templates(templates):
        trimmed = {"trim_blocks": "true", "lstrip_blocks": "true"} if "email" in path.parts else {}
        name = f"templates/{path.relative_to(templates).as_posix()}"
        found += _extract("jinja2.ext:babel_extract", path, name, _TEMPLATE_OPTIONS | trimmed)
    return found


def _sources(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if not any(inside.is_relative_to(each) for each in ENGLISH_ONLY):
            yield path


def _templates(folder: Path) -> Iterator[Path]:
    for name in TRANSLATED_TEMPLATES:
        yield from sorted(path for path in (folder / name).rglob("*") if path.suffix in {".html", ".txt"})


def _extract(
    method: str, path: Path, name: str, options: dict[str, str] | None = None
) -> Iterator[tuple[str, Text, str | None]]:
    for _line, text, _comments, context in extract_from_file(
        method, path, keywords=_CALLS, options=options or {}
    ):
        yield name, text, context


def update(language: str) -> list[Message]:
    """Update a language's catalogue; return the texts that still need a translation.

    Unused texts are removed, and new ones are added empty. No translation is guessed from a similar text.
    """
    file = catalogue_file(language)
    with file.open("rb") as source:
        catalogue = read_po(source, locale=language.replace("-", "_"))
    catalogue.update(gather(), no_fuzzy_matching=True)
    _write(catalogue, file)
    return untranslated(catalogue)


def add(code: str, folder: Path = FOLDER) -> tuple[Path, list[Message]]:
    """Create the catalogue of a new language in `folder`; return its file and the texts to translate.

    Raises InputError for a code that CLDR does not know, StateConflict if the language already exists.
    """
    try:
        locale = Locale.parse(code.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError) as fault:
        raise InputError(f"{code} is not a language tag such as pl or pt-BR") from fault
    language = str(locale).replace("_", "-")
    if language in LANGUAGES:
        raise StateConflict(f"{language} exists already. `newsletter language update` adds new texts to it.")
    catalogue = Catalog(locale=locale, charset="utf-8")
    catalogue.update(gather(), no_fuzzy_matching=True)
    file = catalogue_file(language, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(catalogue, file)
    return file, untranslated(catalogue)


def _write(catalogue: Catalog, file: Path) -> None:
    catalogue.header_comment, catalogue.fuzzy = "", False
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=100, include_lineno=False, ignore_obsolete=True)
    file.write_text(_IDLE_HEADERS.sub("", buffer.getvalue().decode("utf-8")), "utf-8")


def untranslated(catalogue: Catalog) -> list[Message]:
    """Return the texts without a translation, or with one that must be checked (fuzzy)."""
    return [message for message in catalogue if message.id and (message.fuzzy or not _is_whole(message))]


def _is_whole(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, (list, tuple)) else bool(message.string)


def languages_to_translate() -> tuple[str, ...]:
    """Return every language that has a catalogue."""
    return tuple(each for each in LANGUAGES if each != SOURCE_LANGUAGE)
