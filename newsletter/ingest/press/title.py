"""Choose the title among the lines above the text, and say how sure the choice is. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from newsletter.ingest.press.dates.find import FoundDate
from newsletter.ingest.press.lines.furniture import Kind
from newsletter.ingest.press.lines.line import NAME, Line
from newsletter.ingest.press.lines.organisations import (
    is_like_sentence,
    is_wire,
    looks_like_name,
    organisation_score,
)
from newsletter.ingest.press.lines.shape import is_capitals, size

LONGEST_TITLE = 300
SURE = 0.5  # a field with less confidence than this waits for a person
_LOOK_FOR_REPEATS = 60
_COMPARED = 3000
_SITE_MARKS = (" | ", " :: ", " - ", " – ", " — ", " > ", " » ")
_KIND_BEFORE = re.compile(r"(?:release|news|press release|media advisory)\s?[–—:-]\s", re.IGNORECASE)
_IMMEDIATE = re.compile(r"for immediate release\s?[:–—-]\s?(?=\S)", re.IGNORECASE)
_LEANS = re.compile(r"\b(?:on|of|am|vom|le|el|del|di|den)\s+\Z", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_ASIAN = re.compile(r"[\u0e01-\u0eff\u1000-\u109f\u1780-\u17dd\u3041-\u9fff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the head that may be a title or a publisher. `named`: its label says a publisher."""

    at: int
    text: str
    line: Line
    named: bool = False
    by_date: bool = False

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
        score = float(self.name_score)
        begins = title is not None and title.text.startswith(f"{self.text} ")
        below_it = title is not None and self.at == title.at + 1
        telling = self.named or self.by_date or (name and (begins or below_it or (alone and beside)))
        if score < 2 and not telling:
            return score  # the name of a section of the site, or the words of a picture
        score += 3 if self.named else 0
        score += 1 if self.by_date else 0
        score += 2 if 4 <= len(self.text) <= 60 and self.text.casefold() in below else 0
        score -= 2 if is_wire(self.text) else 0
        near = title is not None and abs(self.at - title.at) <= 2
        score += 1 if words <= 4 and near and "," not in self.text else 0
        score += 1 if name else 0
        inside = title is not None and self.text.casefold() in title.text.casefold()
        score -= 3 if inside and not name and self.name_score < NAME else 0
        score += 1 if name and alone and beside else 0
        score += 2 if begins else 0
        return score


