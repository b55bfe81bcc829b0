"""Check the style sheets and the style attributes of an owner's templates. Pure.

A list of allowed properties is safer than one of forbidden ones. No allowed property hides a text or loads
something from another host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Smaller text cannot be read on a phone.
SMALLEST_PIXELS = 10
NARROWEST_PIXELS = 40
# The lowest line, as a part of the height of its text.
LOWEST_LINE = 0.9
PHONE_PIXELS = 375
_ALLOWED = {
    "background", "background-color", "border", "border-bottom", "border-bottom-color",
    "border-bottom-style", "border-bottom-width", "border-collapse", "border-color", "border-left",
    "border-left-color", "border-left-style", "border-left-width", "border-radius", "border-right",
    "border-right-color", "border-right-style", "border-right-width", "border-spacing", "border-style",
    "border-top", "border-top-color", "border-top-style", "border-top-width", "border-width", "color",
    "direction", "display", "font", "font-family", "font-size", "font-style", "font-variant", "font-weight",
    "height", "hyphens", "letter-spacing", "line-height", "list-style", "list-style-type", "margin",
    "margin-bottom",
    "margin-left", "margin-right", "margin-top", "max-width", "min-width", "padding", "padding-bottom",
    "padding-left", "padding-right", "padding-top", "text-align", "text-decoration", "text-transform",
    "vertical-align", "white-space", "width", "word-break", "word-spacing", "overflow-wrap",
    "-webkit-text-size-adjust", "mso-line-height-rule", "mso-table-lspace", "mso-table-rspace",
}  # fmt: skip
_DISPLAYS = {"block", "inline", "inline-block", "list-item", "table", "table-cell", "table-row"}
_BACKGROUNDS = {"none", "transparent", "inherit"}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NAME_IN_QUOTES = re.compile(r"\"[A-Za-z0-9 .-]*\"|'[A-Za-z0-9 .-]*'")
_MEDIA = re.compile(r"@media[^{};@]*\{")
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_NUMBER = re.compile(r"(-?\d*\.?\d+)([a-z%]*)", re.IGNORECASE)
_PIXELS = {"px": 1.0, "pt": 4 / 3, "em": 16.0, "rem": 16.0, "%": 0.16}


class StyleFault(NamedTuple):
    """What is wrong at a line."""

    line: int
    words: str


def check_styles(css: str, *, with_media: bool) -> list[StyleFault]:
    """Return what is wrong with a style sheet. `with_media` allows @media rules."""
    text = _without_comments(css)
    found = list(_forbidden(text))
    if found:
        return found
    text = _NAME_IN_QUOTES.sub("name", text)
    if with_media:
        text = _unwrapped(text)
    for rule in _RULE.finditer(text):
        line = _line(text, rule.start(2))
        found += [
            StyleFault(line + each.line - 1, each.words) for each in check_declarations(rule[2], quick=True)
        ]
        if "@" in rule[1]:
            words = "Of the rules with @, only @media is allowed, and only in the styles for dark mode."
            found.append(StyleFault(_line(text, rule.start(1) + rule[1].index("@")), words))
    rest = _RULE.sub("", text)
    if not found and rest.strip():
        found.append(StyleFault(_line(text, text.find(rest.strip()[:1])), "A brace has no partner here."))
    return found


def in_effect(page: str, condition: str) -> str:
    """Return an email in which the @media rules with a condition, such as `dark`, are always in effect."""
    return _unwrapped(page, condition)


def check_declarations(style: str, *, quick: bool = False) -> list[StyleFault]:
    """Return what is wrong with declarations, such as those of a style attribute.

    With `quick`, comments and forbidden parts are not looked for, because the caller did that.
    """
    text = style if quick else _without_comments(style)
    found = [] if quick else list(_forbidden(text))
    if found:
        return found
    text = _NAME_IN_QUOTES.sub("name", text)
    place = 0
    for declaration in text.split(";"):
        name, colon, value = declaration.partition(":")
        words = ""
        if declaration.strip() and not colon:
            words = f"“{declaration.strip()[:40]}” is no declaration."
        elif declaration.strip():
            words = _fault_of(name.strip().lower(), value.replace("!important", "").strip().lower())
        if words:
            begin = place + len(declaration) - len(declaration.lstrip())
            found.append(StyleFault(_line(text, begin), words))
        place += len(declaration) + 1
    return found


def _fault_of(name: str, value: str) -> str:
    """Return a sentence that says why a declaration is not allowed, or nothing."""
    if name not in _ALLOWED:
        return f"The property “{name[:40]}” is not allowed."
    if name == "height":
        return "" if value == "auto" else "A height can only be “auto”, so that no line is cut off."
    if not value:
        return f"The property “{name}” has no value."
    if name in {"font", "font-size"}:
        return _fault_of_size(name, value)
    words = ""
    if name == "display" and value not in _DISPLAYS:
        words = f"“display: {value[:40]}” is not allowed, because it could hide a line that must be seen."
    elif name == "color" and not _HEX.fullmatch(value) and value != "inherit":
        words = "Give the colour of text as # and three or six digits."
    elif name in {"background", "background-color"}:
        words = "" if _HEX.fullmatch(value) or value in _BACKGROUNDS else "A background must be one colour."
    else:
        numbers = [(float(number), unit) for number, unit in _NUMBER.findall(_HEX.sub("", value))]
        words = _fault_of_numbers(name, numbers)
    return words


def _fault_of_numbers(name: str, numbers: list[tuple[float, str]]) -> str:
    """Return why a line could be moved away, or become too small to read, or nothing."""
    if name.startswith(("margin", "padding")) and any(number < 0 for number, _ in numbers):
        return f"“{name}” cannot be negative, because it could move a line that must be seen."
    spacing = name in {"letter-spacing", "word-spacing"}
    if (
        (name == "line-height" and any(_height(*each) < LOWEST_LINE for each in numbers))
        or (spacing and any(_pixels(*each) < -1 for each in numbers))
        or (name in {"width", "max-width"} and any(_wide(*each) < NARROWEST_PIXELS for each in numbers))
    ):
        return f"“{name}” is too small to read what it applies to."
    return ""


def _fault_of_size(name: str, value: str) -> str:
    if name == "font-size" and not _NUMBER.fullmatch(value):
        return "" if value in {"small", "medium", "large", "inherit"} else "Give the size of text in px."
    size = value.partition("/")[0] if name == "font" else value
    sizes = [_pixels(float(number), unit) for number, unit in _NUMBER.findall(size) if unit or number == "0"]
    if name == "font" and not sizes:
        return "Give the size of text in px."
    if any(each < SMALLEST_PIXELS for each in sizes):
        return f"Text of less than {SMALLEST_PIXELS} px is too small to read."
    height = re.match(r"\s*(\d*\.?\d+)([a-z%]*)", value.partition("/")[2])
    if height and _height(float(height[1]), height[2]) < LOWEST_LINE:
        return "“line-height” is too small to read."
    return ""


def _pixels(number: float, unit: str) -> float:
    return number * _PIXELS.get(unit.lower(), 1.0)


def _wide(number: float, unit: str) -> float:
    """Return a width in pixels; shares are those of a phone."""
    return number * PHONE_PIXELS / 100 if unit == "%" else _pixels(number, unit)


def _height(number: float, unit: str) -> float:
    """Return the height of a line in lines of text, roughly."""
    return _pixels(number, unit) / SMALLEST_PIXELS if unit in {"px", "pt"} else _share(number, unit)


def _share(number: float, unit: str) -> float:
    return number / 100 if unit == "%" else number


def _forbidden(text: str) -> Iterator[StyleFault]:
    """Yield what no style may have, because it loads something or ends the style sheet."""
    rest = _NAME_IN_QUOTES.sub(lambda found: " " * len(found[0]), text)
    for mark, words in (
        ("/*", "This comment has no end."),
        ("\\", "A backslash is not allowed in styles."),
        ("<", "“<” is not allowed in styles."),
        ("(", "Functions such as url() are not allowed in styles: nothing is loaded from elsewhere."),
        ("@import", "Nothing is loaded from elsewhere, so @import is not allowed."),
        ("@font-face", "Nothing is loaded from elsewhere, so @font-face is not allowed."),
        ('"', "A name in quotes can have a to z, digits, spaces, dots and hyphens only."),
        ("'", "A name in quotes can have a to z, digits, spaces, dots and hyphens only."),
    ):
        at = _without_media(rest).lower().find(mark)
        if at >= 0:
            yield StyleFault(_line(rest, at), words)


def _without_media(text: str) -> str:
    """Return a text in which the conditions of @media rules are spaces: they have parentheses."""
    return _MEDIA.sub(lambda found: re.sub(r"[()]", " ", found[0]), text)


def _unwrapped(text: str, condition: str = "") -> str:
    """Return a style sheet in which the rules of each @media rule with this condition always apply."""
    made = ""
    at = 0
    for found in _MEDIA.finditer(text):
        if found.start() < at or condition not in found[0]:
            continue
        end = _end_of_block(text, found.end())
        made += text[at : found.start()] + re.sub(r"\S", " ", found[0]) + text[found.end() : end] + " "
        at = end + 1
    return made + text[at:]


def _end_of_block(text: str, at: int) -> int:
    """Return the place of the brace that ends the block in which `at` is."""
    depth = 0
    for place in range(at, len(text)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            if depth == 0:
                return place
            depth -= 1
    return len(text)


def _without_comments(text: str) -> str:
    return _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, max(place, 0)) + 1
