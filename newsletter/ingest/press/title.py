"""Choose the title among the lines above the text. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from newsletter.ingest.press.dates.find import FoundDate
from newsletter.ingest.press.lines.furniture import Kind
from newsletter.ingest.press.lines.line import NAME, Line
from newsletter.ingest.press.lines.organisations import (
    is_wire,
    looks_like_name,
    organisation_score,
)
from newsletter.ingest.press.lines.shape import is_cut_off, size

LONGEST_TITLE = 300
_LOOK_FOR_REPEATS = 60
_COMPARED = 3000
_NEAR_TEXT = 3
_LONGEST_SITE = 10
_TELLING = 3
_LONG_HEADLINE = 40  # a shorter text may be the ending of another headline by chance
_SITE_MARKS = (" | ", " :: ", " - ", " – ", " — ", " > ", " » ")
_KIND_BEFORE = re.compile(
    r"(?:release|news|press release|media advisory)\s?[–—:-]\s"
    r"|[\[【](?:news|press release|プレスリリース|ニュース(?:リリース)?|お知らせ|보도자료)[\]】]\s*(?=\S)",
    re.IGNORECASE,
)
IMMEDIATE = re.compile(r"for immediate release\s?[:–—-]\s?(?=\S)", re.IGNORECASE)
_LEANS = re.compile(r"(?:\b(?:on|of|am|vom|le|el|del|di|den)\s|[,(（\[【])\s*\Z", re.IGNORECASE)
_NUMBERED = re.compile(r"\d{1,2}[.)] ")
_WORD = re.compile(r"[^\W\d_]+")
_ASIAN = re.compile(r"[\u0e01-\u0eff\u1000-\u109f\u1780-\u17dd\u3041-\u9fff\uac00-\ud7a3]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the head that may be a title or a publisher. `named`: its label says a publisher.

    `below_related`: the heading of a list of other pages is right above.
    """

    at: int
    text: str
    line: Line
    named: bool = False
    by_date: bool = False
    below_related: bool = False

    @property
    def name_score(self) -> int:
        """How much the text looks like the name of an organisation."""
        return self.line.score if self.text == self.line.text else organisation_score(self.text)

    @property
    def may_be_title(self) -> bool:
        """Whether the line could be a headline, so that text may begin below it."""
        return not self.named and not self.line.bullet and not self.by_date and size(self.text) >= 2

    def publisher_score(self, below: str, title: Entry | None, *, alone: bool) -> float:
        """Return how much the line looks like the publisher. `below` is the casefolded text."""
        words, name = size(self.text), looks_like_name(self.text)
        beside = title is not None and abs(self.at - title.at) == 1
        if self.line.bullet and not self.named and self.text[0] in "*+0123456789":
            return 0.0  # an item of a menu or of a breadcrumb
        score = float(self.name_score) - (9 if self.text[-1] in ":：" else 0)
        begins = title is not None and title.text.startswith(f"{self.text} ")
        below_it = title is not None and self.at == title.at + 1
        # One word alone is more often a section of the site, such as "Incidents".
        known = words >= 2 or self.text.isupper() or self.text.casefold() in below
        only = alone and beside and known
        telling = self.named or self.by_date or (name and (begins or below_it or only))
        if score < 2 and not telling:
            return score  # the name of a section of the site, or the words of a picture
        score += 3 if self.named else 0
        score += 2 if 4 <= len(self.text) <= 60 and self.text.casefold() in below else 0
        near = title is not None and abs(self.at - title.at) <= 2
        score += 1 if words <= 4 and near and "," not in self.text else 0
        score += 1 if name else 0
        score += 1 if name and only else 0
        score += 2 if begins else 0
        return score


