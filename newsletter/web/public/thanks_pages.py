"""Pages that a sign-up form may redirect to, listed in the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import url_for

from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import allow_form_target


def allowed_page(url: str | None) -> str:
    """Return `url` when it is, letter by letter, one of the owner's thank-you pages; else nothing."""
    return url if url and url in runtime().settings.thanks_urls else ""


def after_asking(url: str | None) -> str:
    """Return where somebody goes who has asked: a thank-you page that is allowed, or our own page."""
    return allowed_page(url) or url_for("public.check_inbox")


def let_form_lead_to(url: str) -> None:
    """Let the browser follow this page's form to an allowed page: form-action holds for redirects, too."""
    if url:
        parts = urlsplit(url)
        allow_form_target(f"{parts.scheme}://{parts.netloc}")
