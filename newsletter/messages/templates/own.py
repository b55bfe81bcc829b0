"""Fill the pieces and frames of a digest: with the usual templates, or with those of the owner."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any, NamedTuple

from newsletter.errors import TemplateInvalid
from newsletter.mail.assemble import field
from newsletter.mail.templates import Piece, TemplateSet, trimmed
from newsletter.messages.templates.parts import BLOCKS, LOGO, OwnTemplates, usual_sources
from newsletter.messages.templates.process import TemplateProcess

# Releases of one request, so that an issue of any size stays within the limits of the process.
RELEASES_AT_ONCE = 100
RELEASE = "digest/release"
_MARK = re.compile("([\ue000\ue001])([a-z_]+)\ue002")
# The only block in which the frame of a digest with all its releases differs from that of a shorter one.
_DIFFERS = "more"
_PALETTE = ("accent", "on_accent", "dark_accent", "on_dark_accent")


class Wanted(NamedTuple):
    """A piece to fill: the name of its usual template, and its values."""

    template: str
    context: Mapping[str, Any]


class Filled(NamedTuple):
    """Pieces and whole frames as text and HTML, by the names under which they were asked for."""

    pieces: Mapping[str, Piece]
    frames: Mapping[str, Piece]


def fill_usual(
    templates: TemplateSet,
    language: str,
    pieces: Mapping[str, Wanted],
    frames: Mapping[str, Mapping[str, Any]],
) -> Filled:
    """Return the pieces and frames with the usual templates."""
    made = templates.render_pieces(language, pieces)
    wholes = {name: templates.render("digest", language, context) for name, context in frames.items()}
    return Filled(made, {name: Piece(each.text, each.html) for name, each in wholes.items()})


def fill_own(
    process: TemplateProcess,
    templates: TemplateSet,
    own: OwnTemplates,
    language: str,
    pieces: Mapping[str, Wanted],
    frames: Mapping[str, Mapping[str, Any]],
) -> Filled:
    """Return the pieces and frames with the owner's templates. Raises TemplateInvalid."""
    releases = {name: each for name, each in pieces.items() if each.template == RELEASE}
    others = {name: each for name, each in pieces.items() if each.template != RELEASE}
    some = next(iter([*(each.context for each in pieces.values()), *frames.values()]), None)
    if some is None:
        return Filled({}, {})
    texts, pages = {}, {}
    for name, wanted in others.items():
        texts[name] = templates.render_source(f"{wanted.template}.txt", language, wanted.context)
        pages[name] = templates.render_source(f"{wanted.template}.html", language, wanted.context)
    shell = _shell(templates, language, frames)
    blocks = _blocks_of(templates, language, frames)
    request: dict[str, Any] = {
        "what": "fill",
        "language": language,
        "sources": {**usual_sources(templates.folder), **own.sources},
        "site": _site(some["site"]),
        "issue": _issue(some["issue"]),
        "pieces": pages,
        "frames": blocks,
        "shell": shell,
    }
    made: dict[str, Piece] = {}
    wholes: dict[str, Piece] = {}
    for some_releases in _parts_of(releases):
        facts = {name: _release(each.context["release"]) for name, each in some_releases.items()}
        answer = process.ask({**request, "releases": facts})
        made |= {name: Piece(each["text"], each["html"]) for name, each in answer["releases"].items()}
        made |= {name: Piece(trimmed(texts[name]), page) for name, page in answer["pieces"].items()}
        for name, each in answer["frames"].items():
            _check_marks(blocks[name], shell, each)
            wholes[name] = Piece(each["text"], each["html"])
        request |= {"pieces": {}, "frames": {}}
    return Filled(made, wholes)


def _parts_of(releases: Mapping[str, Wanted]) -> Iterator[dict[str, Wanted]]:
    """Yield the releases in parts; once without any, if there are none."""
    rest = iter(releases.items())
    yield dict(islice(rest, RELEASES_AT_ONCE))
    while some := dict(islice(rest, RELEASES_AT_ONCE)):
        yield some


def _blocks_of(
    templates: TemplateSet, language: str, frames: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, dict[str, str]]]:
    """Return the blocks of each frame by their names, as HTML and as text. Frames differ in one block."""
    made: dict[str, dict[str, dict[str, str]]] = {}
    shared: dict[str, dict[str, str]] = {"html": {}, "text": {}}
    for frame, context in frames.items():
        for kind, ending, names in (("html", "html", (*BLOCKS, LOGO)), ("text", "txt", tuple(BLOCKS))):
            for name in names:
                if name == _DIFFERS or name not in shared[kind]:
                    file = f"digest/blocks/{name}.{ending}"
                    shared[kind][name] = templates.render_source(file, language, context)
        made[frame] = {kind: dict(blocks) for kind, blocks in shared.items()}
    return made


def _shell(templates: TemplateSet, language: str, frames: Mapping[str, Mapping[str, Any]]) -> str:
    context = next(iter(frames.values()), None)
    if context is None:
        return ""
    places = {name: field(name) for name in ("frame", "style", "dark")}
    return templates.render_source("digest/shell.html", language, {**context, **places})


def _site(site: Any) -> dict[str, Any]:
    palette = {name: getattr(site.palette, name) for name in _PALETTE}
    return {
        "name": site.name,
        "tagline": site.tagline,
        "public_url": site.public_url,
        "home_url": site.home_url,
        "palette": palette,
    }


def _issue(issue: Any) -> dict[str, Any]:
    return {
        "title": issue.title,
        "date": issue.date.isoformat(),
        "is_test": issue.is_test,
        "is_urgent": issue.is_urgent,
    }


def _release(release: Any) -> dict[str, Any]:
    day = release.published_on
    return {**asdict(release), "start": release.start, "published_on": day.isoformat() if day else None}


def _check_marks(blocks: Mapping[str, Any], shell: str, made: Mapping[str, str]) -> None:
    """Raise TemplateInvalid unless each mark of the blocks is in a frame as often as in the usual one.

    The process that fills templates has checked this too. But its answer is not trusted with the links by
    which people unsubscribe.
    """
    for kind, around in (("html", shell), ("text", "")):
        expected = Counter(_MARK.findall(around)) + Counter(
            mark for block in blocks[kind].values() for mark in _MARK.findall(block)
        )
        for place in ("frame", "style", "dark"):
            expected.pop(("\ue000", place), None)
        if Counter(_MARK.findall(made[kind])) != expected:
            words = "The links of a subscriber do not come out exactly once and unchanged."
            raise TemplateInvalid([(f"frame_{kind}", 0, words)])