class Repeats:
    """The lines of the head that stand there twice, as headlines do, also with the name of the site behind.

    A breadcrumb that ends with the headline, a headline with its author behind, and one that was cut off with
    three dots are repetitions, too. `last` is the index of the last repetition. The text does not begin above
    it, and not above `text_at`: it begins at `body_from` or below.
    """

    def __init__(self, lines: Sequence[Line], text_at: int = 0) -> None:
        self._count: dict[str, int] = {}
        self._other: dict[str, str] = {}
        self.last, self.body_from = -1, text_at
        first: set[str] | None = None
        begins: dict[str, int] = {}
        # What stands twice below the first sentence is a row of a table, if a headline can be above it.
        text_at = next((at for at, line in enumerate(lines) if line.prose and not line.open), len(lines))
        # The name of the publisher may stand above the text and again in the contacts below it.
        last_prose = max((at for at, line in enumerate(lines) if line.prose), default=-1)
        candidates = list(_candidates(lines[:_LOOK_FOR_REPEATS]))
        self._find_longer([line.text for _, line, _ in candidates])
        headed = any(at < text_at <= at + _NEAR_TEXT and line.size >= 5 for at, line, _ in candidates)
        for at, line, twin in candidates:
            keys = self._keys(line.text)
            repeated = next((key for key in keys if key in self._count), None)
            if repeated is not None and twin and first is None and len(self._count) > 1:
                continue  # the words of a picture and its caption
            if at > last_prose >= 0:
                break
            if repeated is not None and headed and begins[repeated] > text_at:
                continue
            if repeated is not None and line.score < 4 and (first is None or repeated in first):
                self.last, self.body_from = at, max(text_at, at + 1)
                first = first or set(keys)
            for key in keys:
                self._count[key] = self._count.get(key, 0) + 1
                begins.setdefault(key, at)

    def _find_longer(self, texts: list[str]) -> None:
        """Note each line that is another one with more words before or behind."""
        bare = [text.casefold().strip(" .…") for text in texts]
        for at, long in enumerate(bare):
            for below, short in enumerate(bare):
                if len(short) >= len(long):
                    continue
                cut = is_cut_off(texts[below]) and long.startswith(short)
                longer = cut or _is_longer(long, short, above=at < below)
                # The name of the site may stand behind its own motto.
                if longer and (cut or organisation_score(texts[below]) < NAME):
                    self._other[long] = short

    def _keys(self, text: str) -> list[str]:
        keys = list(_keys(text))
        other = self._other.get(text.casefold().strip(" .…"))
        return [*keys, other] if other and other not in keys else keys

    def times(self, text: str) -> int:
        """Return how often a line stands in the head."""
        return max((self._count.get(key, 0) for key in self._keys(text)), default=0)

    def same(self, text: str, title: str) -> bool:
        """Return whether two lines of the head are one headline."""
        return not set(self._keys(text)).isdisjoint(self._keys(title))


def same_headline(text: str, title: str) -> bool:
    """Return whether two lines are one headline."""
    return not set(_keys(text)).isdisjoint(_keys(title))


def _candidates(lines: Sequence[Line]) -> Iterator[tuple[int, Line, bool]]:
    """Yield the lines that may be a headline, with their index, and whether the line above is the same."""
    prose = 0
    for at, line in enumerate(lines):
        prose += line.prose and not line.open
        short = line.size < 3 and len(line.text) < 12
        sentences = (line.prose and not line.open) or len(line.text) > 500
        if line.kind is not Kind.TEXT or line.alone or short or sentences or prose > 3:
            continue
        twin = at > 0 and not line.gap and lines[at - 1].text == line.text
        yield at, line, twin


def _is_longer(long: str, short: str, *, above: bool) -> bool:
    """Return whether `long` is the headline `short` with a breadcrumb before it, or its author behind it."""
    if _NUMBERED.fullmatch(long.removesuffix(short)):
        return True  # the last item of a breadcrumb
    glued = len(short) >= _LONG_HEADLINE and long.endswith(short)
    if glued or long.endswith(f" {short}"):
        return size(short) >= 5 and size(long) - size(short) <= 12
    if not above or not long.startswith(f"{short} "):
        return False
    return size(short) >= 3 and size(long) - size(short) <= 2


def _keys(text: str) -> Iterator[str]:
    low = text.casefold().strip(" .…")
    yield low
    for mark in _SITE_MARKS:
        before, found, _ = low.rpartition(mark)
        if found and len(before) >= 15:
            yield before.strip()
    bare = _KIND_BEFORE.sub("", IMMEDIATE.sub("", low, count=1), count=1)
    if bare != low:
        yield from _keys(bare)


@dataclass(frozen=True)
class Choice:
    """The line that was chosen as the title, and what it was chosen by.

    `below` is the casefolded text, and `grams` the pieces of its words. `dates` are the indexes of lines that
    are only a date. `body_at` is the index of the first line of the text.
    """

    number: int
    scores: Sequence[float]
    entries: Sequence[Entry]
    below: str
    grams: set[str]
    repeats: Repeats
    dates: Collection[int]
    body_at: int

    @property
    def entry(self) -> Entry:
        return self.entries[self.number]

    @property
    def score(self) -> float:
        return self.scores[self.number]

    @property
    def margin(self) -> float:
        """How much higher the score is than that of the best other line."""
        pairs = zip(self.entries, self.scores, strict=True)
        others = [score for each, score in pairs if each is not self.entry and not self.same(each)]
        return self.score - max(others, default=0.0)

    @property
    def times(self) -> int:
        """How often the line stands in the head."""
        return self.repeats.times(self.entry.text)

    def same(self, other: Entry) -> bool:
        """Return whether another line is the same headline."""
        return self.repeats.same(other.text, self.entry.text)


