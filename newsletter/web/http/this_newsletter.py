"""The newsletter that a request is about. There is one for now."""

from __future__ import annotations

from typing import cast

from flask import g

from newsletter.identity import Identity
from newsletter.web.http.extensions import runtime


def this_newsletter() -> Identity:
    """Return the newsletter of this request, the same during all of it."""
    if "newsletter" not in g:
        parts = runtime()
        # A session of its own: that of a POST would take SQLite's write lock with its first statement.
        g.newsletter = parts.identities.recent(parts.reading)
    return cast("Identity", g.newsletter)
