"""Pages that depend on their address alone, not on cookies or the browser. Any cache may keep them."""

from __future__ import annotations

from flask import request


def depends_on_address_only() -> bool:
    """Return whether this request is for such a page: the public archive without personal links.

    Its language is in the address (`?lang=de`); without it, it is the newsletter's first language.
    """
    return request.blueprint == "archive" and "token" not in (request.view_args or {})