def choose_title(
    entries: list[Entry], below: Sequence[Line], repeats: Repeats, dated: dict[int, FoundDate], body_at: int
) -> Choice | None:
    """Return the most likely title and what it was chosen by, or None if there is no entry.

    `dated` are the dates that are alone on their line, by its index. A headline often stands beside one.
    """
    if not entries:
        return None
    text = " ".join(line.text for line in below if line.size >= 4)[:_COMPARED]
    grams = set(pieces(text))
    opening = text.casefold()
    scores = [
        _score(entry, at, entries, grams, repeats, dated)
        - (
            3 if opening.startswith(entry.text.casefold().rstrip(" .")) else 0
        )  # a subtitle that the text repeats
        for at, entry in enumerate(entries)
    ]
    best = max(range(len(entries)), key=lambda at: (scores[at], -at))
    return Choice(best, scores, entries, opening, grams, repeats, dated, body_at)


def _same_day(one: FoundDate, other: FoundDate) -> bool:
    return (one.month, one.day) == (other.month, other.day) and one.year in (None, other.year)


def _by_dates(entry: Entry, dated: dict[int, FoundDate]) -> float:
    """Return the points that a line gets for the dates beside it and inside it."""
    score = 1.5 if entry.at + 1 in dated else 1.0 if entry.at - 1 in dated else 0.0
    if entry.line.dates and not entry.line.prose:
        # "Harbour news for 18 June 2024" names the issue, if this is also the day of publication.
        leans = _LEANS.search(entry.text[: entry.line.dates[0].start])
        score += -1 if not leans and any(_same_day(entry.line.dates[0], day) for day in dated.values()) else 1
    return score


def _score(
    entry: Entry,
    number: int,
    entries: list[Entry],
    grams: set[str],
    repeats: Repeats,
    dated: dict[int, FoundDate],
) -> float:
    # In a script without spaces, `size` counts one word of a menu, such as "ビューティー", as more than one.
    text, words = (
        entry.text,
        size(entry.text) - (" " not in entry.text and _ASIAN.match(entry.text) is not None),
    )
    score = 4.0 if words >= 4 else 2.5 if words >= 3 else 0.5 if words >= 2 else -1.0
    score += 5 * share_of(text, grams) + _by_dates(entry, dated)
    named = 1.5 * max(0, entry.name_score - 1)
    score -= min(3.0, named) if words >= 4 else named
    score -= 3 if words < 4 and any(text in other.text and text != other.text for other in entries) else 0
    times = repeats.times(text)
    score += 1 + times if 1 < times <= 4 else 0
    if looks_like_name(text):
        score -= 3 if any(each.line.size >= 4 and not looks_like_name(each.text) for each in entries) else 1
    # Below a heading such as "Latest news", a headline is of another page, unless it is the only one.
    listed = entry.below_related and any(each is not entry and size(each.text) >= 4 for each in entries)
    score -= 4 if listed or is_wire(text) else 0
    score += 4 if entry.line.mark == "#" else -3 if entry.line.bullet else 0
    score -= 2 if text.endswith((":", "：")) else 0
    score -= 1 if entry.line.prose and not entry.line.open else 0
    # A subtitle stands below its title and often has more words of the text.
    above = entries[number - 1] if number else None
    listed = above is None or above.line.bullet or above.below_related
    if above is not None and not listed and entry.at - above.at <= 8 and size(above.text) >= 4:
        name = above.line.score >= NAME or looks_like_name(above.text) or is_wire(above.text)
        score -= 0 if name else 3 if size(above.text) >= 5 else 2
    return score


def share_of(text: str, grams: set[str]) -> float:
    """Return the share of the pieces of words in `text` that are among `grams`, 0 to 1.

    One or two pieces tell little: the text may have them by chance.
    """
    own = list(pieces(text))
    return sum(gram in grams for gram in own) / max(len(own), _TELLING)


def pieces(text: str) -> Iterator[str]:
    """Yield the beginnings of the words of `text`, and pairs of characters in scripts without spaces."""
    for word in _WORD.findall(text.casefold()):
        if _ASIAN.match(word):
            yield from (word[at : at + 2] for at in range(len(word) - 1))
        elif len(word) >= 4:
            yield word[:5]


def split_site(title: str, lines: Collection[str] = ()) -> tuple[str, str]:
    """Return the headline, and the name of the site that pages append to it, or "".

    A headline that is also one of `lines` of the page is whole, and what follows it is the site.
    """
    title = _KIND_BEFORE.sub("", IMMEDIATE.sub("", title, count=1), count=1)
    for mark in _SITE_MARKS:
        before, found, after = title.rpartition(mark)
        if not found or len(before) < 15:
            continue
        # A site begins with a capital. Inside a headline, the words after a dash go on in small characters.
        site = organisation_score(after) >= 4 and not after[:1].islower()
        if site or before.strip() in lines:
            named = site or (after[:1].isupper() and size(after) <= _LONGEST_SITE)
            return before.strip(), after.strip() if named else ""
    return title, ""
