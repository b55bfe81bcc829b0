"""Match the words of a topic's rule in a text, in any script. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import product

from newsletter.releases.fold import fold

# Scripts without spaces between words, and Hangul, which joins particles to the word. In these scripts a word
# is also found inside a longer run of characters.
INSIDE = (
    "\u0e00-\u0e7f"  # Thai
    "\u0e80-\u0eff"  # Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"  # Hangul
    "\u1780-\u17ff\u19e0-\u19ff"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"
    "\u3041-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f"  # kana, bopomofo
)
_IS_INSIDE = re.compile(f"[{INSIDE}]")
_IS_ARABIC = re.compile("[\u0620-\u064a\u066e-\u06d3]")
_IS_HEBREW = re.compile("[\u05d0-\u05ea]")
# Arabic joins these to the word: conjunctions (and, so), prepositions (in, as, for, will), the article.
_ARABIC_PREFIXES = tuple(
    first + then for first in ("", "و", "ف") for then in ("", "ب", "ك", "ل", "س", "ال", "بال", "كال", "لل")
)
# After the preposition ل the article ال loses its first character. These replace ال then.
_ARABIC_ELIDED = ("لل", "ولل", "فلل")
# Hebrew joins these to the word: and, that, when, since, in, to, as, from, the.
_HEBREW_PREFIXES = tuple(
    "".join(each)
    for each in product(("", "ו"), ("", "ש", "כש", "מש", "לכש"), ("", "ב", "ל", "כ", "מ"), ("", "ה"))
)
# A character before a prefix that makes it a part of a longer word: of these two scripts or any other.
_PREFIXED = "[\\w\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u200c\u200d]"
_LAST_LETTER = 0x1FFFF


def find(words: str, folded_text: str) -> bool:
    """Return whether a text (folded by `fold`) contains the words of a rule, in their order.

    Whole words match, in upper or lower case. `газ*` matches every word that begins with газ. Chinese,
    Japanese, Thai, Lao, Khmer, Burmese and Korean words match anywhere in a sentence. Arabic and Hebrew words
    match with their usual prefixes too.
    """
    return bool(_pattern(words).search(folded_text))


def find_formerly(words: str, folded_text: str) -> bool:
    """Return whether the words match by the old rule, from before rules could have `*`.

    A rule in ASCII matched whole words. Any other rule matched anywhere, even inside a word.
    """
    return bool(_former_pattern(words.rstrip("*")).search(folded_text))


@lru_cache(maxsize=1024)
def _pattern(words: str) -> re.Pattern[str]:
    parts = fold(words).split()
    last = len(parts) - 1
    texts = [_one_word(part, first=at == 0, last=at == last) for at, part in enumerate(parts)]
    return re.compile(r"\s+".join(texts))


def _one_word(part: str, *, first: bool, last: bool) -> str:
    character = letter()
    word = part.rstrip("*") or part
    text = _start(word) if first else _later(word)
    if _IS_INSIDE.match(word[-1]):
        return text
    if word == part:
        return f"{text}(?!{character})"
    # Possessive, because the next part begins with a space: giving characters back could never match.
    return text if last else f"{text}{character}*+"


def _start(word: str) -> str:
    """Return the regular expression for a word at a place where a word can begin.

    The look-behind comes after the first character, because a search for a literal character is fast.
    """
    first, rest = re.escape(word[0]), re.escape(word[1:])
    if _IS_INSIDE.match(word[0]):
        return first + rest
    if _IS_HEBREW.match(word[0]):
        return first + _behind(_HEBREW_PREFIXES, first) + rest
    if not _IS_ARABIC.match(word[0]):
        return first + _behind(("",), first) + rest
    text = first + _behind(_ARABIC_PREFIXES, first) + rest
    if word.startswith("ال") and len(word) > 3:
        third = re.escape(word[2])
        return f"(?:{text}|{third}{_behind(_ARABIC_ELIDED, third)}{re.escape(word[3:])})"
    return text


def _later(word: str) -> str:
    """Return the regular expression for a word after a space, with the prefixes that its script joins."""
    text = re.escape(word)
    if _IS_HEBREW.match(word[0]):
        return f"(?:{'|'.join(_HEBREW_PREFIXES)}){text}"
    if not _IS_ARABIC.match(word[0]):
        return text
    text = f"(?:{'|'.join(_ARABIC_PREFIXES)}){text}"
    if word.startswith("ال") and len(word) > 3:
        return f"(?:{text}|(?:{'|'.join(_ARABIC_ELIDED)}){re.escape(word[2:])})"
    return text


def _behind(prefixes: tuple[str, ...], first: str) -> str:
    """Return the look-behind to put after `first`.

    It holds if one of `prefixes` precedes `first`, and no other character of a word does.
    """
    plain = f"(?<!{letter()}{first})"
    longer = [each for each in prefixes if each]
    if not longer:
        return plain
    # Checking first for the last character of any prefix is faster than checking every prefix everywhere.
    ends = "".join(sorted({each[-1] for each in longer}))
    each = "|".join(f"(?<={prefix}{first})(?<!{_PREFIXED}{prefix}{first})" for prefix in longer)
    return f"(?:{plain + '|' if '' in prefixes else ''}(?<=[{ends}]{first})(?:{each}))"


@lru_cache
def letter() -> str:
    """Return the regular expression for one character of a word, combining marks included (`\\w` lacks them).

    A character of a script without spaces is excluded, because it ends a word of any other script.
    """
    ranges: list[str] = []
    first = None
    for code in range(0x30, _LAST_LETTER + 2):
        char = chr(code)
        is_letter = code <= _LAST_LETTER and _is_letter(char)
        if is_letter and first is None:
            first = char
        if not is_letter and first is not None:
            ranges.append(f"{first}-{chr(code - 1)}")
            first = None
    return f"[{''.join(ranges)}]"


def _is_letter(char: str) -> bool:
    joins = char in "_\u200c\u200d"  # Persian plurals and Indic conjuncts need these joiners
    return (char.isalnum() or joins or unicodedata.category(char)[0] == "M") and not _IS_INSIDE.match(char)


@lru_cache(maxsize=256)
def _former_pattern(words: str) -> re.Pattern[str]:
    text = r"\s+".join(re.escape(part) for part in fold(words).split())
    return re.compile(rf"(?<!\w){text}(?!\w)") if text.isascii() else re.compile(text)
