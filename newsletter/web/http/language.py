"""The language and time zone of a page, and the links that change the language."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from babel import Locale
from babel.dates import get_timezone
from babel.support import NullTranslations
from flask import Flask, Response, g, request, url_for
from flask_babel import Domain, get_locale

from newsletter.languages import (
    SOURCE_LANGUAGE,
    choose_language,
    language_name,
    parse_language,
    translations,
)
from newsletter.web.http.by_address import depends_on_address_only
from newsletter.web.http.extensions import babel
from newsletter.web.http.link_subscriber import link_subscriber
from newsletter.web.http.security import SAFE_METHODS
from newsletter.web.http.this_newsletter import offered_languages, this_newsletter

# These pages are for the owner, and in English.
ENGLISH_ONLY = frozenset({"admin", "dev"})
# On these pages, links keep the language that was chosen by a link.
_SPEAKING = frozenset({"public", "archive"})
# These pages do not ask the browser for its language. So links to them have it in the address.
_BY_ADDRESS = frozenset(
    f"archive.{name}"
    for name in (
        "index", "month", "numbered_issue", "release", "topic", "topic_month", "topic_year", "year",
    )
)  # fmt: skip


class _Catalogues(Domain):  # type: ignore[misc]
    """The catalogues of languages.py, which emails use as well."""

    def get_translations(self) -> NullTranslations:
        locale = get_locale()
        return translations(_tag(locale) if locale else SOURCE_LANGUAGE)


def init_language(app: Flask) -> None:
    """Choose the language of every page. Call it after the CSRF protection is set up."""
    babel.init_app(app, locale_selector=_choose_locale, timezone_selector=_choose_time_zone)
    babel.domain_instance = _Catalogues()

    @app.before_request
    def look_uplink_subscriber() -> None:
        # A POST takes the database's write lock with its first statement. Reading the subscriber now joins
        # the view's transaction. Later, it would begin another one while the page is rendered.
        if request.method not in SAFE_METHODS:
            link_subscriber()

    @app.url_defaults
    def keep_language(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint.partition(".")[0] in _SPEAKING and (chosen := asked_language()):
            values.setdefault("lang", chosen)
        elif endpoint in _BY_ADDRESS and g.get("language", offered_languages()[0]) != offered_languages()[0]:
            values.setdefault("lang", g.language)

    @app.context_processor
    def language() -> dict[str, Any]:
        locale = get_locale() or parse_language(SOURCE_LANGUAGE)
        g.language = _tag(locale)
        return {"lang": g.language, "direction": locale.text_direction, "languages": _switch}

    @app.after_request
    def name_language(answer: Response) -> Response:
        if "language" in g:
            answer.content_language.add(g.language)
            if not depends_on_address_only():
                answer.vary.add("Accept-Language")
        return answer


def page_language() -> str:
    """Return the language tag of this page."""
    return _tag(get_locale() or parse_language(SOURCE_LANGUAGE))


def _choose_locale() -> Locale:
    return parse_language(_choose_language())


def _choose_language() -> str:
    """Return the language of the page: from the URL, the subscriber's own, or the browser's."""
    if request.blueprint in ENGLISH_ONLY:
        return SOURCE_LANGUAGE
    offered = offered_languages()
    asked = asked_language()
    if asked:
        return asked
    if depends_on_address_only():
        return offered[0]
    subscriber = link_subscriber()
    if subscriber is not None:
        return choose_language(subscriber.language, offered)
    return request.accept_languages.best_match(offered) or offered[0]


def asked_language() -> str | None:
    """Return the language in the URL, if it is on offer."""
    asked = request.args.get("lang", "")
    return asked if asked in offered_languages() else None


def _choose_time_zone() -> str:
    subscriber = None if request.blueprint in ENGLISH_ONLY else link_subscriber()
    usual = this_newsletter().time_zone
    if subscriber is None:
        return usual
    try:
        get_timezone(subscriber.time_zone)
    except LookupError:
        return usual
    return subscriber.time_zone


def _tag(locale: Locale) -> str:
    return str(locale).replace("_", "-")


def _switch() -> list[dict[str, Any]]:
    """Return a link to this page in each language on offer; none if there is only one."""
    offered = offered_languages()
    if len(offered) < 2:
        return []
    return [
        {
            "tag": each,
            "name": language_name(each),
            "url": _this_page_in(each),
            "current": each == g.get("language"),
        }
        for each in offered
    ]


def _this_page_in(language: str) -> str:
    # A URL that only accepts forms, or does not exist, cannot be requested again by a link.
    if request.url_rule is None or "GET" not in (request.url_rule.methods or ()):
        return url_for("public.subscribe", lang=language)
    others = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return f"{quote(request.path)}?{urlencode([*others, ('lang', language)])}"
