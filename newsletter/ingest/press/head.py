"""Read title, publisher and dates from the lines above the text, in any order. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from newsletter.ingest.press.clean import Line
from newsletter.ingest.press.dates.dateline import read_dateline
from newsletter.ingest.press.dates.find import FoundDate, find_dates
from newsletter.ingest.press.lines.contacts import contact_lines
from newsletter.ingest.press.lines.furniture import is_menu, is_share_bar, kind_of
from newsletter.ingest.press.lines.furniture_patterns import Kind
from newsletter.ingest.press.lines.labels import (
    BARE,
    BYLINE,
    DATE_WORD,
    EMBARGOED,
    LABELLED,
    NAME,
    PUBLISHER_LABEL,
    SPLIT,
    beside_dates,
    date_line,
    is_time,
    weigh,
)
from newsletter.ingest.press.lines.organisations import is_agency, is_office, organisation_score
from newsletter.ingest.press.lines.shape import is_bullet, is_sentence, size
from newsletter.ingest.press.title_and_publisher import (
    LONGEST_TITLE,
    Entry,
    best_part,
    best_publisher,
    best_title,
    join_headlines,
)

_LONGEST_HEAD = 200
_LEANS_ON_DATE = re.compile(r"\S\s(?:on|of|for|in|since|until|from|by|before|after|am|ab|le|el|vom|bis)\s\Z")
_PERSON = r"(?:[A-Z][\w.’'-]+ ){1,3}[A-Z][\w’'-]+"
_PEOPLE = re.compile(rf"{_PERSON}(?:,? and |, )(?:{_PERSON}(?:,? and |, |$))+")
_HEADING = re.compile(
    r"(?:key (?:takeaways|points|facts|findings)|summary|overview|highlights|main points"
    r"|in brief|abstract|introduction|background):?",
    re.IGNORECASE,
)
_TRAILING = re.compile(
    r"(?:,?\s+(?:posted|published|updated|released|issued|dated|on))?(?:\s+\d{1,2}[:.]\d\d)?\Z", re.IGNORECASE
)
_DOMAIN = re.compile(r"\S+\.[a-z]{2,8}(?:\s\(.{1,12}\))?")


@dataclass
class Head:
    """The contents of the lines above the text. `body_at` is the index of the first line of the text."""

    title: str = ""
    publisher: str = ""
    dates: list[tuple[int, FoundDate]] = field(default_factory=list)
    leads: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    body_at: int = 0


def read_head(lines: Sequence[Line]) -> Head:
    """Read the lines above the text. `title` is "" if none of them can be a title."""
    head = Head()
    entries: list[Entry] = []
    skipped = contact_lines(lines[:_LONGEST_HEAD])
    meta_at = -1
    for at, line in enumerate(lines[:_LONGEST_HEAD]):
        head.body_at = at
        if at in skipped:
            head.contacts.append(line.text)
            continue
        if not _is_meta(line.text) and _is_body(line.text, entries, lines, at):
            break
        made = _read_line(at, line, head)
        if made is None:
            meta_at = at
            continue
        entries.extend(entry for entry in made)
        meta_at = at if any(entry.named or entry.by_date for entry in made) else meta_at
    else:
        head.body_at = min(len(lines), _LONGEST_HEAD)
    _choose(head, entries, lines, meta_at)
    return head


def _is_meta(text: str) -> bool:
    """Return whether a line is furniture or has the date, and so cannot be the first line of the text."""
    if kind_of(text) is not Kind.TEXT or date_line(text) is not None or is_time(text):
        return True
    return "|" in text and len(text) < 200 and bool(find_dates(text))


def _is_body(text: str, entries: list[Entry], lines: Sequence[Line], at: int) -> bool:
    titled = any(not entry.named and not is_menu(entry.text.casefold()) for entry in entries)
    if is_bullet(text):
        return titled and size(text) >= 4
    dateline = read_dateline(text)
    prose = is_sentence(text) or (dateline is not None and len(text) > 60 and len(text) - dateline.end > 30)
    if not prose and titled and text.endswith((":", "：")) and size(text) >= 6:
        return True
    if not prose or any(pattern.match(text) for kind, pattern in LABELLED if kind == "title"):
        return False
    if titled:
        return True
    # The very first line may be a headline that ends with a full stop. It is text if it is too long for one.
    return len(text) > LONGEST_TITLE or at + 1 >= len(lines)


def _read_line(at: int, line: Line, head: Head) -> list[Entry] | None:
    """Return the possible titles and publishers in a line of the head, or None if it has neither.

    Dates in the line are added to `head.dates`.
    """
    text = line.text
    if (dated := date_line(text)) is not None:
        head.dates.append(dated)
        return None
    labelled = _read_label(at, line, head)
    if labelled is not None:
        return labelled
    if is_time(text) or _PEOPLE.fullmatch(text):
        return None
    return _read_plain(at, line, head)


def _read_plain(at: int, line: Line, head: Head) -> list[Entry] | None:
    """Read a line that is not just a date and has no label."""
    text = line.text
    kind = kind_of(text)
    if kind is not Kind.TEXT:
        # Lines such as "PRESS RELEASE | 12 November 2025" and an embargo have a date.
        head.dates.extend(weigh(text, [found]) for found in find_dates(text)[:1] if kind is Kind.WEAK)
        return None
    hit = BYLINE.match(text)
    if hit and size(text) <= 14:
        return _read_byline(at, line, hit["who"], head)
    dates = find_dates(text)
    if dates and size(text) <= 16 and not is_sentence(text):
        return _read_mixed(at, line, dates, head)
    parts = SPLIT.split(text)
    named = [part for part in parts if kind_of(part) is Kind.TEXT]
    if len(named) == 1 and len(parts) > 1 and _is_name(named[0]):
        return [Entry(at, named[0], line.gap, named=True)]  # "European Commission - Press release"
    return [Entry(at, text, line.gap)]


def _is_name(text: str) -> bool:
    return organisation_score(text) >= NAME


def _read_label(at: int, line: Line, head: Head) -> list[Entry] | None:
    for kind, pattern in LABELLED:
        hit = pattern.match(line.text)
        if not hit:
            continue
        value = line.text[hit.end() :].strip()
        if kind == "title" and value:
            head.title = head.title or value
            return []
        if kind == "publisher" and 0 < size(value) <= 12:
            return _without_dates(at, line, value, head)
        if kind == "author" and size(value) <= 10:
            return []
        if kind in DATE_WORD and (dates := find_dates(value)):
            head.dates.append((DATE_WORD[kind], dates[0]))
            # The rest may name the publisher, as in "KCNA Date: 23/10/2025 | Source: KCNA.kp".
            return _names_in(at, line, SPLIT.split(value))
    return None


def _without_dates(at: int, line: Line, value: str, head: Head) -> list[Entry]:
    dates = find_dates(value)
    head.dates.extend((BARE, found) for found in dates[:1])
    rest = beside_dates(value, dates) if dates else value
    first = SPLIT.split(rest)[0] if "|" in rest else rest
    # Cut off a second label ("Source: X Editor: Y", "来源：X 时间：Y"), and the text of a "Follow" button.
    first = re.split(r"\s+[^\s:：]{1,12}\s?[:：]", first, maxsplit=1)[0].removesuffix(" Follow").strip(" ,")
    if not first or first.startswith("http") or _DOMAIN.fullmatch(first.casefold()):
        return []
    return [Entry(at, first, line.gap, named=True)]


def _read_byline(at: int, line: Line, who: str, head: Head) -> list[Entry]:
    dates = find_dates(who)
    head.dates.extend((BARE, found) for found in dates[:1])
    plain = who[: dates[0].start] if dates else who
    if "," not in plain.strip(" ,"):
        return _names_in(at, line, [*SPLIT.split(plain), plain])
    return _names_in(at, line, [*reversed(plain.split(",")), *reversed(SPLIT.split(plain)), plain])


def _names_in(at: int, line: Line, parts: Sequence[str]) -> list[Entry]:
    for part in parts:
        bare = part.strip(" ,|-–—")
        label = next((hit.end() for _, pattern in LABELLED if (hit := pattern.match(bare))), 0)
        if bare and not find_dates(bare) and (_is_name(bare[label:]) or is_agency(bare[label:])):
            return [Entry(at, bare[label:].strip(), line.gap, named=True)]
    return []


def _read_mixed(at: int, line: Line, dates: list[FoundDate], head: Head) -> list[Entry]:
    """Read a line with a date and more: "Ministry of X | 23 October 2025", "By X, October 23", a title."""
    rest = _TRAILING.sub("", beside_dates(line.text, dates))
    edge = dates[0].start == 0 or not beside_dates(line.text[dates[-1].end :], []) or "|" in line.text
    parts = [part.strip(" ,") for part in SPLIT.split(rest) if part.strip(" ,")]
    for part in parts:
        label = PUBLISHER_LABEL.search(part)
        if label:
            head.dates.append(weigh(line.text, dates))
            return _without_dates(at, line, part[label.end() :], head)
    parts = [part for part in parts if kind_of(part) is Kind.TEXT and not is_share_bar(part.casefold())]
    by = next((hit for part in parts if (hit := BYLINE.match(part))), None)
    named = [part for part in parts if _is_name(part)]
    # "What changes on 1 January" is a headline. "Ministry of Roads, 1 January 2025" is a name with a date.
    small = any(word.islower() for word in rest.split()) and all(each.year is None for each in dates)
    headline = _LEANS_ON_DATE.search(line.text[: dates[0].start]) or small
    if headline and not by and "|" not in line.text and size(rest) >= 2:
        head.dates.append((EMBARGOED, dates[0]))
        return [Entry(at, line.text, line.gap)]
    if by or named or (edge and size(rest) <= (4 if "|" in line.text else 3)) or not parts:
        head.dates.append(weigh(line.text, dates))
        if named and not by:
            return [
                Entry(at, named[0], line.gap, named=len(named) == 1 and size(named[0]) <= 9, by_date=True)
            ]
        if by:
            return _read_byline(at, line, by["who"], head) or _names_in(at, line, named)
        # The text beside a date is more often a place than a publisher, unless a bar separates them.
        telling = [part for part in parts[:1] if "|" in line.text or is_agency(part) or _is_name(part)]
        return [Entry(at, part, line.gap, by_date=True) for part in telling if "," not in part]
    # A headline with a date. It is the day of the event, so any other date is better evidence.
    head.dates.append((EMBARGOED, dates[0]))
    return [Entry(at, line.text, line.gap)]


def _choose(head: Head, entries: list[Entry], lines: Sequence[Line], meta_at: int) -> None:
    """Choose title and publisher among `entries`. Other lines below the title become the lead of the text."""
    below = " ".join(line.text for line in lines[head.body_at : head.body_at + 12])[:4000].casefold()
    entries = join_headlines(entries)
    free = [entry for entry in entries if not entry.named]
    title = None if head.title else best_title(free, below)
    if title is not None:
        head.title = title.text
    rest = [entry for entry in entries if entry is not title]
    publisher = best_publisher(rest, below, title, head.title)
    head.publisher = best_part(publisher.text) if publisher else ""
    start = title.at if title else -1
    head.leads = [
        entry.text
        for entry in rest
        if entry is not publisher
        and not entry.named
        and not entry.by_date
        and entry.at > start
        and _leads(entry, head, meta_at)
    ]


def _leads(entry: Entry, head: Head, meta_at: int) -> bool:
    """Return whether a line below the title belongs to the text: a subtitle, or a heading right above it."""
    text = entry.text
    if text.casefold() in head.title.casefold() or organisation_score(text) >= NAME or is_office(text):
        return False
    if entry.at < meta_at:
        return size(text) >= 5
    if _HEADING.fullmatch(text):
        return True
    return size(text) >= 3 and not (size(text) <= 5 and re.fullmatch(r"[^,]{2,30}, [^,.]{2,30}", text))
