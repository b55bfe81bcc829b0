"""Read title, publisher and dates from the lines above the text, in any order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from newsletter.ingest.press.dated_lines import (
    HeadDate,
    is_name,
    named_value,
    names_in,
    read_byline,
    read_mixed,
)
from newsletter.ingest.press.doubt import LABELLED, confidence
from newsletter.ingest.press.lines.contacts import contact_lines, event_lines, news_lines
from newsletter.ingest.press.lines.furniture import Kind, kind_of
from newsletter.ingest.press.lines.labels import BARE, BYLINE, SPLIT
from newsletter.ingest.press.lines.line import NAME, Line
from newsletter.ingest.press.lines.organisations import (
    is_office,
    organisation_score,
)
from newsletter.ingest.press.lines.shape import ends_sentence, even_bullet, is_capitals, is_cut_off, size
from newsletter.ingest.press.title import IMMEDIATE, LONGEST_TITLE, Entry, Repeats, choose_title, split_site

_LONGEST_HEAD = 200
# A line between date and text with fewer words is more often a place or the caption of a picture.
_FEWEST_LEAD = 6
_SITE_WORDS = 3
_CAPTION_NUMBER = 6
_VALUE = re.compile(r"[^:：]{2,24}[:：] (?:\S+ ?){1,5}")  # "Published under: Harbour Office"
_PERSON = r"(?:[A-Z][\w.’'-]+ ){1,2}[A-Z][\w’'-]*[a-z][\w’'-]*"
_PEOPLE = re.compile(rf"{_PERSON}(?:,? and |, )(?:{_PERSON}(?:,? and |, |$))+")
_HEADING = re.compile(
    r"(?:key (?:takeaways|points|facts|findings)|summary|overview|highlights|main points"
    r"|in brief|abstract|introduction|background):?",
    re.IGNORECASE,
)


@dataclass
class Head:
    """The contents of the lines above the text. `body_at` is the index of the first line of the text.

    `title_at` is the index of the title, or -1 if no line is one. `sure` is the confidence in it, 0 to 1.
    `site` is what another copy of the title has behind it. `labelled`: a label names the publisher.
    """

    title: str = ""
    title_at: int = -1
    sure: float = 0.0
    publisher: str = ""
    labelled: bool = False
    site: str = ""
    dates: list[HeadDate] = field(default_factory=list)
    leads: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    body_at: int = 0

    def told_dates(self) -> list[HeadDate]:
        """Return the dates above the text, the nearest to the title first.

        The day on which the page was read is not among them.
        Portals show that day with its weekday at their top, far above the title.
        """
        above = [each for each in self.dates if each.weekday and each.at < self.title_at]
        others = [each for each in self.dates if each not in above]
        others += [each for each in above if each.at >= 4 or self.title_at - each.at < 6]
        return sorted(others, key=lambda each: abs(each.at - self.title_at)) if self.title_at >= 0 else others


def read_head(lines: Sequence[Line], headline_at: int = -1, text_at: int = 0) -> Head:
    """Read the lines above the text. `title` is "" if none of them can be a title.

    `headline_at` is the index of the headline if the title of the page told it (page_title.py). The text does
    not begin above `text_at`.
    """
    top = lines[:_LONGEST_HEAD]
    head = Head(body_at=len(top))
    if headline_at >= 0:
        head.title, head.title_at = lines[headline_at].text, headline_at
    repeats = Repeats(top, text_at)
    contacts, events = contact_lines(top), event_lines(top) | news_lines(top)
    entries: list[Entry] = []
    meta_at, teaser_to, label = -1, 0, ""
    for at, line in enumerate(top):
        if at < teaser_to or at in contacts or at in events or (label == "author" and line.size <= 4):
            if at in contacts:
                head.contacts.append(line.text)
                # "June 7, 2019 Contact: Ada Holm" may begin a block of contacts.
                head.dates.extend(HeadDate(at, line.rank, found) for found in line.dates[:1])
            label = ""
            continue
        if at >= repeats.body_from and line.text_only and _is_body(line, entries, at, top):
            if (headline := _headline_below(top, at)) is None:
                head.body_at = at
                break
            teaser_to = headline
            entries.clear()  # they belong to the teaser
            continue
        made = list(_read_line(at, line, head, repeats))
        if label == "publisher" and len(made) == 1 and size(made[0].text) <= 9:
            made = [replace(made[0], named=True)]
        if at and top[at - 1].kind is Kind.RELATED:
            made = [replace(each, below_related=True) for each in made]
        label = "" if line.value else line.label
        entries.extend(made)
        if not made or any(entry.named or entry.by_date for entry in made):
            meta_at = at
    _choose(head, entries, lines, meta_at, repeats)
    return head


def _headline_below(lines: Sequence[Line], at: int) -> int | None:
    """Return the index of a headline with a date under it, if only one paragraph of a teaser is above it."""
    for index in range(at + 1, min(at + 7, len(lines) - 2)):
        line, after = lines[index], lines[index + 1]
        if line.prose and not line.open:
            return None
        dated = after.dates and after.dates[0].year and not after.prose and after.size <= 12
        if line.text_only and line.size >= 4 and not line.bullet and not line.dates and dated:
            below = sum(len(each.text) for each in lines[index + 2 : index + 8] if each.prose)
            return index if below > 2 * len(lines[at].text) else None
    return None


def _is_body(line: Line, entries: list[Entry], at: int, lines: Sequence[Line]) -> bool:
    """Return whether the text begins with `line`."""
    row = "|" in line.text and len(line.text) < 200 and bool(line.dates)
    caption = line.bullet and any(_is_numbered(line.text, entry.text) for entry in entries)
    if row or caption or line.label == "title" or line.mark == "#":
        return False
    if any(entry.may_be_title for entry in entries):
        after = lines[at + 1] if at + 1 < len(lines) else None
        if line.bullet and after is not None and after.dates and after.dates[0].year and after.size <= 8:
            return False  # an entry of a list of news, with its date below
        return _is_body_below_title(line, entries)
    opened = _opens_with_dateline(line)
    if line.bullet or not (line.prose or opened) or (line.open and not opened):
        return False  # a headline may have more than 200 characters
    # The first line may be a headline that ends with a full stop. Then a date or a name follows.
    after = lines[at + 1] if at + 1 < len(lines) else None
    return after is None or after.prose or len(line.text) > LONGEST_TITLE or opened


def _is_numbered(item: str, text: str) -> bool:
    """Return whether an item is a line above with a number behind, as the captions of pictures are."""
    return text in item and item[-1].isdigit() and len(item) - len(text) <= _CAPTION_NUMBER


def _is_body_below_title(line: Line, entries: list[Entry]) -> bool:
    if line.bullet:
        return line.size >= 4
    ends_with_colon = line.text.endswith((":", "：")) and line.size >= 6 and not line.dates
    if line.prose or _opens_with_dateline(line) or _is_dateline(line) or ends_with_colon:
        return True
    stops = line.text[-1] in ".。।" and line.size >= 2 and not line.label and line.score < NAME
    return stops and any(entry.may_be_title and entry.line.size >= 4 for entry in entries)


def _is_dateline(line: Line) -> bool:
    """Return whether a line is a dateline and nothing else."""
    return line.dateline is not None and line.dateline.end >= len(line.text) - 1


def _opens_with_dateline(line: Line) -> bool:
    return line.dateline is not None and len(line.text) > 60 and len(line.text) - line.dateline.end > 30


def _read_line(at: int, line: Line, head: Head, repeats: Repeats) -> Iterator[Entry]:
    """Yield the possible titles and publishers in a line of the head. Add its dates to `head.dates`."""
    text = line.text
    if line.alone:
        head.dates.extend(HeadDate(at, line.rank, found, _has_weekday(line)) for found in line.dates[:1])
        return
    if line.label and (made := _read_label(at, line, head)) is not None:
        yield from made
        return
    if line.kind is not Kind.TEXT:
        # Lines such as "PRESS RELEASE | 12 November 2025" and an embargo have a date.
        weak = line.kind is Kind.WEAK
        head.dates.extend(HeadDate(at, line.rank, found) for found in line.dates[:1] if weak)
        return
    if text.endswith(("--", "—", "–", " -")) and line.size <= 8:
        return  # "CHICAGO -"
    nameless = not line.dates and not any(map(str.isalpha, text))  # ": 10"
    if nameless or _PEOPLE.fullmatch(text) or is_office(text.removeprefix("& ").removeprefix("and ")):
        return
    told = [word for word in text.split() if len(word) > 3]
    if 5 < len(told) < 30 and len(set(told)) * 10 <= len(told) * 7:
        return  # the tags of a page, twice
    hit = BYLINE.match(text)
    if hit and line.size <= 14:
        yield from read_byline(at, line, hit["who"], head.dates)
    elif line.dates and line.beside and not line.prose and repeats.times(text) < 2:
        yield from read_mixed(at, line, head.dates)
    else:
        parts = SPLIT.split(text)
        named = [part for part in parts if kind_of(part)[1] is Kind.TEXT] if len(parts) > 1 else []
        if len(named) == 1 and is_name(named[0]):
            yield Entry(at, named[0], line, named=True)  # "European Commission - Press release"
        elif _is_site(at, named) or (len(named) >= 3 and line.size <= 12 and is_name(named[0])):
            yield Entry(at, named[0], line, by_date=True)  # "Harbour Daily / Islands / Ferries"
        else:
            yield Entry(at, text, line)


def _is_site(at: int, named: Sequence[str]) -> bool:
    """Return whether the first line is the title of a page that names the site only: "News - Halden"."""
    return at == 0 and len(named) == 1 and size(named[0]) <= _SITE_WORDS


def _has_weekday(line: Line) -> bool:
    outside = line.text[: line.dates[0].start] + line.text[line.dates[0].end :]
    return any(char.isalpha() for char in outside)


def _read_label(at: int, line: Line, head: Head) -> list[Entry] | None:
    """Return the entries of a line with a label, or None if the label means nothing here."""
    kind, value = line.label, line.value
    if not value:
        return []
    if kind == "title":
        head.title = head.title or value.strip('"') or value
        return []
    if kind == "publisher" and size(value.partition(" | ")[0]) <= 12:
        return named_value(at, line, value, head.dates)
    if kind == "author" and size(value) <= 10:
        # "作者: 发布日期:2031-05-02 点击:"
        head.dates.extend(HeadDate(at, BARE, found) for found in line.dates[:1] if found.year)
        return []
    if kind in ("date", "updated") and line.dates:
        head.dates.append(HeadDate(at, line.rank, line.dates[0]))
        # The rest may name the publisher, as in "KCNA Date: 23/10/2025 | Source: KCNA.kp".
        named = names_in(at, line, SPLIT.split(value))
        return named or [Entry(at, line.beside, line)] if size(line.beside) >= 5 else named
    return None


def _choose(head: Head, entries: list[Entry], lines: Sequence[Line], meta_at: int, repeats: Repeats) -> None:
    """Choose title and publisher among `entries`. Other lines below the title become the lead of the text."""
    entries = list(_join_headlines(entries))
    dated = {each.at: each.found for each in head.dates if lines[each.at].alone}
    below = [line for line in lines[head.body_at : head.body_at + 40] if line.kind is Kind.TEXT][:16]
    texts = {line.text for line in lines}
    entries = [entry for entry in entries if f"{entry.text}へ戻る" not in texts]  # a section of the site
    free = [entry for entry in entries if not entry.named and not _is_dateline(entry.line)]
    title = None
    if head.title:
        head.sure = LABELLED
    elif choice := choose_title(free, below, repeats, dated, head.body_at):
        title, head.sure = choice.entry, confidence(choice)
        # Of the same headline with and without the name of the site, take the shorter one.
        same = [entry.text for entry in free if repeats.same(entry.text, title.text)]
        same = [text for text in same if not is_cut_off(text)] or same
        head.title, head.title_at = min(same, key=len), title.at
        head.site = next((site for text in same if (site := split_site(text, {head.title})[1])), "")
    rest = [entry for entry in entries if entry is not title and not repeats.same(entry.text, head.title)]
    opening = " ".join(line.text for line in below)[:4000].casefold()
    publisher = _best_publisher(rest, opening, title)
    # Of "Ministry of Health | Caring for Merrin", the name without the motto.
    named = max(publisher.text.split(" | "), key=organisation_score) if publisher else ""
    head.publisher = named.lstrip("•·-–*▪■●○◆◇ ")
    head.labelled = publisher is not None and publisher.named
    start = max(head.title_at, repeats.last)
    texts = {line.text for line in lines[head.body_at :]}
    may_lead = [
        entry
        for number, entry in enumerate(rest)
        if entry is not publisher
        and not _is_twin(rest, number)
        and not entry.named
        and not (entry.by_date or entry.below_related)
        and entry.at > start
        and not opening.startswith(entry.text.casefold().rstrip(" ."))
        and _may_lead(entry, head)
        # A list above the text of the headings in it is furniture.
        and not (entry.line.bullet and even_bullet(entry.text).removeprefix("- ") in texts)
    ]
    leads: list[Entry] = []
    for entry in reversed(may_lead):
        # A shorter line right above a subtitle is its first line.
        above = bool(leads) and leads[0].at == entry.at + 1 and entry.line.size >= _FEWEST_LEAD / 2
        if above or _leads(entry, head, meta_at):
            leads.insert(0, entry)
    head.leads = [even_bullet(entry.text) for entry in leads]


def _is_twin(entries: Sequence[Entry], number: int) -> bool:
    """Return whether a line stands twice in a row, as the words of a picture and its caption do."""
    beside = (*entries[max(0, number - 1) : number], *entries[number + 1 : number + 2])
    return any(each.text == entries[number].text for each in beside)


def _may_lead(entry: Entry, head: Head) -> bool:
    """Return whether a line below the title could belong to the text: it is no name and no byline."""
    text, words, dates = entry.text, entry.line.size, entry.line.dates
    byline = bool(dates) and dates[0].year is not None and size(text) <= 9
    if byline or split_site(text)[0] != text:
        return False  # split_site knows "For immediate release: Ada Finch"
    repeats = text.casefold() in head.title.casefold()
    return not ((entry.line.bullet and words < 4) or repeats or is_name(text) or is_office(text))


def _leads(entry: Entry, head: Head, meta_at: int) -> bool:
    """Return whether a line below the title belongs to the text: a subtitle, or a heading right above it."""
    text, words = entry.text, entry.line.size
    if entry.at == head.body_at - 1 and ends_sentence(text):
        return True
    if entry.at < meta_at:
        return words >= 5
    if _HEADING.fullmatch(text):
        return True
    return words >= _FEWEST_LEAD and not _VALUE.fullmatch(text)


def _best_publisher(rest: list[Entry], below: str, title: Entry | None) -> Entry | None:
    scored: list[tuple[float, int, Entry]] = []
    for number, entry in enumerate(rest):
        if size(entry.text) > 16:
            continue
        scored.append((entry.publisher_score(below, title, alone=len(rest) == 1), -number, entry))
    best = max(scored, key=lambda each: each[:2], default=None)
    return best[2] if best and best[0] >= (1 if best[2].named else NAME) else None


def _join_headlines(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield `entries`, with the lines of a headline that was split over several lines joined."""
    made: Entry | None = None
    last_at = -1
    for entry in entries:
        if made is not None and entry.at == last_at + 1 and not entry.line.gap and _continues(made, entry):
            made = Entry(made.at, f"{made.text} {entry.text}", made.line)
        else:
            if made is not None:
                yield made
            made = entry
        last_at = entry.at
    if made is not None:
        yield made


_CUT = re.compile(
    r"(?:[,\-–—]|\b(?:of|the|and|for|in|on|to|a|an|at|by|with|from|as|der|die|das|und|de|la|le|et|y|in|que|del))\Z"
)


def _continues(first: Entry, second: Entry) -> bool:
    if first.named or second.named or first.by_date or second.by_date or len(first.text) > 200:
        return False
    if size(first.text) < 3 or is_name(second.text) or second.line.dates or second.line.bullet:
        return False
    if is_name(first.text) and size(first.text) <= 9:
        return False
    if is_capitals(first.text) and is_capitals(second.text):
        return True
    if IMMEDIATE.match(first.text):  # "For immediate release: Port of Halden" and "opens its quay"
        return not ends_sentence(first.text)
    return bool(_CUT.search(first.text)) or second.text[:1].islower()
