"""Replace email addresses in text from relays and databases, before it is stored or logged. Pure."""

from __future__ import annotations

import re

# In a reply an address may be in brackets, in quotes or in a URL (…?mail=ann%40example.org).
_ADDRESS = re.compile(r"""[^\s<>()\[\]"'`,;:|\\/?&]+(?:@|%40)[^\s<>()\[\]"'`,;:|\\/?&]+""", re.IGNORECASE)
# A quoted local part is rare and may hold any character (RFC 5321, section 4.1.2).
_QUOTED = re.compile(r'"[^"\r\n]{1,64}"@[^\s<>()"\',;:]+')

HIDDEN = "(an address)"


def without_addresses(text: str) -> str:
    """Return `text` with each email address replaced. Errors of relays and databases quote addresses."""
    if "@" not in text and "%40" not in text:  # a fast path: most replies have no address
        return text
    return _ADDRESS.sub(HIDDEN, _QUOTED.sub(HIDDEN, text))
