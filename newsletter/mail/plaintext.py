"""Wrap plain text to lines of a fixed width. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from wcwidth import iter_graphemes
from wcwidth import width as width_of

WIDTH = 72

# Punctuation that would stand oddly before an ellipsis.
_DANGLING = " ,;:.-–—"
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
        if word.isascii() or not any(_is_wide(char) for char in word):
            if word:
                yield True, word
            continue
        run, last, space = "", "", True
        # A character with its accents, and an emoji of several parts, are one cluster. It is never split.
        for cluster in iter_graphemes(word):
            # Closing punctuation stays with the text before it, and opening punctuation with the text after.
            closes = unicodedata.category(cluster[0]) in {"Pe", "Pf", "Po", "Mn", "Mc", "Lm"}
            opened = bool(last) and unicodedata.category(last[0]) in {"Ps", "Pi"}
            narrow = bool(last) and not _is_wide(cluster) and not _is_wide(last)
            if run and not closes and not opened and not narrow:
                yield space, run
                run, space = "", False
            run += cluster
            last = cluster
        yield space, run


def shorten(text: str, width: int) -> str:
    """Return `text` on one line of at most `width` columns.

    If it is longer, it is cut after a word and ends in an ellipsis. A word that alone is too long is cut
    between two characters.
    """
    line = " ".join(text.split())
    if columns(line) <= width:
        return line
    kept = ""
    for space, token in _tokens(line):
        longer = f"{kept} {token}" if space and kept else kept + token
        if columns(longer) > width - 1:
            break
        kept = longer
    if not kept:
        for cluster in iter_graphemes(line):
            if columns(kept + cluster) > width - 1:
                break
            kept += cluster
    return kept.rstrip(_DANGLING) + "…"


def columns(text: str) -> int:
    """Return how many columns `text` takes in a fixed-width font."""
    return len(text) if text.isascii() else width_of(text)


def _is_wide(cluster: str) -> bool:
    return cluster > "\u10ff" and width_of(cluster) > 1
