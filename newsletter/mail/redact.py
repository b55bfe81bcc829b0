"""Takes addresses out of text that others wrote, before it is kept or logged. Pure."""

from __future__ import annotations

import re

# In a reply an address stands in brackets, quotes or a web address (…?mail=ann%40example.org).
_ADDRESS = re.compile(r"""[^\s<>()\[\]"'`,;:|\\/?&]+(?:@|%40)[^\s<>()\[\]"'`,;:|\\/?&]+""", re.IGNORECASE)
# Quoted local parts are rare, and may hold anything (RFC 5321, section 4.1.2).
_QUOTED = re.compile(r'"[^"\r\n]{1,64}"@[^\s<>()"\',;:]+')

HIDDEN = "(an address)"


def without_addresses(text: str) -> str:
    """Return `text` with each e-mail address replaced: relays and databases quote them when they complain."""
    if "@" not in text and "%40" not in text:  # nearly always, and asked for every message
        return text
    return _ADDRESS.sub(HIDDEN, _QUOTED.sub(HIDDEN, text))
