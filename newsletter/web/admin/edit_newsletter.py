"""The page to edit the newsletter: name, sender, languages and other content."""

from __future__ import annotations

from flask import Response, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import FieldsInvalid, StateConflict
from newsletter.identity import Identity
from newsletter.languages import language_name
from newsletter.models import db
from newsletter.newsletters.edit import edit_newsletter as store_edit
from newsletter.newsletters.fields import FIELDS, as_text
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import NewsletterForm
from newsletter.web.admin.query_string import text_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing


@admin.get("/newsletter")
def newsletter() -> Response:
    """Show the newsletter's content in a form, with the texts of one language."""
    identity = _identity()
    language = _language(identity)
    shown = NewsletterForm(None, data={**as_text(identity, language), "version": str(identity.version)})
    return _page(shown, identity, language)


@admin.post("/newsletter", endpoint="edit_newsletter")
def edit_newsletter_() -> Response:
    """Store the content, and return to the page; show it again with what is wrong."""
    parts = runtime()
    identity = _identity()
    language = _language(identity)
    form = NewsletterForm()
    given = {name: form[name].data or "" for name in FIELDS if name in request.form}
    session = db.session()
    try:
        changed = store_edit(
            session,
            parts.settings,
            given,
            language=language,
            version=form.version.data or "",
            actor=actor(),
            now=parts.now(),
        )
    except (FieldsInvalid, StateConflict) as fault:
        stop_writing()
        if isinstance(fault, StateConflict):
            form.form_errors.append(str(fault))
            return _page(form, identity, language, status=409)
        for name, words in fault.faults.items():
            if name in form:
                form[name].errors = [words]
            else:
                form.form_errors.append(words)
        return _page(form, identity, language, status=422)
    session.commit()
    parts.identities.forget()
    flash("The newsletter was saved." if changed else "Nothing has changed.", "ok")
    place = url_for("admin.newsletter", language=language if request.args.get("language") else None)
    return make_response(redirect(place, code=303))


def _identity() -> Identity:
    parts = runtime()
    # What another process has changed within the last second must show here.
    parts.identities.forget()
    return parts.identities.recent(parts.reading)


def _language(identity: Identity) -> str:
    asked = text_of("language") or ""
    return asked if asked in identity.languages else identity.languages[0]


def _page(form: NewsletterForm, identity: Identity, language: str, status: int = 200) -> Response:
    languages = [
        (url_for("admin.newsletter", language=each), language_name(each), each == language)
        for each in identity.languages
    ]
    page = render_template("admin/newsletter.html", form=form, languages=languages, language=language)
    return make_response(page, status)
