"""Make paragraphs of the lines below the head, and drop page furniture around and between them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from newsletter.ingest.press.clean import RawLine
from newsletter.ingest.press.lines.contacts import contact_lines
from newsletter.ingest.press.lines.furniture import Kind
from newsletter.ingest.press.lines.labels import PUBLISHED
from newsletter.ingest.press.lines.line import NAME, Line, classify
from newsletter.ingest.press.lines.organisations import looks_like_name
from newsletter.ingest.press.lines.shape import ends_sentence, even_bullet, is_cut_off, size

_SOURCE = re.compile(r"SOURCE:? \S.{1,100}\Z")  # how wire services name the company at the end of its release
_MARK_BEHIND = re.compile(
    r"(?<=[.!?\"”’)])\s+(?P<mark>Enditem|Endit|ENDS|\(END\)|-END-|-30-|-ENDS-|###|\(E\)|<끝>|끝\.)\Z"
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_GOES = (Kind.FURNITURE, Kind.REACH)
_LONG = 120
_FEW = 5
_SIGNED = 8  # words of "Lund, 2 May 2025" and "Ada Finch, harbour office - 2 May 2025"
_WIDE_GAP = 6
# The number of lines below a heading that show whether it is above a list.
_TEASERS = 12
# A menu has this many lines.
_MENU = 20
# A text with this many characters may be whole.
_ENOUGH = 400
_MENU_WORDS = 12
_EARLY = 5  # a date within this many lines below the first paragraph is that of the release


@dataclass
class Body:
    """The paragraphs of a release, and the dropped lines, which may name its publisher or date.

    `subheads` and `quotes` are the indexes of paragraphs. `early_dates` stood below the first paragraph,
    and `last_dates` at the end of the text. `signed` is the signature: the last date and the names beside it.
    """

    paragraphs: list[str] = field(default_factory=list)
    subheads: set[int] = field(default_factory=set)
    quotes: set[int] = field(default_factory=set)
    footer: list[Line] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    early_dates: list[Line] = field(default_factory=list)
    last_dates: list[Line] = field(default_factory=list)
    signed: list[Line] = field(default_factory=list)


def read_body(lines: Sequence[Line], below: Sequence[Line], top: Collection[str] = ()) -> Body:
    """Return the body in `lines`, which are between the head and the end. `below` are those below the end.

    `top` are lines above the text. If one stands again below the last sentence, the foot of the page begins.
    """
    body = Body()
    contacts = contact_lines([*lines, *below])
    body.contacts = [each.text for at, each in enumerate((*lines, *below)) if at in contacts]
    last = max((at for at, line in enumerate(lines) if line.prose), default=0)
    body.early_dates = [line for line in lines[1 : min(_EARLY, last)] if line.alone and line.dates]
    told = _labelled_dates(lines)
    body.last_dates.extend(line for line in told if line.alone)
    gone = {id(line) for line in (*body.early_dates, *told)}
    lines = [line for line in lines if id(line) not in gone]
    kept = _without_furniture(lines, contact_lines(lines) if body.early_dates else contacts, body.footer)
    _cut_foot(kept, body, top)
    _cut_signature(kept, body)
    _trim_tail(kept, body)
    body.footer.extend(below)
    _make_paragraphs(kept, body)
    return body


def _labelled_dates(lines: Sequence[Line]) -> list[Line]:
    """Return the lines that are only a date of publication, and the lines above that are only its label."""
    found = []
    for above, line in pairwise(lines):
        if line.alone and line.dates and line.dates[0].year is not None:
            below_label = above.label == "date" and not above.value
            found.extend([above, line] if below_label else [line] if line.rank == PUBLISHED else [])
    return found


def cut_mark(line: Line) -> list[Line]:
    """Return `line`, or split it in two if an end mark follows its last sentence."""
    hit = _MARK_BEHIND.search(line.text[-20:])
    if not hit:
        return [line]
    return [replace(line, text=line.text[: -len(hit[0])].rstrip()), classify(RawLine(hit["mark"]))]


def find_end(lines: Sequence[Line]) -> int:
    """Return the index of the end mark, or of what begins the end of the page, or len(lines).

    A mark with more text below than above does not count, but "###" always does. These end the text if
    little text is below: other pages, a notice of copyright, comments, many short lines in a row. A whole
    menu and a list of teasers end a text of two paragraphs whatever is below.
    """
    prose = [_weight(line) for line in lines]
    total = sum(prose)
    above = gap = quiet = paragraphs = 0
    for at, line in enumerate(lines):
        gap = gap + 1 if _is_no_text(line) else 0
        quiet = 0 if line.prose or line.bullet or " | " in line.text else quiet + 1
        paragraphs += prose[at] > 0 and not line.open
        whole = paragraphs > 1 and above >= _ENOUGH
        if gap == _WIDE_GAP and above * 4 >= total * 3 > 0:
            return at + 1 - gap
        if whole and quiet == _MENU and sum(map(_is_no_text, lines[at + 1 - quiet : at + 1])) * 2 > quiet:
            return at + 1 - quiet
        if (
            whole
            and line.kind is Kind.RELATED
            and line.open
            and _are_teasers(lines[at + 1 : at + 1 + _TEASERS])
        ):
            return at
        if line.kind is Kind.END and above > 0 and (above * 2 >= total or line.text.count("#") >= 3):
            return at
        if _begins_end(line) and above * 4 >= total * 3 > 0:
            return at
        above += prose[at]
    return len(lines)


def _are_teasers(lines: Sequence[Line]) -> bool:
    """Return whether the next paragraphs each have a headline above, as in a list of other pages."""
    prose = [at for at, line in enumerate(lines) if line.prose]
    return len(prose) > 1 and all(two - one > 1 for one, two in pairwise(prose))


def _is_no_text(line: Line) -> bool:
    """Return whether a line is as in a menu: short, without a stop, and no value, row, item or contact."""
    if line.prose or line.bullet or line.mark or _is_value(line):
        return False
    known = line.kind in (Kind.REACH, Kind.CONTACT)
    return not known and line.open and line.size <= _MENU_WORDS


def _is_value(line: Line) -> bool:
    """Return whether a line is a row, or a few words with a number or with a colon: "Length: 300 m"."""
    few = line.size <= _FEW and any(char.isdigit() or char in ":：" for char in line.text)
    return not line.alone and (few or " | " in line.text)


def _begins_end(line: Line) -> bool:
    if line.rule == "copyright":  # "© Ada Finch" is the credit of a picture
        return not line.text.startswith("©") or bool(_YEAR.search(line.text))
    return (line.kind is Kind.RELATED and not ends_sentence(line.text)) or line.rule == "comments"


def _weight(line: Line) -> int:
    """Return the length of a line of prose. A line without a stop counts less, a teaser nothing."""
    if not line.prose or line.kind is not Kind.TEXT or is_cut_off(line.text):
        return 0
    return len(line.text) // 4 if line.open else len(line.text)


def _without_furniture(lines: Sequence[Line], contacts: set[int], footer: list[Line]) -> list[Line]:
    """Return the lines of text, without furniture, lists of other pages, and contacts with their headings."""
    last_prose = _last_text(lines, contacts)
    kept: list[Line] = []
    listing = signed = False
    for at, line in enumerate(lines):
        kind = line.kind
        if kind is Kind.RELATED and not ends_sentence(line.text):
            listing = True
        elif listing and _is_text(line) and len(line.text) >= _LONG and not is_cut_off(line.text):
            listing = False
        gone = listing or kind in _GOES or at in contacts or kind is Kind.END
        gone = gone or (line.label == "author" and line.size <= 6 and (at > last_prose or at < _EARLY))
        gone = gone or (line.label == "publisher" and 0 < size(line.value) <= _SIGNED)
        if gone and _is_led_up_to(line, kept):
            gone = False
        if line.rule == "read more" and kept and is_cut_off(kept[-1].text):
            footer.append(kept.pop())  # the teaser of another page, and its headline
            footer.extend([kept.pop()] if len(kept) > 1 and not kept[-1].prose else [])
        # After the last sentence, the first furniture line ends the text, because titles of other pages
        # follow.
        if gone and at > last_prose >= 0 and kind is not Kind.END and not _is_picture(line.text):
            # The name of the author may stand between the text and the furniture.
            footer.extend([kept.pop()] if len(kept) > 1 and _is_author(kept[-1]) else [])
            footer.extend(lines[at:])
            break
        # "Lund, 2 May 2025" and the name of the company below the text are a signature.
        signed = _is_place_and_date(line) if not signed else line.score >= NAME
        gone = gone or (signed and bool(kept) and _is_signature(lines, at))
        (footer if gone else kept).append(line)
    return kept


def _last_text(lines: Sequence[Line], contacts: set[int]) -> int:
    """Return the index of the last line of the text, or -1. A list below furniture is one of other pages."""
    last, ended = -1, False
    for at, line in enumerate(lines):
        if at not in contacts and _is_text(line) and (line.prose or not ended):
            last, ended = at, False
        ended = ended or line.kind is Kind.RELATED or line.rule == "read more"
    return last


def _is_led_up_to(line: Line, kept: Sequence[Line]) -> bool:
    """Return whether an address alone on its line belongs to the text: the line before ends in a colon."""
    return line.rule in ("plumbing", "reach") and bool(kept) and kept[-1].text.endswith((":", "："))


def _is_author(line: Line) -> bool:
    return (
        2 <= line.size <= 3 and not line.gap and looks_like_name(line.text) and not ends_sentence(line.text)
    )


def _is_place_and_date(line: Line) -> bool:
    return line.size <= 7 and bool(line.beside) and not line.prose and line.dates[0].year is not None


def _is_signature(lines: Sequence[Line], at: int) -> bool:
    line = lines[at]
    if line.score >= NAME:
        return True
    return at + 1 < len(lines) and lines[at + 1].score >= NAME


def _is_picture(text: str) -> bool:
    return text.startswith(("(", "[")) or len(text) > 80


def _is_text(line: Line) -> bool:
    return line.kind is Kind.TEXT and (line.prose or (line.bullet and line.size >= 4))


def _cut_foot(kept: list[Line], body: Body, top: Collection[str]) -> None:
    """Move to the footer what begins, below the last sentence, with a line that is above the text too."""
    tail = next((at + 1 for at in reversed(range(len(kept))) if kept[at].prose), len(kept))
    foot = next((at for at in range(tail, len(kept)) if kept[at].text in top), len(kept))
    body.footer.extend(kept[foot:])
    del kept[foot:]


def _cut_signature(kept: list[Line], body: Body) -> None:
    """Move the last date of a text to the footer, with the names beside it or the headline above it."""
    tail = next((at + 1 for at in reversed(range(len(kept))) if kept[at].prose), len(kept))
    at = next((at for at in range(tail, len(kept)) if is_day(kept[at])), len(kept))
    below = kept[at + 1 :]
    if at == len(kept) or len(below) >= _FEW or not all(each.alone or _is_short(each) for each in below):
        return
    start = at
    while start > tail and _is_short(kept[start - 1]) and _is_signed(kept[max(tail, start - 2) : start]):
        start -= 1
    teaser = start == at > tail and _is_no_text(kept[at - 1]) and kept[at - 1].size > _FEW
    if start == at > tail and not teaser:
        return  # "When" above a date
    if not teaser:
        body.signed.extend(kept[start:])
    body.footer.extend(kept[start - teaser :])
    del kept[start - teaser :]


def _is_signed(lines: Sequence[Line]) -> bool:
    """Return whether the last of these lines is a person or an office, or the role of the person above."""
    role = len(lines) > 1 and _is_short(lines[0]) and not ends_sentence(lines[1].text)
    return _is_person_or_office(lines[-1]) or (role and _is_person_or_office(lines[0]))


def is_day(line: Line) -> bool:
    """Return whether a line is only a date or a time, or a date with a place or a person."""
    if line.alone or line.prose or line.bullet or not line.dates or line.dates[0].year is None:
        return line.alone
    return line.size <= _SIGNED and ":" not in line.beside and size(line.beside) <= _FEW


def _is_short(line: Line) -> bool:
    return not (line.prose or line.bullet or line.mark or _is_value(line)) and line.size <= _SIGNED


def _is_person_or_office(line: Line) -> bool:
    few = 1 < line.size <= _FEW and not ends_sentence(line.text)
    uncased = line.text.lower() == line.text.upper()
    name = " ".join(word for word in line.text.split() if word[-1] != ".")  # without "Dr." and "kpt."
    return line.score >= NAME or (few and (uncased or looks_like_name(name)))


def _trim_tail(kept: list[Line], body: Body) -> None:
    """Remove lines at the end of `kept` that are no text: menu words, notices, headlines, a last date."""
    tail = next((at + 1 for at in reversed(range(len(kept))) if kept[at].prose), 0)
    if tail > 1 and _are_headlines(kept[tail - 1], kept[tail:]):
        body.last_dates.extend(line for line in kept[tail:] if line.alone and line.dates)
        body.footer.extend(kept[tail:])
        del kept[tail:]
    times = Counter(line.text for line in kept)
    sentences = sum(line.prose for line in kept)
    while kept:
        last = kept[-1]
        repeated = not last.prose and times[last.text] > 1
        stray = sentences > 1 and len(kept) > 1 and _is_stray(last, kept[-2])
        if last.text_only and not _SOURCE.match(last.text) and not repeated and not stray:
            break
        body.last_dates.extend([last] if last.alone and last.dates else [])
        times[last.text] -= 1
        sentences -= last.prose
        body.footer.append(kept.pop())


def _are_headlines(last: Line, below: Sequence[Line]) -> bool:
    """Return whether the lines below the last sentence are a list of other pages, which has no heading."""
    if last.text[-1] in ":：" or any(line.bullet or line.mark or _is_value(line) for line in below):
        return False
    return sum(line.text_only and line.open and line.size > _FEW for line in below) > 1


def _is_stray(line: Line, above: Line) -> bool:
    """Return whether a few words below the last sentence are no text, such as tags, a name or a link."""
    few = line.size <= _FEW or looks_like_name(line.text)
    if line.prose or line.bullet or line.mark or not few or not line.open:
        return False
    plain = not any(char.isdigit() or char in ":：|" for char in line.text)
    return plain and above.text[-1] not in ":："


def _make_paragraphs(lines: Sequence[Line], body: Body) -> None:
    """Add `lines` as paragraphs. A list or table is one paragraph, with a line for each item or row."""
    made: list[list[str]] = []
    before = None
    for at, line in enumerate(lines):
        row = " | " in line.text and len(line.text) < 200
        item = "bullet" if line.bullet else "row" if row else None
        text = even_bullet(line.text)
        # Long numbered lines, which ministries write, are paragraphs. Short ones are list items.
        item = None if len(text) >= _LONG and text[:1] not in "-" else item
        if item and item == before:
            made[-1].append(text)
        elif not made or made[-1] != [text]:  # scraped pages repeat some lines
            made.append([text])
            if line.mark == ">":
                body.quotes.add(len(made) - 1)
            elif item is None and _is_subhead(lines, at):
                body.subheads.add(len(made) - 1)
        before = item
    body.paragraphs = ["\n".join(each) for each in made]


def _is_subhead(lines: Sequence[Line], at: int) -> bool:
    """Return whether a line is a heading inside the text: short, without a stop, and above prose."""
    line = lines[at]
    if line.mark.startswith("#"):
        return True
    after = lines[at + 1] if at + 1 < len(lines) else None
    if after is None or line.prose or ends_sentence(line.text) or line.text[-1] in ",;:：":
        return False
    return after.prose and line.size <= 12 and len(line.text) <= 100 and line.text[:1] not in '"“„«「–-'
