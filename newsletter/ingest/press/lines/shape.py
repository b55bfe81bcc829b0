"""The form of a line: its number of words, and whether it is a sentence, a list item or in capitals. Pure."""

from __future__ import annotations

import re

_CJK = re.compile(r"[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_UNSPACED = re.compile(r"[\u0e01-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1780-\u17dd]")  # Thai, Lao, Burmese, Khmer
_CLOSERS = "\"'”’“»«›)]」』）】〉》*_"
_ENDS = ".!?…。！？؟।۔։"
_BULLET = re.compile(r"(?:[•·▪●◦‣■□▶►✓➢*○◆◇・※]|(?:--?|\+)(?=\s)|[o](?=\s+[A-Z]))\s*(?=\S)")
_NUMBERED = re.compile(r"(?:\(?\d{1,2}[.)]|\(?[a-z]\))\s+\S")

PROSE_LENGTH = 200


def size(text: str) -> float:
    """Return the number of words in `text`. In scripts without spaces, a few characters count as one word."""
    words: float = len(text.split())
    if not text.isascii():
        words += len(_CJK.findall(text)) / 2 + len(_UNSPACED.findall(text)) / 5
    return words


def ends_sentence(text: str) -> bool:
    """Return whether `text` ends with the mark of a sentence's end, before closing quotes and brackets."""
    bare = text.rstrip(_CLOSERS + " ")
    # Armenian has a full stop of its own, for which many texts have a colon.
    return bool(bare) and (bare[-1] in _ENDS or (bare[-1] == ":" and "\u0561" <= bare[-2:-1] <= "\u0587"))


def ends_question(text: str) -> bool:
    """Return whether `text` ends with a question or exclamation mark, as headlines may do too."""
    bare = text.rstrip(_CLOSERS + " ")
    return bool(bare) and bare[-1] in "!?！？؟"


def is_sentence(text: str) -> bool:
    """Return whether `text` is prose with at least one complete sentence."""
    if len(text) >= PROSE_LENGTH:
        return size(text) >= 12
    if not ends_sentence(text) or is_bullet(text) or is_cut_off(text):
        return False
    return size(text) >= (16 if ends_question(text) else 7)


def is_cut_off(text: str) -> bool:
    """Return whether `text` ends with two or three dots, as headlines and teasers do that a page has cut."""
    return text.rstrip(" »›>❯→])").endswith(("..", "…"))


def is_bullet(text: str) -> bool:
    """Return whether `text` begins like a list item."""
    return bool(_BULLET.match(text) or _NUMBERED.match(text))


def even_bullet(text: str) -> str:
    """Return a list item with "- " as its mark. Return numbered items and other text unchanged."""
    hit = _BULLET.match(text)
    return "- " + text[hit.end() :] if hit else text


def is_capitals(text: str) -> bool:
    """Return whether `text` has two or more words and all are in capitals."""
    return " " in text and text.isupper()


def starts_small(text: str) -> bool:
    """Return whether `text` starts with a small character, as in the middle of a sentence."""
    return text[:1].islower()
