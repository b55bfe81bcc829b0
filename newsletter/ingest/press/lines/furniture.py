"""Detect page furniture by the form of a whole line: share buttons, menus, notices, end marks. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from newsletter.ingest.press.dates.find import find_dates
from newsletter.ingest.press.lines.furniture_patterns import RULES, Kind
from newsletter.ingest.press.lines.shape import is_bullet, size
from newsletter.ingest.press.lines.vocabulary import MENU, SHARE, SHARE_FILLERS

_SHORT = 400


# One pattern for all rules. Most lines are text, and this finds that with one match.
_ANY = re.compile("|".join(f"(?:{pattern})" for _, _, pattern in RULES))
_COMPILED = tuple((name, kind, re.compile(pattern)) for name, kind, pattern in RULES)

_SEPARATORS = re.compile(r"\s*(?:[|¦·•›»>/,–—]|\s-\s|\t)\s*")
_MAIL = re.compile(r"[^\s@<>()]{1,64}@[a-z0-9.\-]{2,100}\.[a-z]{2,15}")
_PHONE = re.compile(r"(?:\+\s?\d|\(\d{2,5}\)|\b0\d|\b\d{3}[-. ])[\d\s().\-/–]{5,20}\d")
_REACH_LABEL = re.compile(
    r"(?:(?:tel|phone|telephone|telefon\w*|mobile|mob|mobil|cell|fax|faks\w*|e-?mail|mail"
    r"|web|website|internet|twitter|skype"
    r"|tél|téléphone|courriel|teléfono|correo|telefono|el\. ?paštas|el\. ?p|тел|телефон"
    r"|факс|эл\. ?почта|пошта|電話|メール|ファクス"
    r"|电话|電郵|邮箱|传真|전화|이메일|هاتف|تلفن|hotline|direct|office|ph|t|m|e|p"
    r"|f)\s?[.:：]|press(?:e)?@|media@)",
)


def kind_of(text: str) -> Kind:
    """Return the kind of the line `text`, by its form alone."""
    return name_and_kind(text)[1]


@lru_cache(maxsize=4096)  # several stages ask for the same line
def name_and_kind(text: str) -> tuple[str, Kind]:
    """Return name and kind of the rule that matches `text`, or ("text", TEXT) if none does."""
    if len(text) > _SHORT:
        return "text", Kind.TEXT
    low = text.casefold().strip()
    if _ANY.fullmatch(low):
        return next((name, kind) for name, kind, pattern in _COMPILED if pattern.fullmatch(low))
    if is_share_bar(low):
        return "share bar", Kind.FURNITURE
    if is_menu(low):
        return "menu", Kind.WEAK
    if is_reach(low):
        return "reach", Kind.REACH
    return "text", Kind.TEXT


def is_share_bar(low: str) -> bool:
    """Return whether all words of a line are from buttons that share or print a page."""
    if len(low) > 200:
        return False
    tokens = [token for token in re.split(r"[^\w‌+-]+", low) if token and not token.isdigit()]
    if not tokens or not any(token in SHARE for token in tokens):
        return False
    return all(each in SHARE or each in SHARE_FILLERS or each in ("+", "-") for each in tokens)


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
    bars = [part.strip() for part in bare.split("|")]
    known = sum(part in MENU for part in bars)
    return len(bars) >= 3 and all(size(part) <= 4 for part in bars) and known * 2 >= len(bars)


def has_reach(text: str) -> bool:
    """Return whether `text` has an email address or a telephone number, and no date."""
    return bool(_MAIL.search(text.casefold()) or _PHONE.search(text)) and not find_dates(text)


def is_reach(low: str) -> bool:
    """Return whether a line is only a telephone number or an email address, with or without a label."""
    if len(low) > 200 or (is_bullet(low) and size(low) > 8):
        return False
    if find_dates(low) and "@" not in low:
        return False
    mail, label = _MAIL.search(low), _REACH_LABEL.match(low)
    if label and (mail or _PHONE.search(low) or size(low) <= 4):
        return True
    if not mail and not _PHONE.search(low):
        return False
    rest = _PHONE.sub(" ", _MAIL.sub(" ", low))
    letters = [word for word in rest.split() if any(char.isalpha() for char in word)]
    return len(letters) <= (4 if mail else 2)


def is_contact_line(text: str) -> bool:
    """Return whether a heading such as "Media contact:" has the contact on the same line."""
    head, colon, rest = text.partition(":")
    return (
        bool(colon and rest.strip())
        and kind_of(head) is Kind.CONTACT
        and (has_reach(rest) or size(rest) <= 8)
    )
