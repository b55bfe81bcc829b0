"""Check and clean the HTML that an owner's template has made. Pure.

The texts of releases come from other sites. So the HTML is cleaned each time, by a library that knows how
browsers read it, and not only when the template is saved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from typing import NamedTuple

import nh3

from newsletter.mail.palette import contrast
from newsletter.messages.templates.styles import SMALLEST_PIXELS, check_declarations

# Text needs this contrast to its background, as large text does (WCAG 2.2, 1.4.3).
LEAST_CONTRAST = 3.0

_TAGS = {
    "a", "b", "blockquote", "br", "code", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "li",
    "ol", "p", "pre", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "u", "ul",
}  # fmt: skip
_EVERYWHERE = frozenset({"align", "class", "dir", "lang", "style", "title", "valign", "role"})
_ATTRIBUTES = {
    "a": {"href"},
    "ol": {"start"},
    "table": {"border", "cellpadding", "cellspacing", "width"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "width"},
    "th": {"colspan", "rowspan", "width"},
}
_SCHEMES = {"http", "https", "mailto"}
_CLEANER = nh3.Cleaner(
    tags=_TAGS | {"img"},
    attributes={"*": set(_EVERYWHERE), **_ATTRIBUTES},
    url_schemes=_SCHEMES,
    url_relative="deny",
    link_rel=None,
    clean_content_tags={"script", "style"},
)
_EMPTY = frozenset({"br", "hr", "img", "meta", "link", "input", "wbr"})
_UNSEEN = frozenset({"head", "style", "title", "script", "template", "noscript"})
_SIZE = re.compile(r"(\d*\.?\d+)(px|pt|em|rem|%)")
_COLOUR = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b", re.IGNORECASE)


class MarkupFault(NamedTuple):
    """What is wrong. `near` is the text of the HTML at which it was found, to find it in the template."""

    near: str
    words: str


def clean_markup(html: str) -> str:
    """Return HTML with nothing but allowed elements, attributes and links."""
    return _CLEANER.clean(html)


def check_markup(html: str, image: str = "") -> list[MarkupFault]:
    """Return what cleaning would remove from a fragment, and styles that are not allowed.

    `image` is the URL of the only image that it may show.
    """
    reader = _Checker(image)
    reader.feed(html)
    reader.close()
    return reader.faults


def images_in(html: str) -> set[str]:
    """Return the URLs of the images in cleaned HTML; "" for one without a URL."""
    tags = re.findall(r"<img\b[^>]*>", html)
    found = (re.search(r'\bsrc="([^"]*)"', tag) for tag in tags)
    return {unescape(each[1]) if each else "" for each in found}


def count_marks(html: str) -> Mapping[str, list[tuple[str, ...]]]:
    """Return where each mark stands in the text of cleaned HTML: the elements around it, by its name."""
    reader = _MarkFinder()
    reader.feed(html)
    reader.close()
    return reader.found


def check_visible(html: str) -> list[MarkupFault]:
    """Return texts of a whole email, with inlined styles, that cannot be seen in light mode."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.faults[:5]


