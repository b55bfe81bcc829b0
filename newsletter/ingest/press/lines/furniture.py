"""Tell page furniture by the form of a whole line: buttons, menus, notices, contacts, end marks. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from functools import cache

from newsletter.ingest.phrases import read_phrases
from newsletter.ingest.press.dates.find import find_dates
from newsletter.ingest.press.lines.shape import is_bullet, size


class Kind(Enum):
    """The kind of a line. FURNITURE is removed everywhere, WEAK lines only above and below the text."""

    TEXT = auto()
    FURNITURE = auto()
    WEAK = auto()  # A menu word, or "Press release". Inside the text, such a line is a heading.
    END = auto()  # The mark at the end of the release.
    RELATED = auto()  # The heading of a list of other pages.
    CONTACT = auto()  # The heading of names and telephone numbers.
    REACH = auto()  # A telephone number or an email address.


def _rules() -> tuple[tuple[str, Kind, str], ...]:
    rules = []
    for title, phrases in read_phrases("furniture").items():
        name, kind = title.split(": ")
        rules.append((name, Kind[kind], "|".join(phrases)))
    return tuple(rules)


# Each rule has a name, the kind of a line that it matches, and a pattern for the whole line in lower case.
# The first match counts.
RULES = _rules()
_SITE = read_phrases("site_words")
SHARE = frozenset(_SITE["share"])
_SHARE_FILLERS = frozenset(_SITE["share fillers"])
MENU = frozenset(_SITE["menu"])

_SHORT = 400
# These first characters of a long paragraph tell whether it is a notice of the page.
_OPENING = 160
_BULLETS = "•-–*·◦ "
_WORDS = re.compile(r"[^\W\d_]+(?:['’‌-][^\W\d_]+)*")
_TOKENS = re.compile(r"[^\w‌+-]+")
_SEPARATORS = re.compile(r"\s*(?:[|¦·•›»>/,–—]|\s-\s|\t)\s*")
_MAIL = re.compile(r"[^\s@<>()]{1,64}@[a-z0-9.\-]{2,100}\.[a-z]{2,15}|\[email\s?protected\]")
_PHONE = re.compile(r"(?:\+\s?\d|\(\d{2,5}\)|\b0\d|\b\d{3}[-./ ])[\d\s().\-/–]{5,20}\d")
_BULLET_BAR = re.compile(r"\s[|•·∙●]\s")
_REACH_LABEL = re.compile(
    rf"(?:(?:{'|'.join(read_phrases('labels')['reach'])})\s?[.:：]|press(?:e)?@|media@)",
)
_BRACES = re.compile(r"[{}]|\$\(|=>|\(\);|@import ")
_CODE = re.compile(r"[{}()\[\];:=<>$#'\"\\/_.,|&]")
_CODE_SAMPLE = 1000
# The agency and the photographer at the end of a caption: "... in Lund, 12 March 2019. ANSA/ADA FINCH".
_CREDIT = re.compile(
    r".{10,400}[\s.(（]\(?[A-Z]{2,10}(?:[-/][A-Z]{2,10})?\s?/\s?[A-Z][\w.'’-]+(?: [A-Z][\w.'’-]+){0,3}\)?"
)
# Characters set apart, as in "P U B LI C O F F I C E".
_SET_APART = re.compile(r"(?:[A-Z]{1,2} ){7,}[A-Z]{1,2}")


# Compiled at the first line that is read, because most processes that import this module read none.
@cache
def _any_rule() -> re.Pattern[str]:
    """Return one pattern for all rules, with a group for each, so that one match tells the rule."""
    return re.compile("|".join(f"(?P<rule{at}>{pattern})" for at, (_, _, pattern) in enumerate(RULES)))


@cache
def _rule(name: str) -> re.Pattern[str]:
    return re.compile(next(pattern for each, _, pattern in RULES if each == name))


def kind_of(text: str) -> tuple[str, Kind]:
    """Return name and kind of the rule that matches the line `text`, or ("text", TEXT) if none does."""
    if _is_code(text):
        return "code", Kind.FURNITURE
    if len(text) > _OPENING and _is_cookie_notice(text):
        return "cookies", Kind.FURNITURE
    if len(text) > _SHORT:
        return "text", Kind.TEXT
    low = text.casefold().strip().replace("i\u0307", "i")  # "İ" in small
    if hit := _any_rule().fullmatch(low):
        name, kind, _ = RULES[int(str(hit.lastgroup).removeprefix("rule"))]
        return name, kind
    if low[:1] in _BULLETS and (bare := low.lstrip(_BULLETS)):
        return kind_of(bare)
    return next(((name, kind) for name, kind, fits in _FORMS if fits(text, low)), ("text", Kind.TEXT))


def _is_code(text: str) -> bool:
    """Return whether a line is of a script, a style sheet or data in JSON that the page had inside."""
    if not _BRACES.search(text):
        return False
    sample = text[:_CODE_SAMPLE]
    return len(_CODE.findall(sample)) * 8 > len(sample)


def _is_cookie_notice(text: str) -> bool:
    """Return whether a long paragraph begins as a notice about the cookies of the page."""
    opening = text[:_OPENING].casefold()
    return "cookie" in opening and _rule("cookies").fullmatch(opening) is not None


def is_share_bar(low: str) -> bool:
    """Return whether all words of a line are from buttons that share or print a page."""
    if len(low) > 200:
        return False
    tokens = [token for token in _TOKENS.split(low) if token and not token.isdigit()]
    if not tokens or not any(token in SHARE for token in tokens):
        return False
    return all(each in SHARE or each in _SHARE_FILLERS or each in ("+", "-") for each in tokens)


def mostly_share_bar(low: str) -> bool:
    """Return whether half of the words of a line are from buttons, as in "red Article: Print Share"."""
    tokens = [token for token in _TOKENS.split(low) if token and not token.isdigit()]
    known = sum(token in SHARE or token in _SHARE_FILLERS for token in tokens)
    return len(tokens) >= 3 and known * 2 >= len(tokens) and any(token in SHARE for token in tokens)


def is_menu(low: str) -> bool:
    """Return whether a line is one menu entry of a website, or several with separators."""
    if len(low) > 300:
        return False
    bare = low.strip(" .:•*+-–—>»›<«‹▼▾▲≡☰|")
    if bare in MENU:
        return True
    parts = [part for part in _SEPARATORS.split(bare) if part]
    if len(parts) >= 2 and all(part.strip(" .:") in MENU or part.isdigit() for part in parts):
        return True
    words = _WORDS.findall(low)
    if 2 <= len(words) <= 6 and "/" in low and sum(word in MENU for word in words) * 2 >= len(words):
        return True  # the sections of a site, as in "Press /news Members"
    bars = [part.strip() for part in bare.split("|")]
    if len(bars) < 3 or any(size(part) > 4 for part in bars):
        return False
    known = sum(part in MENU for part in bars)
    return known * 2 >= len(bars) or (len(bars) >= 5 and not any(char.isdigit() for char in bare))


def has_reach(text: str) -> bool:
    """Return whether `text` has an email address or a telephone number."""
    if "@" in text or "[email" in text:
        return bool(_MAIL.search(text.casefold()) or _PHONE.search(text))
    return bool(_PHONE.search(text))


def _is_reach(low: str) -> bool:
    """Return whether a line is only a telephone number or an email address, with or without a label."""
    if len(low) > 200 or (is_bullet(low) and size(low) > 8):
        return False
    mail = _MAIL.search(low) if "@" in low or "[email" in low else None
    phone, label = _PHONE.search(low), _REACH_LABEL.match(low)
    if not (mail or phone or label) or ("@" not in low and find_dates(low)):
        return False
    if label and (mail or phone or size(low) <= 4):
        return True
    if not mail and not phone:
        return False
    if len(_BULLET_BAR.findall(low)) >= 2:
        return True  # "Harbour House • 3 Quay Road • Brinehaven 12999 • 555/010-0144"
    rest = _PHONE.sub(" ", _MAIL.sub(" ", low))
    letters = [word for word in rest.split() if any(char.isalpha() for char in word)]
    phones = len(_PHONE.findall(low))
    return len(letters) <= (4 if mail else 2 if phones == 1 else 3 * phones)


def is_contact_line(text: str) -> bool:
    """Return whether a heading such as "Media contact:" or "【お問い合わせ先】" has the contact behind it."""
    head, colon, rest = text.removeprefix("【").partition("】" if text[:1] == "【" else ":")
    if not colon or not rest.strip() or len(head) > 60:
        return False
    contact = _rule("contact")
    if not any(contact.fullmatch(head.casefold().strip() + end) for end in ("", ":")):
        return False
    return size(rest) <= 8 or (has_reach(rest) and not find_dates(rest))


# Kinds that no list of phrases can describe. The first that fits counts.
_FORMS: tuple[tuple[str, Kind, Callable[[str, str], bool]], ...] = (
    ("share bar", Kind.FURNITURE, lambda _, low: is_share_bar(low)),
    ("menu", Kind.WEAK, lambda _, low: is_menu(low)),
    ("reach", Kind.REACH, lambda _, low: _is_reach(low)),
    ("set apart", Kind.FURNITURE, lambda text, _: _SET_APART.fullmatch(text) is not None),
    ("credit", Kind.FURNITURE, lambda text, _: _CREDIT.fullmatch(text) is not None),
    ("contact line", Kind.CONTACT, lambda text, _: is_contact_line(text)),
)
