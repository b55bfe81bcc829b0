"""Join lines that were wrapped at a fixed width into paragraphs; leave other texts unchanged. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from newsletter.ingest.press.clean import Line
from newsletter.ingest.press.lines.shape import ends_sentence, is_bullet, is_capitals, starts_small

_WIDEST = 130
_NARROWEST = 40
_SLACK = 10


def wrap_width(lines: Sequence[Line]) -> int | None:
    """Return the width at which `lines` were wrapped, or None if they were not.

    Text is wrapped if most lines are full. A line is full if the first word of the next line would make it
    longer than about that width.
    """
    inner = [(line, after) for line, after in pairwise(lines) if not after.gap and not is_bullet(after.text)]
    lengths = sorted(len(line.text) for line, _ in inner)
    if len(inner) < 3:
        return None
    # A wrapped text may have a few longer lines, such as a URL.
    width = lengths[max(0, len(lengths) - 1 - len(lengths) // 20)]
    if not _NARROWEST <= width <= _WIDEST:
        return None
    if sum(len(line.text) > width + 20 for line in lines) * 20 > len(lines):
        return None
    long_enough = [pair for pair in inner if len(pair[0].text) > width * 0.55]
    full = sum(_is_full(line.text, after.text, width) for line, after in long_enough)
    open_ends = sum(not ends_sentence(line.text) for line, _ in long_enough)
    wrapped = (
        len(long_enough) >= 3 and full * 10 >= len(long_enough) * 7 and open_ends * 2 >= len(long_enough)
    )
    return width if wrapped else None


def _is_full(text: str, after: str, width: int) -> bool:
    first = after.split(" ", 1)[0]
    if len(first) > 20:  # a script without spaces can break anywhere
        return len(text) >= width - 4
    return len(text) + 1 + len(first) > width - _SLACK


def unwrap(lines: Sequence[Line], stands_alone: Callable[[str], bool]) -> list[Line]:
    """Return `lines`, with the lines of one paragraph joined.

    `stands_alone` returns whether a line is never part of a paragraph, such as a date, a name or furniture.
    """
    width = wrap_width(lines)
    joined: list[list[str]] = []
    heads: list[Line] = []
    before: Line | None = None
    for line in lines:
        if before is not None and _goes_on(before, line, width, stands_alone):
            joined[-1].append(line.text)
        else:
            joined.append([line.text])
            heads.append(line)
        before = line
    return [
        head if len(parts) == 1 else Line(_join(parts), head.gap, head.indent)
        for head, parts in zip(heads, joined, strict=True)
    ]


def _goes_on(before: Line, line: Line, width: int | None, stands_alone: Callable[[str], bool]) -> bool:
    """Return whether `line` continues the paragraph of `before`."""
    if is_bullet(line.text) and not (width and _mid_sentence(before, line)):
        return False
    if width is None or line.gap:
        return _mid_sentence(before, line) and not stands_alone(before.text) and not line.gap
    if line.indent >= before.indent + 2 and not is_bullet(before.text):
        return False
    full = _is_full(before.text, line.text, width) or _mid_sentence(before, line)
    if not full or is_capitals(before.text) != is_capitals(line.text):
        return False
    return not stands_alone(before.text) and not stands_alone(line.text)


def _mid_sentence(before: Line, line: Line) -> bool:
    """Return whether the break between two lines is inside a sentence, whatever the width."""
    text = before.text
    if len(text) < _NARROWEST or ends_sentence(text) or text[-1] in ":;|" or is_bullet(line.text):
        return False
    return starts_small(line.text) and not is_bullet(text)


def _join(parts: list[str]) -> str:
    """Join the parts to one line, without a space after a hyphen or between characters of Han and kana."""
    text = parts[0]
    pieces = [text]
    for part in parts[1:]:
        last = pieces[-1][-1:]
        glued = last == "-" or ("\u3000" <= last <= "\u9fff" and "\u3000" <= part[:1] <= "\u9fff")
        pieces.append(part if glued else f" {part}")
    return "".join(pieces)
