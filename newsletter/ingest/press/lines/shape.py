"""What the shape of a line says: how much is in it, whether it ends a sentence or begins an item. Pure."""

from __future__ import annotations

import re

_CJK = re.compile(r"[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CLOSERS = "\"'”’“»«›)]」』）】〉》*_"
_ENDS = ".!?…。！？؟।۔"
_BULLET = re.compile(r"(?:[•·▪●◦‣■□▶►✓➢*○◆◇・※]|-(?=\s)|[o](?=\s+[A-Z]))\s*(?=\S)")
_NUMBERED = re.compile(r"(?:\(?\d{1,2}[.)]|\(?[a-z]\))\s+\S")

PROSE_LENGTH = 200


def size(text: str) -> float:
    """Return the number of words in `text`; in scripts without spaces two characters count as one."""
    return len(text.split()) + len(_CJK.findall(text)) / 2


def ends_sentence(text: str) -> bool:
    """Tell whether the last mark of `text`, quotes and brackets aside, ends a sentence."""
    bare = text.rstrip(_CLOSERS + " ")
    return bool(bare) and bare[-1] in _ENDS


def ends_question(text: str) -> bool:
    """Tell whether `text` ends in a question or exclamation mark, as headlines too may do."""
    bare = text.rstrip(_CLOSERS + " ")
    return bool(bare) and bare[-1] in "!?！？؟"


def is_sentence(text: str) -> bool:
    """Tell whether `text` is running prose of at least one whole sentence."""
    if len(text) >= PROSE_LENGTH:
        return size(text) >= 12
    if not ends_sentence(text) or is_bullet(text):
        return False
    return size(text) >= (16 if ends_question(text) else 7)


def is_bullet(text: str) -> bool:
    """Tell whether `text` begins like an item of a list."""
    return bool(_BULLET.match(text) or _NUMBERED.match(text))


def even_bullet(text: str) -> str:
    """Return a list item with its mark written as "- "; numbered items and other text are left alone."""
    hit = _BULLET.match(text)
    return "- " + text[hit.end() :] if hit else text


def is_capitals(text: str) -> bool:
    """Tell whether `text` is two words or more, all in capitals."""
    return " " in text and text.isupper()


def starts_small(text: str) -> bool:
    """Tell whether `text` goes on in the middle of a sentence."""
    return text[:1].islower()
