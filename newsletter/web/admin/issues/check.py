"""The page before sending: what to fix first, samples in each language, and links that do not work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, abort, make_response, render_template, request, url_for
from sqlalchemy.orm import Session

from newsletter.digest.check import DeadLink, Facts, find_faults, gather_facts, links_of
from newsletter.digest.preview import Preview, Rendered, nothing_to_show, preview, render_in
from newsletter.ingest.check_links import LINK_LIMITS, MOST_LINKS, find_dead_links
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.languages import language_name
from newsletter.limits.keys import limit_key
from newsletter.limits.spend import spend
from newsletter.models import Frequency, db
from newsletter.throttle import Limit
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import ChosenNewsletter, chosen_newsletter
from newsletter.web.admin.forms import TestForm
from newsletter.web.admin.query_string import choices_of
from newsletter.web.admin.session import actor
from newsletter.web.http.errors import error_page
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import mail_answer

VIEWS = ("desktop", "phone", "dark", "text")
# How often one account may check links. Each check sends requests to other sites.
LINK_CHECKS = Limit(20, 60 * 60)


@admin.get("/preview/check")
def check() -> Response:
    """Show what to fix before an issue is sent."""
    return _page(None)


@admin.post("/preview/check")
def check_links() -> Response:
    """Show the same page, with the links that do not work."""
    parts, session = runtime(), db.session()
    if spend(session, limit_key(parts.tokens, "links", actor()), LINK_CHECKS, parts.now()):
        return error_page(429, "Links were checked too often. Please wait a few minutes.")
    session.commit()
    newsletter, frequencies = _request()
    shown = _preview(session, newsletter, frequencies)
    if shown is None:
        abort(404)
    facts = _facts(session, newsletter, shown, frequencies)
    urls = links_of(facts.samples, parts.settings.public_url)
    session.rollback()  # other sites may be slow, so no transaction stays open
    dead = find_dead_links(make_retriever(parts.settings, LINK_LIMITS), urls)
    return _page([DeadLink(*each) for each in dead], checked=min(len(urls), MOST_LINKS))


@admin.get("/preview/check/sample")
def sample() -> Response:
    """Return the HTML of the issue in one language, perhaps with its dark colours, for the frame."""
    session = db.session()
    newsletter, frequencies = _request()
    rendered = _sample(session, newsletter, frequencies)
    if rendered is None:
        abort(404)
    html = rendered.html
    if request.args.get("view") == "dark":
        # A browser with light colours ignores these rules.
        html = html.replace("(prefers-color-scheme: dark)", "all")
    return mail_answer(html)


def _request() -> tuple[ChosenNewsletter, list[Frequency]]:
    chosen = choices_of(Frequency, request.args.getlist("send"))
    return chosen_newsletter(db.session()), chosen or list(Frequency)


def _preview(session: Session, newsletter: ChosenNewsletter, frequencies: list[Frequency]) -> Preview | None:
    parts = runtime()
    return preview(
        session,
        parts.renderer,
        frequencies=frequencies,
        now=parts.now(),
        newsletter_id=newsletter.id,
        for_anybody=True,
    )


def _facts(
    session: Session, newsletter: ChosenNewsletter, shown: Preview, frequencies: list[Frequency]
) -> Facts:
    parts = runtime()
    sender = parts.sender(newsletter.id)
    return gather_facts(session, parts.renderer, sender, shown, frequencies, parts.now())


def _language(languages: tuple[str, ...]) -> str:
    asked = request.args.get("language", "")
    return asked if asked in languages else languages[0]


def _sample(session: Session, newsletter: ChosenNewsletter, frequencies: list[Frequency]) -> Rendered | None:
    parts = runtime()
    shown = _preview(session, newsletter, frequencies)
    if shown is None:
        return None
    language = _language(tuple(parts.renderer.of_newsletter(session, newsletter.id).languages))
    return render_in(
        session, parts.renderer, newsletter.id, shown.selection, language, parts.now(), order=shown.order
    )


def _page(dead: list[DeadLink] | None, checked: int = 0) -> Response:
    session, parts = db.session(), runtime()
    newsletter, frequencies = _request()
    shown = _preview(session, newsletter, frequencies)
    if shown is None:
        return error_page(404, nothing_to_show())
    facts = replace(_facts(session, newsletter, shown, frequencies), dead_links=dead)
    languages = tuple(each.language for each in facts.samples)
    language, view = _language(languages), request.args.get("view", "")
    view = view if view in VIEWS else VIEWS[0]
    args: dict[str, Any] = {"newsletter": newsletter.slug, "send": [each.value for each in frequencies]}
    page = render_template(
        "admin/check.html",
        args=args,
        shown=shown,
        words=[each.words for each in frequencies],
        faults=find_faults(facts),
        checked=checked if dead is not None else None,
        links=len(links_of(facts.samples, parts.settings.public_url)),
        most_links=MOST_LINKS,
        samples=[
            {
                "language": each.language,
                "name": language_name(each.language),
                "html_bytes": each.html_bytes,
                "text_bytes": len(each.text.encode()),
            }
            for each in facts.samples
        ],
        language=language,
        view=view,
        text=next(each.text for each in facts.samples if each.language == language),
        test_form=TestForm(formdata=None),
        frame=url_for("admin.sample", **args, language=language, view=view),
    )
    return make_response(page)
