"""Find the part of a whole web page that holds the release, by where its sentences are. Pure.

A page that was copied as a whole has hundreds of short lines of menus above and below the text. Only the
lines near to the text are read closely. A page without such menus is not changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.ingest.phrases import read_phrases
from newsletter.ingest.press.clean import RawLine
from newsletter.ingest.press.lines.shape import ends_sentence, is_bullet, is_cut_off, is_sentence

# A text with this many menu lines above or below is a whole page.
_MENU = 25
# So many short lines in a row end the text. A line with a number, as in a table, counts half.
_GAP = 22
# The text may go on with this many short lines below its last sentence.
_TRAIL = 14
# So many lines above the text may have its headline and date.
_ABOVE = 16
# The lines below the text and the first and last lines of the page may name its publisher.
_BELOW = 40
_TOP = 12
_BOTTOM = 25
# A few sentences above items of a menu are a notice of the page.
_ITEMS = 2
_NOTICE = 400
_NOTICE_WORD = re.compile(rf"\b(?:{'|'.join(read_phrases('site_words')['notices'])})", re.IGNORECASE)
_FEW = 5
_SHORT = 60
_HEADLINE = 15


@dataclass(frozen=True)
class MainText:
    """The lines of the release from its first sentence on, and those above it, with headline and date.

    `others` are lines of the page that may name the publisher.
    """

    lines: Sequence[RawLine]
    above: Sequence[RawLine] = ()
    others: Sequence[RawLine] = ()


@dataclass
class _Block:
    start: int
    end: int
    weight: int


def find_main_text(raw: Sequence[RawLine]) -> MainText:
    """Return the lines near to the text, and the first and last lines of the page, if it is a whole page."""
    blocks = _blocks(raw)
    if not blocks:
        return MainText(raw)
    text = _choose(raw, blocks)
    near = max(1, text.start - _ABOVE)
    end = _end(raw, text.end)
    start, stop = text.start, end
    above: list[RawLine] = []
    others: list[RawLine] = []
    if len(raw) - end >= _MENU:
        others += [*raw[end : end + _BELOW], *raw[max(end + _BELOW, len(raw) - _BOTTOM) :]]
    else:
        stop = len(raw)
    if start >= _MENU:
        # The first line may be the title of the page.
        above = [raw[0], *(line for line in raw[near:start] if not _is_menu_item(line))]
        others += raw[1 : min(_TOP, near)]
    else:
        start = 0
    return MainText(raw[start:stop], above, others)


def _end(raw: Sequence[RawLine], last: int) -> int:
    """Return where the lines below the last sentence end: at a menu, but not at a list that it leads to."""
    led = raw[last - 1].text[-1] in ":："
    below = range(last, min(len(raw), last + _TRAIL))
    end = next((at for at in below if not led and _is_of_page(raw[at])), below.stop)
    # The heading of the menu belongs to it.
    headed = last < end < below.stop and _is_menu_item(raw[end]) and _is_heading(raw[end - 1].text)
    return end - 1 if headed else end


def _blocks(raw: Sequence[RawLine]) -> list[_Block]:
    """Return the parts of a page with sentences, which long runs of short lines separate."""
    blocks: list[_Block] = []
    gap, items = float(_GAP), 0
    for at, line in enumerate(raw):
        weight = _weight(line.text)
        if weight and gap > _FEW and not is_sentence(line.text):
            continue  # far below, a long line without a stop is more often the headline of another page
        if not weight:
            gap += 0 if " | " in line.text else 0.5 if any(map(str.isdigit, line.text)) else 1
            items += _is_menu_item(line) and line.text[0] not in "(0123456789"
            continue
        if gap >= _GAP or (items >= _ITEMS and blocks[-1].weight < _NOTICE):
            blocks.append(_Block(at, at, 0))
        blocks[-1].end, gap, items = at + 1, 0.0, 0
        blocks[-1].weight += weight
    return blocks


def _weight(text: str) -> int:
    if len(text) < 20 or is_cut_off(text) or _NOTICE_WORD.search(text):
        return 0
    if is_sentence(text):
        return len(text)
    return len(text) // 4 if len(text) >= _SHORT and not is_bullet(text) else 0


def _choose(raw: Sequence[RawLine], blocks: Sequence[_Block]) -> _Block:
    """Return the heaviest block, or a lighter one below the headline that the first line names."""
    best = max(blocks, key=lambda block: block.weight)
    title = raw[0].text
    for block in blocks:
        places = range(max(1, block.start - _ABOVE), block.end)
        headlines = [at for at in places if len(raw[at].text) >= _HEADLINE and title.startswith(raw[at].text)]
        for at in reversed(headlines):
            start = max(at + 1, block.start)
            weight = sum(_weight(line.text) for line in raw[start : block.end])
            if weight * 2 > block.weight and weight * 3 >= best.weight:
                return _Block(start, block.end, weight)
    return best


def _is_heading(text: str) -> bool:
    plain = not any(char.isdigit() or char in ":：@" for char in text)
    return plain and len(text) < _SHORT and not is_bullet(text) and not ends_sentence(text)


def _is_of_page(line: RawLine) -> bool:
    return _is_menu_item(line) or _NOTICE_WORD.search(line.text) is not None


def _is_menu_item(line: RawLine) -> bool:
    """Return whether a line is a short item without a number, also of a numbered breadcrumb."""
    return is_bullet(line.text) and len(line.text) < _SHORT and not any(map(str.isdigit, line.text[3:]))
