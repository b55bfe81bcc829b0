"""Fill an owner's templates with the values of an issue and its releases, and check what comes out. Pure.

It runs in a process with limits (process.py), which gets its requests from own.py.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from newsletter.isolation.process import Answer
from newsletter.mail.assemble import field
from newsletter.mail.inline import inline_document, inline_fragments
from newsletter.mail.templates import tidy, trimmed
from newsletter.messages.templates.language import Refused, TemplateFault, compile_template, fill
from newsletter.messages.templates.markup import (
    MarkupFault,
    check_markup,
    check_visible,
    clean_markup,
    count_marks,
    images_in,
)
from newsletter.messages.templates.parts import BLOCKS, LOGO, PARTS
from newsletter.messages.templates.styles import check_styles, in_effect

_BLOCK = re.compile("[ \\t]*\ue000([a-z_]+)\ue002[ \\t]*\n?")


class _Faults(Exception):
    def __init__(self, faults: list[TemplateFault]) -> None:
        self.faults = faults
        super().__init__("faults")


def answer(document: bytes, request: Mapping[str, Any]) -> Answer:
    """Return the filled templates, or {"faults": [(part, line, words)]}."""
    try:
        if request["what"] == "check":
            return Answer({"faults": list(_faults_of_sources(request["sources"]))})
        if request["what"] == "visible":
            return Answer({"faults": list(_unseen(request))})
        return Answer(_fill_all(request))
    except _Faults as found:
        return Answer({"faults": found.faults})


def _faults_of_sources(sources: Mapping[str, str]) -> Iterator[TemplateFault]:
    """Yield what is wrong with templates whatever the values are: their language."""
    for part, source in sources.items():
        try:
            compile_template(source, "en", PARTS[part].is_html)
        except Refused as fault:
            yield TemplateFault(part, fault.line, fault.words)


def _unseen(request: Mapping[str, Any]) -> Iterator[TemplateFault]:
    """Yield texts of whole emails that cannot be seen."""
    for page in request["pages"]:
        dark, phone = (inline_document(in_effect(page, each)) for each in ("dark", "max-width"))
        for part, shown in (("styles", page), ("dark_styles", dark), ("dark_styles", phone)):
            for fault in check_visible(shown):
                yield TemplateFault(part, 0, fault.words)


def _fill_all(request: Mapping[str, Any]) -> dict[str, Any]:
    sources, language = request["sources"], request["language"]
    values = {"site": request["site"], "issue": _with_date(request["issue"], "date")}
    styles = _styles(sources, "styles", language, values)
    dark = _styles(sources, "dark_styles", language, values)
    texts: dict[str, str] = {}
    pages: dict[str, str] = dict(request["pieces"])
    for name, facts in request["releases"].items():
        texts[name], pages[f"release {name}"] = _release(sources, language, values, facts)
    inlined = inline_fragments(pages, styles)
    releases = {
        name: {"text": text, "html": inlined.pop(f"release {name}").strip() + "\n"}
        for name, text in texts.items()
    }
    frames = {
        name: _frame(request, language, values, blocks, (styles, dark))
        for name, blocks in request["frames"].items()
    }
    pieces = {name: each.strip() + "\n" for name, each in inlined.items()}
    return {"releases": releases, "pieces": pieces, "frames": frames, "styles": styles}


def _styles(sources: Mapping[str, str], part: str, language: str, values: Mapping[str, Any]) -> str:
    css = _made(sources, part, language, values)
    faults = check_styles(css, with_media=part == "dark_styles")
    if faults:
        raise _Faults([TemplateFault(part, each.line, each.words) for each in faults])
    return css


def _release(
    sources: Mapping[str, str], language: str, values: Mapping[str, Any], facts: Mapping[str, Any]
) -> tuple[str, str]:
    """Return a release as text and as HTML. Its link must be in both."""
    shown = {**values, "release": _with_date(facts, "published_on")}
    text = _made(sources, "release_text", language, shown)
    page = _made(sources, "release_html", language, shown)
    image = facts["image"]["url"] if facts["image"] else ""
    _raise_markup("release_html", sources, check_markup(page, image))
    page = clean_markup(page)
    _raise_images("release_html", images_in(page) - {image})
    for part, made, link in (
        ("release_html", page, f'href="{html.escape(facts["url"])}"'),
        ("release_text", text, facts["url"]),
    ):
        if link not in made:
            words = "The link to the release is missing, or it is changed. Write {{ release.url }}."
            raise _Faults([TemplateFault(part, 0, words)])
    return trimmed(text), page


def _frame(
    request: Mapping[str, Any],
    language: str,
    values: Mapping[str, Any],
    blocks: Mapping[str, Mapping[str, str]],
    styles: tuple[str, str],
) -> dict[str, str]:
    """Return the frame as text and as a whole HTML document, with its blocks in place."""
    sources = request["sources"]
    marks = {name: field(name) for name in blocks["text"]}
    text = _made(sources, "frame_text", language, {**values, **marks})
    found: dict[str, list[tuple[str, ...]]] = {}
    for name in re.findall("\ue000([a-z_]+)\ue002", text):
        found.setdefault(name, []).append(())
    _raise_missing("frame_text", sources, found)
    marks = {name: field(name) for name in blocks["html"]}
    page = _made(sources, "frame_html", language, {**values, **marks})
    _raise_markup("frame_html", sources, check_markup(page))
    page = clean_markup(page)
    _raise_images("frame_html", images_in(page))
    _raise_missing("frame_html", sources, count_marks(page))
    parts = {"style": styles[0], "dark": styles[1], "frame": _placed(page, blocks["html"])}
    document = _BLOCK.sub(lambda mark: parts.get(mark[1], mark[0]), request["shell"])
    return {"text": tidy(_placed(text, blocks["text"])), "html": inline_document(document)}


def _placed(frame: str, blocks: Mapping[str, str]) -> str:
    """Return a frame with its blocks. A block ends in a line break, unless it is empty."""
    return _BLOCK.sub(lambda mark: _line_by_line(mark[0], blocks[mark[1]]), frame)


def _line_by_line(mark: str, block: str) -> str:
    return block if not block or block.endswith("\n") else block + "\n"


def _made(sources: Mapping[str, str], part: str, language: str, values: Mapping[str, Any]) -> str:
    try:
        return fill(sources[part], language, values, is_html=PARTS[part].is_html)
    except Refused as fault:
        raise _Faults([TemplateFault(part, fault.line, fault.words)]) from fault


def _raise_markup(part: str, sources: Mapping[str, str], faults: list[MarkupFault]) -> None:
    if faults:
        source = sources[part]
        raise _Faults([TemplateFault(part, _line_with(source, each.near), each.words) for each in faults])


def _raise_images(part: str, others: set[str]) -> None:
    """Raise _Faults for an image that the check of the HTML as it was written did not see."""
    if others:
        raise _Faults([TemplateFault(part, 0, "An image comes from elsewhere.")])


def _raise_missing(part: str, sources: Mapping[str, str], found: Mapping[str, list[tuple[str, ...]]]) -> None:
    """Raise _Faults if a block does not come out exactly once, or where nobody can use its links."""
    faults = []
    for name, what in BLOCKS.items():
        places = found.get(name, [])
        near = _line_with(sources[part], name)
        if not places:
            words = f"{{{{ {name} }}}} is missing, changed or hidden. It is {what}, and cannot be left out."
            faults.append(TemplateFault(part, near, words))
        elif len(places) > 1:
            faults.append(TemplateFault(part, near, f"{{{{ {name} }}}} comes {len(places)} times, not once."))
        elif "a" in places[0]:
            faults.append(TemplateFault(part, near, f"{{{{ {name} }}}} is inside a link."))
    if len(found.get(LOGO, [])) > 1:
        faults.append(
            TemplateFault(part, _line_with(sources[part], LOGO), "{{ logo }} comes more than once.")
        )
    if faults:
        raise _Faults(faults)


def _line_with(source: str, text: str) -> int:
    """Return the first line of a source that has a text, or 0."""
    at = source.lower().find(text.lower()) if text else -1
    return source.count("\n", 0, at) + 1 if at >= 0 else 0


def _with_date(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    day = values.get(name)
    return {**values, name: date.fromisoformat(day) if day else None}
