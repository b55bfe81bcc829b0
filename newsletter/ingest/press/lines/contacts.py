"""Blocks that say whom to ask: a heading, names, numbers and addresses, above or below the text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.ingest.press.clean import Line
from newsletter.ingest.press.lines.furniture import has_reach, is_contact_line, kind_of
from newsletter.ingest.press.lines.furniture_patterns import Kind
from newsletter.ingest.press.lines.shape import is_sentence, size


def contact_lines(lines: Sequence[Line]) -> set[int]:
    """Return the indexes of the blocks that say whom to ask: a heading, names, numbers and addresses.

    A block reaches to the last number or address that short lines lead to, so that a title below
    a contact person's name is never part of it.
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
            # A new block without a number: another contact only if a number follows at once.
            following = [line.text for line in lines[at + 1 : at + 4] if not line.gap]
            if not any(has_reach(each) for each in following) or size(text) > 5:
                break
        if has_reach(text) or kind_of(text) in (Kind.REACH, Kind.CONTACT):
            end = at
    return end
