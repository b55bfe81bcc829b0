"""One line of a release with all that its form tells, found once: kind, dates, label, name score. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.ingest.press.clean import RawLine
from newsletter.ingest.press.dates.dateline import Dateline, read_dateline
from newsletter.ingest.press.dates.find import FoundDate, find_dates
from newsletter.ingest.press.lines.furniture import Kind, has_reach, kind_of, mostly_share_bar
from newsletter.ingest.press.lines.labels import (
    BARE,
    PUBLISHED,
    beside_dates,
    is_time,
    read_label,
    weigh,
)
from newsletter.ingest.press.lines.organisations import is_agency, organisation_score
from newsletter.ingest.press.lines.shape import ends_sentence, is_bullet, is_sentence, size

INSIDE = "inside"  # the rule of a line that `read_as_text` made
NAME = 3  # the lowest score at which a line counts as a name without other evidence
_LONGEST_DATE_LINE = 160
_MOST_WORDS = 8
_NO_HEADLINE = ("kind of release", "release number")
# Words between the kind of a release and its date, and its number before them.
OF = re.compile(
    r"(?:\W+(?:nr|no|n°|nº|№)\.?\s?[\w/-]{1,12})?"
    r"[\s,]+(?:vom|of|on|from|dated|du|de|del|da|di|van|från|fra|z dnia|z|dne|od|от|від)\Z",
    re.IGNORECASE,
)
_BRACKETS = frozenset("(/【")  # a dateline has a date or, in brackets, an agency
_STOP_INSIDE = re.compile(r"[.!?…]['\"”’»)]*\s+['\"“‘«(]*[^\W\d_]|[。！？।۔]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line and what its form tells.

    `gap`: a blank line is before it. `prose`: it has a whole sentence. `label` is the kind of its label, such
    as "publisher", and `value` what follows the label. `rank` says how well its date tells the day of
    publication. `alone`: it is only a date, and `beside` is the text beside its dates. `score` is how much it
    looks like the name of an organisation. `reach`: it has an email address or a telephone number. `mark` is
    # or ## for a heading and > for a quotation that the source marked.
    """

    text: str
    gap: bool = False
    indent: int = 0
    kind: Kind = Kind.TEXT
    rule: str = "text"
    size: float = 0.0
    prose: bool = False
    bullet: bool = False
    dates: tuple[FoundDate, ...] = ()
    rank: int = BARE
    alone: bool = False
    beside: str = ""
    label: str = ""
    value: str = ""
    score: int = -9
    reach: bool = False
    dateline: Dateline | None = None
    mark: str = ""

    @property
    def open(self) -> bool:
        """Whether the line has no end of a sentence, neither last nor inside."""
        return not ends_sentence(self.text) and not _STOP_INSIDE.search(self.text)

    @property
    def text_only(self) -> bool:
        """Whether the line is text: no furniture, and not only a date or a time."""
        return self.kind is Kind.TEXT and not self.alone


def read_as_text(raw: RawLine) -> Line:
    """Return the line as a part of the text, without looking for anything else in it."""
    bullet = is_bullet(raw.text)
    return Line(raw.text, raw.gap, raw.indent, rule=INSIDE, prose=True, bullet=bullet, mark=raw.mark)


def classify(raw: RawLine) -> Line:
    """Return the line with its kind, dates, label and scores. Nothing asks for them a second time."""
    text = raw.text
    rule, kind = kind_of(text)
    words = size(text)
    prose = is_sentence(text)
    dates = tuple(find_dates(text))
    bullet = is_bullet(text) and not (dates and dates[0].start == 0)  # "4. 10. 2013" is no item of a list
    opened = kind is Kind.TEXT and not bullet and (dates or not _BRACKETS.isdisjoint(text[:130]))
    dateline = read_dateline(text, dates) if opened else None
    if dateline is None and opened and text.endswith((")", ").")) and words <= 8:
        alone_on_line = read_dateline(f"{text} ", dates)  # "Vilnius, September 16 (ELTA)."
        dateline = alone_on_line if alone_on_line and is_agency(alone_on_line.agency) else None
    beside, alone, rank = "", False, BARE
    if dates and len(text) <= _LONGEST_DATE_LINE and words <= 26:
        beside = beside_dates(text, dates)
        alone, rank = not beside or mostly_share_bar(beside.casefold()), weigh(text)
        if not alone and words <= _MOST_WORDS and kind_of(OF.sub("", beside))[0] in _NO_HEADLINE:
            alone, rank = True, min(rank, PUBLISHED)  # "Pressemitteilung Nr. 5 vom 19.05.2031"
    elif not dates and len(text) <= 40:
        alone = is_time(text)
    label, value = read_label(text) if len(text) <= 300 else ("", "")
    return Line(
        text,
        raw.gap,
        raw.indent,
        kind,
        rule,
        words,
        prose,
        bullet,
        dates,
        rank,
        alone,
        beside,
        label,
        value,
        organisation_score(text) if len(text) <= 140 and kind is Kind.TEXT and not prose else -9,
        not dates and has_reach(text),
        dateline,
        raw.mark,
    )
