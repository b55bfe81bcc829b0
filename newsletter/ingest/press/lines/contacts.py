"""Find contact blocks above and below the text: a heading, names, telephone numbers and addresses. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.ingest.press.clean import Line
from newsletter.ingest.press.lines.furniture import has_reach, is_contact_line, kind_of
from newsletter.ingest.press.lines.furniture_patterns import Kind
from newsletter.ingest.press.lines.shape import is_sentence, size


def contact_lines(lines: Sequence[Line]) -> set[int]:
    """Return the indexes of the lines of contact blocks: a heading, names, telephone numbers and addresses.

    A block ends with its last number or address, if only short lines are before it. So a title below a
    contact person's name is never part of the block.
    """
    found: set[int] = set()
    at = 0
    while at < len(lines):
        text = lines[at].text
        kind = kind_of(text)
        if kind is Kind.CONTACT or is_contact_line(text):
            end = _contact_end(lines, at)
            found.update(range(at, end + 1))
            at = end
        elif kind is Kind.REACH:
            found.add(at)
        at += 1
    return found


def _contact_end(lines: Sequence[Line], start: int) -> int:
    end = start
    for at in range(start + 1, min(start + 16, len(lines))):
        text = lines[at].text
        if is_sentence(text) or kind_of(text) in (Kind.END, Kind.RELATED) or size(text) > 14:
            break
        if lines[at].gap and at > start + 1 and not has_reach(text) and kind_of(text) is not Kind.REACH:
            # A new block without a number. It is another contact only if a number follows in its next lines.
            following = [line.text for line in lines[at + 1 : at + 4] if not line.gap]
            if not any(has_reach(each) for each in following) or size(text) > 5:
                break
        if has_reach(text) or kind_of(text) in (Kind.REACH, Kind.CONTACT):
            end = at
    return end
