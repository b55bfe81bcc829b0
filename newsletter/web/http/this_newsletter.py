"""The newsletter that a request is about: the one that its URL or its link names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlencode

from flask import Flask, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import NotFound
from newsletter.identity import Identity
from newsletter.web.http.extensions import runtime
from newsletter.web.http.link_subscriber import link_subscriber

# Links to these pages keep the newsletter: in the path where the route has a place for it, or as a parameter.
_ABOUT_ONE = frozenset(
    {
        "archive.feed",
        "archive.index",
        "archive.month",
        "archive.numbered_issue",
        "archive.topic",
        "archive.topic_feed",
        "archive.topic_month",
        "archive.topic_year",
        "archive.year",
        "public.check_inbox",
        "public.confirmed",
        "public.privacy",
        "public.send_link",
        "public.subscribe",
        "public.subscribe_embedded",
        "public.welcome_back",
    }
)


def this_newsletter() -> Identity:
    """Return the newsletter of this request, the same during all of it.

    A request that is about no newsletter, or about several, gets the first.
    """
    return named_newsletter() or _first()


def named_newsletter() -> Identity | None:
    """Return the newsletter that the URL or the link of this request names.

    If there is one newsletter, it is that. None if the request is about no newsletter, or about several.
    """
    if "newsletter" not in g:
        g.newsletter = _find()
    return cast("Identity | None", g.newsletter)


def all_newsletters() -> Sequence[Identity]:
    """Return every newsletter, in the order in which people see them, the same during the whole request."""
    if "newsletters" not in g:
        parts = runtime()
        # A session of its own: that of a POST would take SQLite's write lock with its first statement.
        found = parts.identities.recent_ones(parts.reading)
        g.newsletters = sorted(found, key=lambda each: (each.position, each.newsletter_id))
    return cast("Sequence[Identity]", g.newsletters)


def is_only_one() -> bool:
    """Return whether there is one newsletter. Then no page names it in a URL or speaks of several."""
    return len(all_newsletters()) == 1


def newsletter_of(newsletter_id: int) -> Identity | None:
    """Return the newsletter with this id."""
    return next((each for each in all_newsletters() if each.newsletter_id == newsletter_id), None)


def make_it_about_the_first() -> None:
    """Answer this request for the first newsletter: its URL is older than the others."""
    if named_newsletter() is None:
        g.newsletter = _first()


def _first() -> Identity:
    return min(all_newsletters(), key=lambda each: each.newsletter_id)


def offered_languages() -> tuple[str, ...]:
    """Return the languages of the newsletter of this request; of all, if it is about none or several."""
    named = named_newsletter()
    # Each link on a page asks for them.
    known = g.get("offered_languages")
    if known is None or known[0] is not named:
        those = [named] if named is not None else all_newsletters()
        known = named, tuple(dict.fromkeys(language for each in those for language in each.languages))
        g.offered_languages = known
    return cast("tuple[str, ...]", known[1])


def init_newsletter(app: Flask) -> None:
    """Take the newsletter from each URL that has one, and keep it in the links of its pages."""

    @app.url_value_preprocessor
    def take_slug(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.slug = values.pop("newsletter", None) if values else None

    @app.before_request
    def check_slug() -> AnyResponse | None:
        slug = g.slug
        if slug is None:
            return None
        known = {each.slug for each in all_newsletters()}
        if slug not in known:
            if slug.lower() not in known:
                raise NotFound("there is no such newsletter")
            return redirect(_same_page(slug.lower()), code=308)
        # A form on another website has to be answered where it was sent.
        if is_only_one() and request.endpoint != "public.subscribe_embedded":
            return redirect(_same_page(None), code=307)
        return None

    @app.url_defaults
    def keep_newsletter(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint in _ABOUT_ONE and "newsletter" not in values and not is_only_one():
            named = named_newsletter()
            if named is not None:
                values["newsletter"] = named.slug


def _same_page(slug: str | None) -> str:
    path = url_for(request.endpoint or "", newsletter=slug, lang=None)
    query = urlencode(list(request.args.items(multi=True)))
    return f"{path}?{query}" if query else path


def _find() -> Identity | None:
    found = all_newsletters()
    if len(found) == 1:
        return found[0]
    if g.get("slug") is not None:
        return next((each for each in found if each.slug == g.slug), None)
    subscriber = link_subscriber()
    if subscriber is not None and subscriber.newsletter_id is not None:
        return newsletter_of(subscriber.newsletter_id)
    asked = request.args.get("newsletter")
    return next((each for each in found if each.slug == asked), None)
