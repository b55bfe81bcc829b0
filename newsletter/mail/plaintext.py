"""Wrap plain text to lines of a fixed width. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

WIDTH = 72

_SPACES = re.compile(r"[ \t\n\r\f\v]+")


def wrap(text: str, width: int = WIDTH, indent: str = "", hang: str | None = None) -> str:
    """Return `text` as lines of at most `width` columns. Line breaks stay; runs of spaces become one.

    `indent` goes before the first line, `hang` (by default the same) before the others. Wide characters of
    East Asian scripts take two columns, and a line may end between them. A word or link that is too long is
    not split.
    """
    rest = indent if hang is None else hang
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n"):
        lines += _wrapped(paragraph, width, rest if lines else indent, rest)
    return "\n".join(lines)


def _wrapped(paragraph: str, width: int, indent: str, hang: str) -> list[str]:
    lines: list[str] = []
    line, used, empty = indent, columns(indent), True
    for space, token in _tokens(paragraph):
        size = columns(token)
        gap = 1 if space and not empty else 0
        if not empty and used + gap + size > width:
            lines.append(line)
            line, used, gap = hang, columns(hang), 0
        line += " " * gap + token
        used += gap + size
        empty = False
    return [*lines, line.rstrip() if empty else line]


def _tokens(paragraph: str) -> Iterator[tuple[bool, str]]:
    """Yield the pieces that must not be split, each with whether a space comes before it."""
    for word in _SPACES.split(paragraph.strip()):
        if not any(_is_wide(char) for char in word):
            if word:
                yield True, word
            continue
        run, space = "", True
        for char in word:
            # Closing punctuation stays with the text before it, and opening punctuation with the text after.
            closes = unicodedata.category(char) in {"Pe", "Pf", "Po", "Mn", "Mc", "Lm"}
            opened = bool(run) and unicodedata.category(run[-1]) in {"Ps", "Pi"}
            narrow = bool(run) and not _is_wide(char) and not _is_wide(run[-1])
            if run and not closes and not opened and not narrow:
                yield space, run
                run, space = "", False
            run += char
        yield space, run


def columns(text: str) -> int:
    """Return how many columns `text` takes in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if _is_wide(char) else 1 for char in text)


def _is_wide(char: str) -> bool:
    return char > "\u10ff" and unicodedata.east_asian_width(char) in "WF"