class Repeats:
    """The lines of the head that stand there twice, as headlines do, also with the name of the site behind.

    `body_from` is the index behind the last repetition. The text does not begin above it.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        self._count: dict[str, int] = {}
        self.body_from = 0
        self._first: set[str] | None = None
        prose = 0
        for at, line in enumerate(lines[:_LOOK_FOR_REPEATS]):
            prose += line.prose and not line.open
            short = line.size < 3 and len(line.text) < 12
            sentences = (line.prose and not line.open) or len(line.text) > 500
            if line.kind is not Kind.TEXT or line.alone or short or sentences or prose > 3:
                continue
            keys = list(_keys(line.text))
            repeated = next((key for key in keys if key in self._count), None)
            if repeated is not None and line.score < 4 and (self._first is None or repeated in self._first):
                self.body_from = at + 1
                self._first = self._first or set(keys)
            for key in keys:
                self._count[key] = self._count.get(key, 0) + 1

    def times(self, text: str) -> int:
        """Return how often a line stands in the head."""
        return max((self._count.get(key, 0) for key in _keys(text)), default=0)

    @staticmethod
    def same(text: str, title: str) -> bool:
        """Return whether two lines are one headline."""
        return not set(_keys(text)).isdisjoint(_keys(title))


def _keys(text: str) -> Iterator[str]:
    low = text.casefold().strip(" .")
    yield low
    for mark in _SITE_MARKS:
        before, found, _ = low.rpartition(mark)
        if found and len(before) >= 15:
            yield before.strip()
    bare = _KIND_BEFORE.sub("", low, count=1)
    if bare != low:
        yield bare


def choose_title(
    entries: list[Entry], below: Sequence[Line], repeats: Repeats, dated: dict[int, FoundDate]
) -> tuple[Entry | None, float]:
    """Return the most likely title, or None if there is no entry, and the confidence in it from 0 to 1.

    `dated` are the dates that are alone on their line, by its index. A headline often stands beside one.
    """
    if not entries:
        return None, 0.0
    text = " ".join(line.text for line in below if line.size >= 4)[:_COMPARED]
    grams = set(_grams(text))
    scores = [_score(entry, at, entries, grams, repeats, dated) for at, entry in enumerate(entries)]
    best = max(range(len(entries)), key=lambda at: (scores[at], -at))
    chosen = entries[best]
    return chosen, _confidence(best, scores[best], entries, text.casefold(), grams, repeats, dated)


# What each sign of a title adds to the confidence. The numbers come from a logistic regression on 475 titles,
# right and wrong ones. They are added up, and the sum becomes a probability.
_SIGNS = {
    "always": -2.5,
    "share of its words that the text has": 1.9,
    "score": 1.5,
    "fewer than four words": -1.7,
    "five words": 1.9,
    "seven words": 0.3,
    "long": -0.9,
    "words of a sentence": 0.8,
    "twice on the page": 0.4,
    "in capitals": 1.2,
    "form of a name": -1.1,
    "verbatim in the text": -1.0,
    "whole sentences": -1.4,
    "very long, without a date below": -1.0,
    "in brackets": -0.4,
    "list item": -0.3,
    "begins with a number": -0.5,
    "has a date": -0.5,
    "below a long line": 0.5,
    "date above": -0.7,
    "date below": 0.7,
    "many other lines": -0.5,
}


def _confidence(
    number: int,
    score: float,
    entries: Sequence[Entry],
    below: str,
    grams: set[str],
    repeats: Repeats,
    dated: dict[int, FoundDate],
) -> float:
    entry = entries[number]
    text, words = entry.text, size(entry.text)
    signs: dict[str, float] = {
        "always": 1,
        "share of its words that the text has": share_of(text, grams),
        "score": max(-1.0, min(12.0, score)) / 12,
        "fewer than four words": words < 3.5,
        "five words": words >= 5,
        "seven words": words >= 7,
        "long": len(text) > 140,
        "words of a sentence": is_like_sentence(text),
        "twice on the page": repeats.times(text) > 1,
        "in capitals": is_capitals(text),
        "form of a name": looks_like_name(text),
        "verbatim in the text": text.casefold() in below,
        "whole sentences": (entry.line.prose and not entry.line.open) or text[-1] in ".。",
        "very long, without a date below": len(text) > 180 and not any(at > entry.at for at in dated),
        "in brackets": text[0] in "([（【「[<" and text[-1] not in "”’",
        "list item": entry.line.bullet,
        "begins with a number": text[0].isdigit(),
        "has a date": bool(entry.line.dates),
        "below a long line": number > 0 and size(entries[number - 1].text) >= 4,
        "date above": any(at < entry.at for at in dated),
        "date below": any(at > entry.at for at in dated),
        "many other lines": min(len(entries), 8) / 8,
    }
    return 1 / (1 + math.exp(-sum(_SIGNS[name] * value for name, value in signs.items())))


def _same_day(one: FoundDate, other: FoundDate) -> bool:
    return (one.month, one.day) == (other.month, other.day) and one.year in (None, other.year)


def _by_dates(entry: Entry, dated: dict[int, FoundDate]) -> float:
    """Return what the dates beside the line and inside it add to its score."""
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
    text, words = entry.text, size(entry.text)
    score = 4.0 if words >= 4 else 2.5 if words >= 3 else 0.5 if words >= 2 else -1.0
    score += 5 * share_of(text, grams) + _by_dates(entry, dated)
    named = 1.5 * max(0, entry.name_score - 1)
    score -= min(3.0, named) if words >= 4 else named
    score -= 3 if words < 4 and any(text in other.text and text != other.text for other in entries) else 0
    times = repeats.times(text)
    score += 1 + times if 1 < times <= 4 else 0
    score += 1 if times > 1 and entry.at == 0 else 0
    if looks_like_name(text):
        score -= 3 if any(each.line.size >= 4 and not looks_like_name(each.text) for each in entries) else 1
    score += 0.5 if is_capitals(text) and words >= 4 else 0
    score -= 0.5 if looks_like_name(text) and words <= 4 else 0
    score -= 2 if entry.by_date else 0
    score -= 2 if len(text) > LONGEST_TITLE else 0
    score -= 2 if text.endswith((":", "：")) else 0
    score -= 1 if entry.line.prose and not entry.line.open else 0
    score -= 3 if entry.line.bullet or text[0] in "([（【〔" else 0
    score += 1 if number == 0 and entry.at + 1 in dated else 0
    # A subtitle stands below its title and often has more words of the text.
    above = entries[number - 1] if number else None
    if above is not None and entry.at - above.at <= 5 and size(above.text) >= 4 and not above.line.bullet:
        name = above.line.score >= NAME or looks_like_name(above.text)
        score -= 0 if name else 3 if size(above.text) >= 5 else 2
    return score


def share_of(text: str, grams: set[str]) -> float:
    """Return the share of the pieces of words in `text` that are among `grams`, 0 to 1."""
    own = list(_grams(text))
    return sum(gram in grams for gram in own) / len(own) if own else 0.0


def _grams(text: str) -> Iterator[str]:
    """Yield the beginnings of the words of `text`, and pairs of characters in scripts without spaces."""
    for word in _WORD.findall(text.casefold()):
        if _ASIAN.match(word):
            yield from (word[at : at + 2] for at in range(len(word) - 1))
        elif len(word) >= 4:
            yield word[:5]


def split_site(title: str) -> tuple[str, str]:
    """Return the headline, and the name of the site that pages append to it, or ""."""
    title = _IMMEDIATE.sub("", title, count=1)
    for mark in _SITE_MARKS:
        before, found, after = title.rpartition(mark)
        if found and len(before) >= 15 and organisation_score(after) >= 4:
            return before.strip(), after.strip()
    return title, ""
