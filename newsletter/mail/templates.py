"""Render email templates (Jinja2) to a subject, a plain text and an HTML document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.support import NullTranslations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

from newsletter.languages import parse_language, translations
from newsletter.mail.assemble import Mark
from newsletter.mail.headers import one_line
from newsletter.mail.inline import inline_document, inline_fragments
from newsletter.mail.palette import USUAL, Palette
from newsletter.mail.plaintext import shorten, wrap
from newsletter.mail.transfer_encoding import MARK_CHARACTERS

# The style sheet, a template with the colours of `site.palette`. The layout includes it, and pieces get it
# inlined.
STYLE_SHEET = "style.css"

# A block of a digest ends in a line break, unless it is empty. This character stands after it, and is removed
# together with the line break of the template, so that an empty block leaves no empty line.
_BLOCK_END = "\ue004"
_AFTER_BLOCK = re.compile(f"[ \\t]*{_BLOCK_END}[ \\t]*\n?")

_NO_MARKS = str.maketrans("", "", MARK_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One email: its subject on one line, its text, and its HTML document with inlined styles."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of an email's body, such as one release in a digest."""

    text: str
    html: str


class _Environment(Environment):
    """Jinja2's environment, whose templates share one dict of global names.

    Jinja2 gives each template a ChainMap, and copies it at each rendering. That takes longer than to render a
    short piece. So the globals must be set before the first template is loaded.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return self.globals if d is None else super().make_globals(d)


class TemplateSet:
    """The email templates of one folder: `<name>/{subject.txt,body.txt,body.html}`.

    `catalogue` returns the translations for a language tag. Threads may share a TemplateSet.
    """

    def __init__(self, folder: Path, catalogue: Callable[[str], NullTranslations] = translations) -> None:
        self._folder = folder
        self._catalogue = catalogue
        self._loader = FileSystemLoader(folder)
        self._environments: dict[str, Environment] = {}
        self._styles: dict[Palette, str] = {}

    def render(self, name: str, language: str, context: Mapping[str, Any]) -> Rendered:
        """Return the email `name` in `language` (a tag such as pt-BR).

        Dates are shown in the context's `timezone` (an IANA name), or in UTC without one. Raises
        jinja2.UndefinedError when the context lacks a name that the templates use.
        """
        environment = self._environment(language)
        values = dict(context)
        return Rendered(
            subject=self.render_subject(name, language, values),
            text=tidy(_whole(environment, f"{name}/body.txt", values)),
            html=inline_document(_whole(environment, f"{name}/body.html", values)),
        )

    def render_subject(self, name: str, language: str, context: Mapping[str, Any]) -> str:
        """Return the subject of the email `name`. Raises as `render` does."""
        template = self._environment(language).get_template(f"{name}/subject.txt")
        return one_line(template.render(dict(context)))

    @property
    def folder(self) -> Path:
        """The folder of the templates."""
        return self._folder

    def render_source(self, file: str, language: str, context: Mapping[str, Any]) -> str:
        """Return the output of one template file, without inlined styles. Raises as `render` does."""
        return self._environment(language).get_template(file).render(dict(context))

    def render_piece(self, name: str, language: str, context: Mapping[str, Any]) -> Piece:
        """Return a piece of an email, such as `digest/release`, from `<name>.txt` and `<name>.html`.

        Both end in a line break. Raises as `render` does.
        """
        return self.render_pieces(language, {name: (name, context)})[name]

    def render_pieces(
        self, language: str, wanted: Mapping[str, tuple[str, Mapping[str, Any]]]
    ) -> dict[str, Piece]:
        """Return several pieces, by any names. `wanted` has the template and the context of each."""
        environment = self._environment(language)
        texts, pages = {}, {}
        palette = USUAL
        for key, (name, context) in wanted.items():
            values = dict(context)
            texts[key] = environment.get_template(f"{name}.txt").render(values)
            pages[key] = environment.get_template(f"{name}.html").render(values)
            palette = values["site"].palette
        inlined = inline_fragments(pages, self._style(environment, palette))
        return {key: Piece(trimmed(text), inlined[key].strip() + "\n") for key, text in texts.items()}

    def _style(self, environment: Environment, palette: Palette) -> str:
        known = self._styles.get(palette)
        if known is None:
            site = {"palette": palette}
            known = self._styles[palette] = environment.get_template(STYLE_SHEET).render({"site": site})
        return known

    def _environment(self, language: str) -> Environment:
        if language not in self._environments:
            self._environments[language] = self._make_environment(language)
        return self._environments[language]

    def _make_environment(self, language: str) -> Environment:
        locale = parse_language(language)
        environment = _Environment(
            loader=self._loader,
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
            finalize=without_marks,
        )
        catalogue = self._catalogue(language)
        environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
        environment.filters |= {
            "date": pass_context(partial(_format_date, locale)),
            "time": pass_context(partial(_format_time, locale)),
            "listing": partial(_listing, locale),
            "wrap": wrap,
            "shorten": shorten,
            "paragraphs": paragraphs,
        }
        environment.globals |= {**text_sides(locale), "block": _render_block}
        return environment


def text_sides(locale: Locale) -> dict[str, str]:
    """Return the tag of a language, its direction, and the sides on which its lines start and end."""
    # Old mail programs support left and right only, not start and end.
    start, end = ("right", "left") if locale.text_direction == "rtl" else ("left", "right")
    tag = str(locale).replace("_", "-")
    return {"language": tag, "direction": locale.text_direction, "start": start, "end": end}


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, separated by empty lines. Line breaks inside become spaces."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def without_marks(value: Any) -> Any:
    """Remove mark characters from a value that a template inserts: only `Mark` may insert a placeholder."""
    if isinstance(value, str) and not isinstance(value, Mark):
        return value.translate(_NO_MARKS)
    return value


@pass_context
def _render_block(context: Context, name: str) -> Mark:
    """Return a block of the digest, for a template that shows it as it is, with its marks."""
    template = context.environment.get_template(f"digest/blocks/{name}")
    return Mark(template.render(context.get_all()) + _BLOCK_END)


def _whole(environment: Environment, name: str, values: dict[str, Any]) -> str:
    return _AFTER_BLOCK.sub("", environment.get_template(name).render(values))


def tidy(text: str) -> str:
    """Return a whole text without spaces at the ends of lines and without empty lines around it."""
    return trimmed(text).strip("\n") + "\n"


def trimmed(text: str) -> str:
    """Return a piece's text without spaces at the ends of lines; empty lines stay as in the template."""
    trimmed = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    return trimmed if not trimmed or trimmed.endswith("\n") else trimmed + "\n"


def _local(context: Context, moment: date | datetime) -> date | datetime:
    if not isinstance(moment, datetime):
        return moment
    zone = context.get("timezone")
    return moment.astimezone(ZoneInfo(zone) if zone else UTC)


def _format_date(locale: Locale, context: Context, moment: date | datetime, style: str = "long") -> str:
    return format_date(_local(context, moment), style, locale=locale)


def _format_time(locale: Locale, context: Context, moment: datetime, style: str = "short") -> str:
    zone = context.get("timezone")
    return format_time(moment, style, tzinfo=ZoneInfo(zone) if zone else UTC, locale=locale)


def _listing(locale: Locale, names: list[str]) -> str | Markup:
    return format_list(list(names), locale=locale)
