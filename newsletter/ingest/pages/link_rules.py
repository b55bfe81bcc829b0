"""Check what an editor says about the links of a page: a CSS selector, or a pattern of URLs. Pure."""

from __future__ import annotations

import re

from cssselect import HTMLTranslator, SelectorError

from newsletter.errors import InputError

# The format of a list of links, as RSS or Atom is the format of a feed.
PAGE = "Page"
LONGEST = 300
MOST_ASTERISKS = 5


def check_rules(selector: str, pattern: str) -> None:
    """Raise InputError for a selector or a pattern that cannot be used. Each may be ""."""
    if len(selector) > LONGEST or len(pattern) > LONGEST:
        raise InputError(f"A rule for links has at most {LONGEST} characters.")
    if selector:
        to_xpath(selector)
    if pattern and not pattern.startswith(("/", "http://", "https://", "*")):
        raise InputError("A URL pattern begins with /, http or *. Write for example /news/*.")
    if pattern.count("*") > MOST_ASTERISKS:
        raise InputError(f"A URL pattern has at most {MOST_ASTERISKS} asterisks.")


def to_xpath(selector: str) -> str:
    """Return a CSS selector as XPath. Raises InputError."""
    try:
        return HTMLTranslator().css_to_xpath(selector)
    except SelectorError as fault:
        raise InputError(f"{selector!r} is not a CSS selector: {fault}."[:300]) from fault


def fits(pattern: str, address: str) -> bool:
    """Return whether an address fits a pattern, in which * stands for any characters."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, address, re.IGNORECASE) is not None
