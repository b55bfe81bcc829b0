"""Pages that a sign-up form may redirect to, listed in the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import url_for

from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import allow_form_target


def allowed_page(url: str | None) -> str:
    """Return `url` if it exactly equals one of the owner's thank-you pages, else an empty text."""
    return url if url and url in runtime().settings.thanks_urls else ""


def after_asking(url: str | None, *, elsewhere: bool = False) -> str:
    """Return the URL after a sign-up: an allowed thank-you page, or our own page.

    `elsewhere`: the form began on another site, which sets no cookie. So our page names no address.
    """
    return allowed_page(url) or url_for("public.check_inbox", elsewhere="yes" if elsewhere else None)


def let_form_lead_to(url: str) -> None:
    """Let this page's form redirect to an allowed page: the CSP's form-action applies to redirects too."""
    if url:
        parts = urlsplit(url)
        allow_form_target(f"{parts.scheme}://{parts.netloc}")
