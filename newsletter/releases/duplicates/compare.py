"""Compare two releases word by word: whether one could be a copy of the other, and what differs. Pure.

A copy on another site has another dateline, another ending about the publisher, or an end that is cut off. A
notice that recurs has the same sentences with other figures, names or dates. So what matters is where two
texts differ, and in which words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from newsletter.releases.duplicates.fingerprint import shingles
from newsletter.releases.fold import fold
from newsletter.releases.search.words import runs

# The words at the beginning of a text that make its lead.
LEAD = 45
# Only this much of a text is compared word by word. The rest has to be equal.
MOST_CHARACTERS = 30_000
# The words of a body of this length take about 1 MB.
LONGEST_KEPT = 20_000
# Parts that differ are compared word by word only if both are at most this long.
MOST_WORDS = 1_500
# A copy may have one replaced word for each this many words.
WORDS_FOR_AN_EDIT = 60
# How many words a dateline at the beginning has at most, and a paragraph about the publisher at the end has
# at least.
LONGEST_START, SHORTEST_END = 12, 6
_LONGEST_END = 0.3
_WORDS_BEFORE_END = 60
_DATELINE = re.compile(r"\s*(?:[^\n.!?]|(?<=\d)\.){2,70}?(?:\s[-–—]{1,2}|\s?/{1,2}\s?-{0,2})\s")
_SIGN = r"(?P<sign>(?<![^\s(])[-−–+](?=\d)|[%‰$€£¥])"
_PARAGRAPH = re.compile(r"\n\s*")
# Words that sites put before a headline.
_LABELS = (
    "press release", "media release", "news release", "pressemitteilung", "medienmitteilung",
    "communiqué de presse", "nota de prensa", "pranešimas spaudai", "プレスリリース", "報道発表",
)  # fmt: skip


class Sample(NamedTuple):
    """The parts of a release that are compared."""

    title: str
    publisher: str
    body: str
    day: date


@dataclass(frozen=True)
class Likeness:
    """How much of two releases is the same.

    `shared` is the part of the shorter text's shingles that the longer one has. `covered` is the part of the
    new text that the known one has. `words` is the length of the shorter text. `differs` names what
    differs: title, figures, names, words, text. `is_equal`: both have the same words.
    """

    shared: float
    covered: float
    words: int
    differs: tuple[str, ...] = ()
    is_equal: bool = False


class Word(NamedTuple):
    """A word: folded for comparison, and what it looks like where it stands."""

    folded: str
    is_figure: bool = False
    is_capital: bool = False
    is_lower: bool = False
    begins: bool = False  # a paragraph


def compare(known: Sample, new: Sample) -> Likeness:
    """Return how much of two releases is the same, and what differs."""
    one, other = _body(known), _body(new)
    left, right = (set(shingles([each.folded for each in words])) for words in (one, other))
    both = len(left & right)
    shared = both / max(min(len(left), len(right)), 1)
    covered = both / max(len(right), 1)
    length = min(len(one), len(other))
    if shared < 0.4:
        return Likeness(shared, covered, length, ("text",))
    differs = dict.fromkeys([*_titles_differ(known, new), *_Bodies(known, new, one, other).differ()])
    if known.body[MOST_CHARACTERS:] != new.body[MOST_CHARACTERS:]:
        differs["text"] = None
    is_equal = [each.folded for each in one] == [each.folded for each in other]
    return Likeness(shared, covered, length, tuple(differs), is_equal and not differs)


def spelled_alike(one: str, other: str) -> bool:
    """Return whether two words are probably the same word with a spelling mistake.

    Words with opposite prefixes, such as increase and decrease, are not.
    """
    alike = SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.8
    return one[:1] == other[:1] and min(len(one), len(other)) >= 4 and alike


def read_words(text: str) -> list[Word]:
    """Return the words of a text. In scripts without spaces, each character is one. A sign is one too."""
    found = []
    starts = {0, *(each.end() for each in _PARAGRAPH.finditer(text))}
    for run in _pattern().finditer(text):
        word, kind = run[0], run.lastgroup
        if kind == "sign":
            found.append(Word(word, is_figure=True))
        elif kind == "inside":
            found.extend(
                Word(each, is_figure=each.isnumeric(), begins=run.start() + at in starts)
                for at, each in enumerate(word)
            )
        elif any(map(str.isalnum, word)):
            found.append(_word(word, begins=run.start() in starts))
    return found


def _word(text: str, *, begins: bool) -> Word:
    is_figure = any(map(str.isnumeric, text))
    first = text[0]
    folded = text.lower() if text.isascii() else fold(text)
    return Word(
        folded,
        is_figure,
        is_capital=any(map(str.isupper, text)),
        is_lower=first.islower() and text.islower(),
        begins=begins,
    )


@lru_cache
def _pattern() -> re.Pattern[str]:
    return re.compile(f"{_SIGN}|{runs().pattern}")


def _body(sample: Sample) -> list[Word]:
    """Return the words of a body, without the title at its beginning."""
    title, words = _folded(sample.title), _words_of_body(sample.body[:MOST_CHARACTERS])
    begins = [each.folded for each in words[: len(title)]]
    return words[len(title) :] if begins == title and len(words) > len(title) else words


def _words_of_body(body: str) -> list[Word]:
    """Return the words of a body. Those of short bodies are cached for the next comparisons."""
    return _kept_words(body) if len(body) <= LONGEST_KEPT else read_words(body)


@lru_cache(maxsize=16)
def _kept_words(body: str) -> list[Word]:
    return read_words(body)


def _titles_differ(known: Sample, new: Sample) -> Iterator[str]:
    """Yield "title" unless the titles have the same words, except the publisher's name and a label."""
    publishers = [_folded(known.publisher), _folded(new.publisher)]
    ones, others = (_bare(read_words(each.title), publishers) for each in (known, new))
    if not any(_same_title(one, other) for one, other in product(ones, others)):
        yield "title"