class _Checker(HTMLParser):
    """Collects what is not allowed."""

    def __init__(self, image: str) -> None:
        super().__init__()
        self.faults: list[MarkupFault] = []
        self._image = image

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_image = tag == "img" and bool(self._image) and dict(attrs).get("src") == self._image
        if tag not in _TAGS and not is_image:
            why = {
                "img": "Images would come from elsewhere, so they are not allowed. The logo is {{ logo }}.",
                "style": "Styles belong into their own part.",
            }
            words = why.get(tag, f"The element <{tag[:20]}> is not allowed.")
            self.faults.append(MarkupFault(f"<{tag}", words))
            return
        for name, value in attrs:
            self._check_attribute(tag, name, value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_comment(self, data: str) -> None:
        words = "HTML comments are not allowed, because they can hide a line. Write {# ... #}."
        self.faults.append(MarkupFault("<!--", words))

    def handle_decl(self, decl: str) -> None:
        self.faults.append(MarkupFault("<!", "The frame goes into a document of ours, so it has no doctype."))

    def unknown_decl(self, data: str) -> None:
        self.faults.append(MarkupFault("<![", "This is not allowed in HTML."))

    def handle_pi(self, data: str) -> None:
        self.faults.append(MarkupFault("<?", "This is not allowed in HTML."))

    def _check_attribute(self, tag: str, name: str, value: str) -> None:
        if name not in _EVERYWHERE and name not in _ATTRIBUTES.get(tag, set()):
            words = f"The attribute “{name[:20]}” is not allowed in <{tag}>."
            self.faults.append(MarkupFault(name, words))
        elif name == "class" and "preheader" in value.lower():
            words = "The class “preheader” hides a text, so it is not allowed."
            self.faults.append(MarkupFault("preheader", words))
        elif name == "style":
            faults = check_declarations(value)
            self.faults += [MarkupFault("style=", each.words) for each in faults]
        elif name == "href":
            scheme = value.strip().partition(":")[0].lower()
            if scheme not in _SCHEMES:
                words = "A link must begin with https://, http:// or mailto:."
                self.faults.append(MarkupFault(value[:40] or "href", words))
        elif name == "width" and re.fullmatch(r"0*[0-9]?(px|%)?", value.strip()):
            words = "This width is too small to read what is in it."
            self.faults.append(MarkupFault("width", words))


class _MarkFinder(HTMLParser):
    """Finds marks in texts, with the elements around them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[tuple[str, ...]]] = {}
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        for name in re.findall("\ue000([a-z_]+)\ue002", data):
            self.found.setdefault(name, []).append(tuple(self._open))


class _Look(NamedTuple):
    """The inherited look of an element."""

    tag: str
    color: str
    background: str
    pixels: float
    is_seen: bool


class _Reader(HTMLParser):
    """Follows colours and sizes from element to element, and collects texts that cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[MarkupFault] = []
        self._open = [_Look("", "#000000", "#ffffff", 16, is_seen=True)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _EMPTY:
            return
        values = dict(attrs)
        self._open.append(_look_of(self._open[-1], tag, values.get("style") or "", values.get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        if any(each.tag == tag for each in self._open):
            while self._open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        look = self._open[-1]
        if not look.is_seen or not data.strip():
            return
        text = " ".join(data.split())[:40]
        found = contrast(look.color, look.background)
        if found < LEAST_CONTRAST:
            words = (
                f"“{text}” has the colour {look.color} on {look.background}, a contrast of {found:.1f}:1. "
                f"It needs {LEAST_CONTRAST:.0f}:1."
            )
            self.faults.append(MarkupFault("", words))
        elif look.pixels < SMALLEST_PIXELS:
            words = f"“{text}” has a size of {look.pixels:.0f} px. It needs {SMALLEST_PIXELS} px."
            self.faults.append(MarkupFault("", words))


def _look_of(outer: _Look, tag: str, style: str, classes: str) -> _Look:
    color, background, pixels = outer.color, outer.background, outer.pixels
    # Only our own document has the class, for the line that email programs show beside the subject.
    seen = outer.is_seen and tag not in _UNSEEN and not (tag == "div" and classes == "preheader")
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        colours = _COLOUR.findall(value)
        if name == "color" and colours:
            color = _long(colours[0])
        elif name in {"background", "background-color"} and colours:
            background = _long(colours[0])
        elif name in {"font", "font-size"}:
            size = _SIZE.search(value.partition("/")[0])
            pixels = _pixels(size[1], size[2], outer.pixels) if size else pixels
    if tag == "small" and "font-size" not in style:
        pixels *= 0.83
    return _Look(tag, color, background, pixels, seen)


def _pixels(number: str, unit: str, outer: float) -> float:
    factor = {"px": 1.0, "pt": 4 / 3, "em": outer, "rem": 16.0, "%": outer / 100}[unit]
    return float(number) * factor


def _long(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(digit * 2 for digit in colour[1:])
