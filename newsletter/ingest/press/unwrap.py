"""Join lines that were wrapped at a fixed width into paragraphs; leave other texts unchanged. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from newsletter.ingest.press.clean import RawLine
from newsletter.ingest.press.lines.furniture import Kind
from newsletter.ingest.press.lines.line import INSIDE, NAME, Line, classify, read_as_text
from newsletter.ingest.press.lines.shape import ends_question, ends_sentence, is_capitals, starts_small

# Only the lines at both ends of a text are looked at closely, which takes 0.2 ms a line. No release has more.
_CLASSIFIED_AT_EACH_END = 1_000
_WIDEST = 130
_NARROWEST = 40
_NARROWEST_ASIAN = 24
_SLACK = 10
_LONG_ITEM = 45
_FEWEST_CELLS = 2
_CELL_SLACK = 4
# A paragraph begins with "(HALDEN) – " or "PORT HALDEN, Calif. -- ".
_PLACE = re.compile(r"\(?[A-Z]{3,}[\w,. ]{0,30}\)? [–—-]{1,2} \S")


def read_lines(raw: Sequence[RawLine]) -> list[Line]:
    """Return the lines of a text, classified, with the lines of one paragraph joined."""
    head = raw[:_CLASSIFIED_AT_EACH_END]
    tail = raw[max(len(head), len(raw) - _CLASSIFIED_AT_EACH_END) :]
    inside = raw[len(head) : len(raw) - len(tail)]
    known = {line: classify(line) for line in {*head, *tail}}
    return unwrap(
        [*(known[line] for line in head), *map(read_as_text, inside), *(known[line] for line in tail)]
    )


def wrap_width(lines: Sequence[Line]) -> int | None:
    """Return the width at which `lines` were wrapped, or None if they were not.

    Text is wrapped if most lines are full. A line is full if the first word of the next line would make it
    longer than about that width.
    """
    inner = [(line, after) for line, after in pairwise(lines) if not after.gap and not after.bullet]
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


def _asian_width(lines: Sequence[Line]) -> int | None:
    """Return the width of wrapped Chinese or Japanese text: at least two lines have just this width."""
    lengths = sorted((len(line.text) for line in lines if _is_asian(line.text[-1])), reverse=True)
    lengths = [length for length in lengths if length >= _NARROWEST_ASIAN]
    if len(lengths) < 2 or lengths[0] > _WIDEST:
        return None
    return lengths[0] if lengths[1] >= lengths[0] - 1 else None


def _is_full(text: str, after: str, width: int) -> bool:
    first = after.split(" ", 1)[0]
    if len(first) > 20:  # a script without spaces can break anywhere
        return len(text) >= width - 4
    return len(text) + 1 + len(first) > width - _SLACK


def unwrap(lines: Sequence[Line]) -> list[Line]:
    """Return `lines`, with the lines of one paragraph joined and the joined ones classified again."""
    texts = [line for line in lines if not _is_row(line.text)]  # the rows of a table have widths of their own
    width, asian, cell = wrap_width(texts), _asian_width(texts), _row_width(lines)
    joined: list[list[Line]] = []
    for at, line in enumerate(lines):
        before = joined[-1][-1] if joined else None
        ahead = lines[at : at + 2]
        if before is not None and (
            _goes_on(joined[-1], ahead, width, asian) or _cell_goes_on(before, ahead, cell)
        ):
            joined[-1].append(line)
        else:
            joined.append([line])
    return [
        parts[0]
        if len(parts) == 1
        else (read_as_text if parts[0].rule == INSIDE else classify)(
            RawLine(_join([part.text for part in parts]), parts[0].gap, parts[0].indent, parts[0].mark)
        )
        for parts in joined
    ]


def _goes_on(parts: list[Line], ahead: Sequence[Line], width: int | None, asian: int | None) -> bool:
    """Return whether the first line of `ahead` continues the paragraph that consists of `parts`."""
    before, line = parts[-1], ahead[0]
    if line.gap or before.mark != line.mark or _stands_alone(before) or _PLACE.match(line.text):
        return False
    if line.bullet:
        return width is not None and _mid_sentence(before, line)
    if parts[0].bullet:
        return _item_goes_on(before, ahead)
    if asian and _is_asian(before.text[-1]) and len(before.text) >= asian - 2:
        return line.indent <= before.indent and not ends_sentence(before.text) and not _stands_alone(line)
    if width is None:
        return _mid_sentence(before, line)
    full = _is_full(before.text, line.text, width) or _mid_sentence(before, line)
    same_case = is_capitals(before.text) == is_capitals(line.text)
    return full and same_case and line.indent < before.indent + 2 and not _stands_alone(line)


def _is_row(text: str) -> bool:
    """Return whether a line is a row of a table: it has bars, or gaps in a script without spaces."""
    if " | " in text:
        return True
    cells = text.split(" ")
    return len(cells) > _FEWEST_CELLS and all(cells) and all(_is_asian(each[-1]) for each in cells)


def _is_between(lines: Sequence[Line], at: int) -> bool:
    """Return whether a line without bars is between two rows, the first of which does not end."""
    row, line, after = lines[at - 1 : at + 2]
    whole = " | " not in row.text or not _is_asian(row.text[-1]) or ends_sentence(row.text)
    return not whole and " | " not in line.text and " | " in after.text and not (line.gap or after.gap)


def _row_width(lines: Sequence[Line]) -> int | None:
    """Return the width at which Chinese or Japanese rows were wrapped, or None if they were not."""
    between = (at for at in range(1, len(lines) - 1) if _is_between(lines, at))
    return max((len(lines[at - 1].text) for at in between), default=None)


def _cell_goes_on(before: Line, ahead: Sequence[Line], width: int | None) -> bool:
    """Return whether the first line of `ahead` is the rest of the last cell of a wrapped row."""
    line = ahead[0]
    if width is None or line.gap or line.mark or " | " not in before.text or " | " in line.text:
        return False
    return (
        _is_asian(before.text[-1])
        and not ends_sentence(before.text)
        and len(before.text) >= width - _CELL_SLACK
    )


def _item_goes_on(before: Line, ahead: Sequence[Line]) -> bool:
    """Return whether the first line of `ahead` is the last line of a wrapped list item."""
    line = ahead[0]
    if _stands_alone(line) or ends_sentence(before.text) or before.text[-1] in ":;":
        return False
    ends = len(ahead) == 1 or ahead[1].gap or ahead[1].bullet
    return _LONG_ITEM <= len(before.text) <= _WIDEST and (ends or starts_small(line.text))


def _stands_alone(line: Line) -> bool:
    """Return whether a line is never part of a wrapped paragraph: a name, a date, a row, a label."""
    text = line.text
    if len(text) > 140:
        return False
    if line.kind is not Kind.TEXT or (line.alone and line.dates) or _is_row(text):
        return True
    if line.label and line.size <= 8:
        return True
    return line.size <= 9 and line.score >= NAME and not ends_question(text) and text[-1] not in ",;-"


def _mid_sentence(before: Line, line: Line) -> bool:
    """Return whether the break between two lines is inside a sentence, whatever the width."""
    text = before.text
    if len(text) < _NARROWEST or ends_sentence(text) or text[-1] in ":;|" or line.bullet:
        return False
    return starts_small(line.text) and not before.bullet


def _is_asian(char: str) -> bool:
    return "\u3000" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"


def _join(parts: list[str]) -> str:
    """Join the parts to one line, without a space after a hyphen or between characters of Han and kana."""
    pieces = [parts[0]]
    for part in parts[1:]:
        last = pieces[-1][-1:]
        glued = last == "-" or (_is_asian(last) and _is_asian(part[:1]))
        pieces.append(part if glued else f" {part}")
    return "".join(pieces)
