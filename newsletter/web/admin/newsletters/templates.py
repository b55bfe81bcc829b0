"""The pages on which an owner changes the templates of a newsletter's digests, with a live preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import NotFound, StateConflict, TemplateInvalid
from newsletter.languages import LANGUAGES, language_name
from newsletter.messages.digests.render import NewsletterRenderer
from newsletter.messages.templates.parts import BLOCKS, PARTS
from newsletter.messages.templates.styles import in_effect
from newsletter.models import db
from newsletter.newsletters.templates.check import fault_sentences, try_sample
from newsletter.newsletters.templates.samples import SAMPLES
from newsletter.newsletters.templates.versions import (
    find_version,
    list_versions,
    read_sources,
    save_templates,
    sources_of,
)
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import ChosenNewsletter, chosen_newsletter
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import mail_answer
from newsletter.web.public.responses import stop_writing

VIEWS = {"desktop": "Desktop", "phone": "Phone", "dark": "Dark mode", "text": "Plain text"}


@admin.get("/newsletter/templates")
def templates() -> Response:
    """Show the templates in a form, with a preview beside them."""
    chosen, renderer = _chosen()
    return _page(chosen, renderer, sources_of(renderer, renderer.own.sources), renderer.own.version)


@admin.post("/newsletter/templates", endpoint="save_templates")
def save_templates_() -> AnyResponse:
    """Check and save the templates; show the form again with what is wrong."""
    chosen, renderer = _chosen()
    sources, version = read_sources(renderer, request.form), _number("version")
    session, parts = db.session(), runtime()
    try:
        changed = save_templates(session, renderer, sources, version=version, actor=actor(), now=parts.now())
    except (TemplateInvalid, StateConflict) as fault:
        stop_writing()
        given = sources_of(renderer, sources)
        return _page(chosen, renderer, given, version, _faults(fault), 422 if _is_invalid(fault) else 409)
    session.commit()
    flash("The templates were saved. The next issue has them." if changed else "Nothing has changed.", "ok")
    return redirect(url_for("admin.templates", newsletter=chosen.slug), code=303)


@admin.post("/newsletter/templates/preview")
def preview_templates() -> Response:
    """Show a sample issue with the templates of the form, for the frame. Saves nothing."""
    _, renderer = _chosen()
    sources = read_sources(renderer, request.form)
    stop_writing()
    view, sample = request.form.get("view", ""), request.form.get("sample", "")
    language = _language(renderer)
    try:
        made = try_sample(renderer, sources, sample if sample in SAMPLES else next(iter(SAMPLES)), language)
    except TemplateInvalid as fault:
        answer = mail_answer(render_template("admin/template_preview.html", faults=_faults(fault), text=""))
        answer.status_code = 422
        return answer
    if view == "text":
        return mail_answer(render_template("admin/template_preview.html", faults=(), text=made.text))
    return mail_answer(in_effect(made.html, "dark") if view == "dark" else made.html)


@admin.get("/newsletter/templates/versions")
def template_versions() -> str:
    """List the saved versions, each with what it changed."""
    chosen, renderer = _chosen()
    return render_template(
        "admin/template_versions.html",
        newsletter=chosen.slug,
        name=renderer.identity.name,
        versions=list_versions(db.session(), renderer),
        newest=renderer.own.version,
        is_usual=not renderer.own,
        labels={name: part.label for name, part in PARTS.items()},
    )


@admin.post("/newsletter/templates/versions", endpoint="restore_templates")
def restore_templates_() -> AnyResponse:
    """Save an earlier version, or the usual templates, as the newest version."""
    chosen, renderer = _chosen()
    session, parts = db.session(), runtime()
    place = url_for("admin.template_versions", newsletter=chosen.slug)
    try:
        sources = find_version(session, chosen.id, _number("wanted"))
        changed = save_templates(
            session, renderer, sources, version=_number("version"), actor=actor(), now=parts.now()
        )
    except (TemplateInvalid, StateConflict, NotFound) as fault:
        stop_writing()
        flash(" ".join(_faults(fault)), "bad")
        return redirect(place, code=303)
    session.commit()
    flash("The next issue has these templates." if changed else "Nothing has changed.", "ok")
    return redirect(place, code=303)


def _chosen() -> tuple[ChosenNewsletter, NewsletterRenderer]:
    session = db.session()
    chosen = chosen_newsletter(session)
    return chosen, runtime().renderer.of_newsletter(session, chosen.id)


def _number(name: str) -> int:
    """Return the number in a field of the form. Anything else becomes -1, which no version has."""
    given = request.form.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 8 else -1


def _language(renderer: NewsletterRenderer) -> str:
    asked = request.form.get("language", "")
    return asked if asked in _languages(renderer) else renderer.languages[0]


def _languages(renderer: NewsletterRenderer) -> Sequence[str]:
    return list(dict.fromkeys([*renderer.languages, *LANGUAGES, "ar"]))


def _is_invalid(fault: Exception) -> bool:
    return isinstance(fault, TemplateInvalid)


def _faults(fault: Exception) -> list[str]:
    return fault_sentences(fault) if isinstance(fault, TemplateInvalid) else [str(fault)]


def _page(
    chosen: ChosenNewsletter,
    renderer: NewsletterRenderer,
    sources: Mapping[str, str],
    version: int,
    faults: Sequence[str] = (),
    status: int = 200,
) -> Response:
    page = render_template(
        "admin/templates.html",
        newsletters=chosen.options,
        newsletter=chosen.slug,
        name=renderer.identity.name,
        parts=[
            (name, part.label, sources[name], name in renderer.own.sources) for name, part in PARTS.items()
        ],
        blocks={block: what[:1].upper() + what[1:] for block, what in BLOCKS.items()},
        version=version,
        faults=faults,
        views=VIEWS,
        samples={name: each.label for name, each in SAMPLES.items()},
        languages=[(each, language_name(each)) for each in _languages(renderer)],
    )
    return make_response(page, status)
