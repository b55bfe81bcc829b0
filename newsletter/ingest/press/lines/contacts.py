"""Find blocks of lines that are no text: contacts, coming events and other news. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.ingest.press.lines.furniture import Kind
from newsletter.ingest.press.lines.line import Line
from newsletter.ingest.press.lines.shape import ends_sentence

_LONGEST_BLOCK = 7
_LONGEST_ENTRY = 8
_FEWEST_NEWS = 3
# "12 Harbour Road", "Uferweg 3", "LT-01103 Vilnius", "1010 Wien"
_STREET = re.compile(
    r"(?:[^\W\d][\w.’'-]*[ ,]+){1,4}\d{1,4}\s?[a-zA-Z]?(?:\s?[-–/]\s?\d{1,4})?"
    r"|\d{1,4}[a-z]?,? (?:[^\W\d][\w.’'-]* ?){1,4}|(?:[A-Z]{1,2}-)?\d{4,6} (?:[^\W\d][\w.()’'-]* ?){1,4}"
)


def contact_lines(lines: Sequence[Line]) -> set[int]:
    """Return the indexes of the lines of contact blocks: a heading, names, telephone numbers and addresses.

    A block with a heading ends with its last number or address, if only short lines are before it. So a title
    below a contact person's name is never part of the block. A block without a heading is a few short lines
    between blank lines, of which the last has a number or an address.
    """
    found: set[int] = set()
    at = block = 0
    while at < len(lines):
        line = lines[at]
        if line.gap:
            block = at
        if line.kind is Kind.CONTACT:
            end = _contact_end(lines, at)
            found.update(range(at, end + 1))
            at = block = end
        elif line.kind is Kind.REACH:
            found.add(at)
            if _is_block(lines, block, at):
                found.update(range(block, at))
            else:
                found.update(range(_address_start(lines, at), at))
        at += 1
    return found


def news_lines(lines: Sequence[Line]) -> set[int]:
    """Return the indexes of lists of other pages: three or more headlines in a row, each below its day."""
    found: set[int] = set()
    run: list[int] = []
    for at in range(len(lines) - 1):
        line, below = lines[at], lines[at + 1]
        if at in found or not (line.alone and line.dates):
            continue
        run = run if run and run[-1] == at - 1 else []
        if below.text_only and below.open and not below.prose:
            run += [at, at + 1]
        found.update(run if len(run) >= 2 * _FEWEST_NEWS else ())
    return found


def _is_block(lines: Sequence[Line], start: int, end: int) -> bool:
    """Return whether the lines from `start` to a number or address at `end` are names, offices and places."""
    if not 0 < end - start < _LONGEST_BLOCK or not lines[start].gap:
        return False
    above = lines[start:end]
    if start == 0 and not any(line.kind is Kind.REACH for line in above):
        return False  # the first line is more often the headline
    return all(not line.prose and not line.bullet and line.size <= _LONGEST_ENTRY for line in above)


def _address_start(lines: Sequence[Line], end: int) -> int:
    """Return where the lines of an address begin that stand right above a number, without a blank line.

    They are short, have no sentence, and one is a street or a town with their numbers.
    """
    start = end
    while start > 0 and end - start < _LONGEST_BLOCK and not lines[start].gap:
        line = lines[start - 1]
        if line.prose or line.bullet or line.dates or line.size > _LONGEST_ENTRY or ends_sentence(line.text):
            break
        start -= 1
    return start if start > 0 and any(_STREET.fullmatch(each.text) for each in lines[start:end]) else end


def _contact_end(lines: Sequence[Line], start: int) -> int:
    end = start
    for at in range(start + 1, min(start + 16, len(lines))):
        line = lines[at]
        reached = line.reach or line.kind is Kind.REACH
        if line.prose and reached and at == start + 1:
            return at  # "For more information, write to press@port.example."
        if line.prose or line.kind in (Kind.END, Kind.RELATED) or line.size > 14:
            break
        if line.gap and at > start + 1 and not reached:
            # A new block without a number. It is another contact only if a number follows in its next lines.
            following = [each for each in lines[at + 1 : at + 4] if not each.gap]
            if not any(each.reach for each in following) or line.size > 5:
                break
        if reached or line.kind is Kind.CONTACT:
            end = at
    return end


def event_lines(lines: Sequence[Line]) -> set[int]:
    """Return the indexes of lists of coming events and of their headings: two or more items with a date."""
    found: set[int] = set()
    run: list[int] = []
    for at, line in enumerate(lines):
        if line.bullet and line.dates and line.dates[0].start <= 4 and line.beside:
            run.append(at)
            if len(run) >= 2:
                found.update(run)
                found.add(max(0, run[0] - 1))
        elif not line.bullet:
            run = []
    return found