def _same_title(one: Sequence[Word], other: Sequence[Word]) -> bool:
    return len(one) == len(other) and all(
        mine.folded == its.folded or _is_typo(mine, its) for mine, its in zip(one, other, strict=True)
    )


def _bare(title: list[Word], publishers: Sequence[list[str]]) -> list[list[Word]]:
    """Return a title, also without a publisher's name and without a label at its beginning or end."""
    found = [title]
    for each in [*publishers, *_folded_labels()]:
        words, size = [word.folded for word in found[-1]], len(each)
        if size and len(words) > size and words[:size] == each:
            found.append(found[-1][size:])
        elif size and len(words) > size and words[-size:] == each:
            found.append(found[-1][:-size])
    return found


@lru_cache
def _folded_labels() -> tuple[list[str], ...]:
    return tuple(map(_folded, _LABELS))


def _is_typo(one: Word, other: Word) -> bool:
    return one.is_lower and other.is_lower and spelled_alike(one.folded, other.folded)


def _folded(text: str) -> list[str]:
    return [each.folded for each in read_words(text)]


class _Bodies:
    """Two bodies, and what differs between them."""

    def __init__(self, known: Sample, new: Sample, one: list[Word], other: list[Word]) -> None:
        self.one, self.other = one, other
        days = {known.day, new.day}
        self.dates = {part for day in days for part in _date_figures(day)}
        texts = (known.title, new.title, known.publisher, new.publisher)
        self.known = {word for text in texts for word in _folded(text)}
        self.lower = {each.folded for each in (*one, *other) if each.is_lower}
        self.datelines = (_dateline(known.body), _dateline(new.body))
        self.edits = 0

    def differ(self) -> Iterator[str]:
        """Yield what differs, perhaps several times."""
        for a, b, c, d in self._places():
            yield from self._judge(a, b, c, d)
        if self.edits > min(len(self.one), len(self.other)) // WORDS_FOR_AN_EDIT:
            yield "words"

    def _places(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield where the bodies differ: from and to in the one, from and to in the other."""
        one, other = ([each.folded for each in words] for words in (self.one, self.other))
        start, least = 0, min(len(one), len(other))
        while start < least and one[start] == other[start]:
            start += 1
        end = 0
        while end < least - start and one[-1 - end] == other[-1 - end]:
            end += 1
        one, other = one[start : len(one) - end], other[start : len(other) - end]
        if max(len(one), len(other)) > MOST_WORDS or _repeats(one) or _repeats(other):
            yield start, start + len(one), start, start + len(other)
            return
        for kind, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
            if kind != "equal":
                yield start + a, start + b, start + c, start + d

    def _judge(self, a: int, b: int, c: int, d: int) -> Iterator[str]:
        mine, its = self.one[a:b], self.other[c:d]
        if b <= self.datelines[0] and d <= self.datelines[1]:
            yield from self._judge_dateline(mine, its)
            return
        at_start = a == 0 and c == 0 and not (mine and its)
        at_end = b == len(self.one) and d == len(self.other)
        if not (at_start and self._is_start(mine or its)) and not (at_end and self._is_end(a, c)):
            yield from self._judge_words(mine, its, min(a, c) < LEAD)

    def _judge_dateline(self, mine: list[Word], its: list[Word]) -> Iterator[str]:
        """One dateline may have more than the other. Both may have figures of their dates."""
        if any(each.is_figure and each.folded not in self.dates for each in (*mine, *its)):
            yield "figures"
        elif mine and its and not all(each.is_figure for each in (*mine, *its)):
            yield "names"

    def _is_start(self, block: Sequence[Word]) -> bool:
        """Return whether a block may stand before a copy: a dateline, or the title again."""
        is_known = all(each.folded in self.known for each in block)
        dated = all(each.folded in self.dates for each in block if each.is_figure)
        return is_known or (dated and len(block) <= LONGEST_START and len(block) <= max(self.datelines))

    def _is_end(self, a: int, c: int) -> bool:
        """Return whether the bodies differ only in what follows a copy, or in where it is cut off."""
        mine, its = self.one[a:], self.other[c:]
        if not its:
            # The later text is shorter. `covered` says by how much.
            return len(mine) >= SHORTEST_END and c >= LEAD // 2
        for block, words in ((mine, self.one), (its, self.other)):
            is_short = len(block) < SHORTEST_END or len(block) > _LONGEST_END * len(words)
            if block and (is_short or not block[0].begins):
                return False
        return min(a, c) >= _WORDS_BEFORE_END

    def _judge_words(self, mine: list[Word], its: list[Word], in_lead: bool) -> Iterator[str]:
        block = (*mine, *its)
        if any(each.is_figure for each in block):
            yield "figures"
        elif any(each.is_capital and (in_lead or not self._is_common(each)) for each in block):
            yield "names"
        elif not all(each.is_lower or each.is_capital for each in block):
            # Nothing shows what is a name in a script without capitals.
            yield "words"
        elif len(mine) == len(its) == 1 and spelled_alike(mine[0].folded, its[0].folded):
            self.edits += 0 if in_lead else 1
        elif in_lead or max(len(mine), len(its)) > 3:
            yield "words"
        else:
            self.edits += 1

    def _is_common(self, word: Word) -> bool:
        """Return whether a word has a capital only at the start of a sentence: elsewhere it is lower-case."""
        return word.folded in self.lower


def _dateline(body: str) -> int:
    """Return how many words the dateline of a text has, such as HAMBURG, 3 March 2026 –; 0 without one."""
    found = _DATELINE.match(body[:200])
    words = read_words(found[0]) if found else []
    return len(words) if len(words) <= LONGEST_START and any(each.is_capital for each in words) else 0


def _date_figures(day: date) -> Collection[str]:
    return {
        str(day.year),
        str(day.year)[2:],
        *(form(part) for part in (day.month, day.day) for form in _FORMS),
    }


_FORMS = (str, "{:02}".format, "{}th".format, "{}er".format)


def _repeats(words: Sequence[str]) -> bool:
    """Return whether a text repeats few words so often that comparing it would take long."""
    return len(words) > 400 and len(set(words)) * 8 < len(words)
