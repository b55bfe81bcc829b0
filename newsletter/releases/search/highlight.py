"""Choose the part of a text to show for a hit, and mark the words of the query in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.releases.fold import fold
from newsletter.releases.search.words import LONGEST_WORD, runs

# The characters before the first hit, and in the whole part.
BEFORE, LENGTH = 60, 240
# Where a hit is looked for: reading all of a megabyte would take too long for a list.
READ = 20_000


@dataclass(frozen=True)
class Part:
    """A piece of text, and whether it is a word of the query."""

    text: str
    is_hit: bool = False


def mark(text: str, words: Sequence[str]) -> list[Part]:
    """Return the whole text in parts, with the words of the query marked."""
    parts: list[Part] = []
    at = 0
    for start, end in _hits(text, words):
        if start > at:
            parts.append(Part(text[at:start]))
        parts.append(Part(text[start:end], is_hit=True))
        at = end
    if at < len(text):
        parts.append(Part(text[at:]))
    return parts


def excerpt(text: str, words: Sequence[str]) -> list[Part]:
    """Return the part of a text around the first hit, marked. Without a hit it is the beginning."""
    text = " ".join(text[:READ].split())
    first = next(iter(_hits(text, words)), (0, 0))[0]
    start = max(0, first - BEFORE)
    if start:
        # Not within a word, unless the script has no spaces.
        space = text.find(" ", start, first)
        start = space + 1 if space >= 0 else start
    shown = text[start : start + LENGTH]
    if start + LENGTH < len(text):
        cut = shown.rfind(" ", LENGTH // 2)
        shown = (shown[:cut] if cut >= 0 else shown).rstrip() + " …"
    return mark(("… " if start else "") + shown, words)


def _hits(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the start and end of each hit, in order, joined where they touch."""
    wanted = frozenset(words)
    places: list[list[int]] = []
    for start, end in _places(text, wanted):
        if places and start <= places[-1][1]:
            places[-1][1] = max(places[-1][1], end)
        else:
            places.append([start, end])
    return [(start, end) for start, end in places]


def _places(text: str, wanted: frozenset[str]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    longest = max(map(len, wanted), default=0)
    for token in runs().finditer(text):
        run, start = token[0], token.start()
        if token.lastgroup != "inside":
            if fold(run)[:LONGEST_WORD] in wanted:
                found.append((start, token.end()))
            continue
        for at in range(len(run)):
            for size in range(1, min(longest, 2) + 1):
                if at + size <= len(run) and fold(run[at : at + size]) in wanted:
                    found.append((start + at, start + at + size))
    return sorted(found)
