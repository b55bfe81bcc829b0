"""Say how sure the choice of a title is: all rules that hold a release because of its title. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from newsletter.ingest.press.lines.line import NAME
from newsletter.ingest.press.lines.organisations import is_like_sentence, looks_like_name
from newsletter.ingest.press.lines.shape import is_capitals, is_cut_off, size, starts_small
from newsletter.ingest.press.title import Choice, Entry, pieces, share_of

# A title with less confidence than this waits for a person.
SURE = 0.5
# The source says which line is the title.
LABELLED = 1.0
# There is no headline. The first sentence stands for it.
FIRST_SENTENCE = 0.0
_NEAR = 3
_OPENING = 300
_ASCII_LETTERS = re.compile(r"[A-Za-z]")
_LETTERS = re.compile(r"[^\W\d_]")

# What each sign of a title adds to the confidence. The numbers come from a logistic regression on titles that
# the parser chose, right and wrong ones. They are added up, and the sum becomes a probability.
WEIGHTS: Mapping[str, float] = {
    "always": -1.4,
    "share of its words that the text has": 1.2,
    "share of its words that the opening has": 2.1,
    "score": 3.1,
    "fewer than four words": -2.8,
    "words of a sentence": 0.3,
    "twice on the page": 1.7,
    "in capitals": 1.7,
    "form of a name": -1.0,
    "name of an organisation": -1.3,
    "verbatim in the text": -3.1,
    "whole sentences": -1.8,
    "in brackets": -1.1,
    "date above": -0.9,
    "date below": 0.8,
    "many other lines": -3.2,
    "long lines beside it": -4.0,
    "long lines below it": 0.7,
    "first line": -1.0,
    "right above the text": 0.3,
    "another script": -3.0,
    "question": -0.9,
    "quotation not closed": -3.3,
    "far ahead of the next line": 1.0,
    "cut at one end": -1.9,
    "item of a list": -0.6,
}


def confidence(choice: Choice) -> float:
    """Return how sure it is that the chosen line is the title, from 0 to 1."""
    total = sum(WEIGHTS.get(name, 0.0) * value for name, value in signs(choice).items())
    return 1 / (1 + math.exp(-total))


def signs(choice: Choice) -> dict[str, float]:
    """Return the signs that the chosen line is, or is not, the title. Most are 0 or 1."""
    entry, entries = choice.entry, choice.entries
    text, words, line = entry.text, size(entry.text), entry.line
    others = [each for each in entries if each is not entry and not choice.same(each)]
    long_others = [each for each in others if size(each.text) >= 4 and not _is_name(each)]
    dates = choice.dates
    found: dict[str, float] = {
        "always": 1,
        "share of its words that the text has": share_of(text, choice.grams),
        "share of its words that the opening has": share_of(text, set(pieces(choice.below[:_OPENING]))),
        "score": max(-1.0, min(12.0, choice.score)) / 12,
        "fewer than four words": words < 3.5,
        "words of a sentence": is_like_sentence(text),
        "twice on the page": choice.times > 1,
        "in capitals": is_capitals(text),
        "form of a name": looks_like_name(text),
        "name of an organisation": entry.name_score >= NAME,
        "verbatim in the text": text.casefold() in choice.below,
        "whole sentences": (line.prose and not line.open) or text[-1] in ".。",
        "in brackets": text[0] in "([（【「[<" and text[-1] not in "”’",
        "date above": any(at < entry.at for at in dates),
        "date below": any(at > entry.at for at in dates),
        "many other lines": min(len(entries), 8) / 8,
        "long lines beside it": min(_beside(choice, long_others), 2) / 2,
        "long lines below it": min(sum(each.at > entry.at for each in long_others), 2) / 2,
        "first line": entry.at == 0,
        "right above the text": entry.at == choice.body_at - 1,
        "another script": abs(_latin(text) - _latin(choice.below[:600])) > 0.6,
        "question": text[-1] in "?？",
        "quotation not closed": _is_cut_in_quotation(text),
        "far ahead of the next line": max(0.0, min(6.0, choice.margin)) / 6,
        "item of a list": line.bullet,
        "cut at one end": starts_small(text) or is_cut_off(text) or text[-1] in ":：",
    }
    return found


def _is_name(entry: Entry) -> bool:
    return entry.name_score >= NAME or looks_like_name(entry.text)


def _beside(choice: Choice, others: list[Entry]) -> int:
    """Return how many long lines stand in one block with the title, as in a list of headlines.

    A single one between the title and the text is a subheading, and does not count.
    """
    entry = choice.entry
    near = [each for each in others if 0 < abs(each.at - entry.at) < _NEAR]
    if [each.at for each in near] == [entry.at + 1] == [choice.body_at - 1]:
        return 0
    return sum(not (each.line.gap if each.at > entry.at else entry.line.gap) for each in near)


def _is_cut_in_quotation(text: str) -> bool:
    # A German quotation ends with the mark that begins an English one.
    begins, ends = ("„«「", "“”»」") if "„" in text else ("“«「", "”»」")
    return sum(text.count(mark) for mark in begins) > sum(text.count(mark) for mark in ends)


def _latin(text: str) -> float:
    """Return the share of Latin characters among the characters of the words in `text`, 0 to 1."""
    letters = len(_LETTERS.findall(text))
    return len(_ASCII_LETTERS.findall(text)) / letters if letters else 0.0
