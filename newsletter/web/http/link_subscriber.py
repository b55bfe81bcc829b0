"""The subscriber whose signed link was opened: the language, time zone and newsletter of the page."""

from __future__ import annotations

from typing import cast

from flask import g, request

from newsletter.models import db
from newsletter.subscribers.choices.locale import SubscriberLocale, read_locale
from newsletter.web.http.extensions import runtime


def link_subscriber() -> SubscriberLocale | None:
    """Return the locale of the subscriber whose link this is, looked up once per request."""
    token = (request.view_args or {}).get("token")
    if not isinstance(token, str):
        return None
    if "subscriber_locale" not in g:
        parts = runtime()
        g.subscriber_locale = read_locale(db.session(), parts.tokens, token, parts.now())
    return cast("SubscriberLocale | None", g.subscriber_locale)
