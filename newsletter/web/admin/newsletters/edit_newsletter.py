"""The pages to list, add and edit newsletters, and to preview an edit before it is saved."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

from flask import Response, abort, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import force_locale
from werkzeug.wrappers import Response as AnyResponse

from newsletter.calendar.store import calendars_on
from newsletter.errors import FieldsInvalid, NewsletterError, StateConflict
from newsletter.identity import Identity
from newsletter.languages import language_name, parse_language
from newsletter.messages.digests.render import sample_subjects
from newsletter.models import db
from newsletter.newsletters.add import add_newsletter, new_identity
from newsletter.newsletters.edit import edit_newsletter as store_edit
from newsletter.newsletters.edit import try_edit
from newsletter.newsletters.fields import FIELDS, as_text
from newsletter.newsletters.logo import MOST_BYTES
from newsletter.newsletters.queries import earlier_texts, list_newsletters
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import chosen_newsletter
from newsletter.web.admin.forms import NewsletterForm
from newsletter.web.admin.query_string import text_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import mail_answer
from newsletter.web.public.forms import SignupForm
from newsletter.web.public.responses import stop_writing
from newsletter.web.public.signup.page import signup_page
from newsletter.web.public.signup.receive import topics_to_offer

# The preview of an email names this many topics.
SAMPLE_TOPICS = 3


@admin.get("/newsletters")
def newsletters() -> str:
    """List the newsletters, in the order in which people see them."""
    parts = runtime()
    parts.identities.forget()
    session = db.session()
    found = [parts.identities.of(session, row.id) for row in list_newsletters(session)]
    return render_template("admin/newsletters.html", newsletters=found, scheduled=calendars_on(session))


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
    session = db.session()
    try:
        changed = store_edit(
            session,
            parts.settings,
            _given(form),
            language=language,
            logo=_logo_file(form),
            no_logo=bool(form.no_logo.data),
            version=form.version.data or "",
            actor=actor(),
            now=parts.now(),
            newsletter_id=identity.newsletter_id,
        )
    except (FieldsInvalid, StateConflict) as fault:
        stop_writing()
        return _page(form, identity, language, status=_tell(form, fault))
    session.commit()
    parts.identities.forget()
    flash("The newsletter was saved." if changed else "Nothing has changed.", "ok")
    saved = _identity(identity.newsletter_id)
    place = url_for(
        "admin.newsletter",
        newsletter=saved.slug if request.args.get("newsletter") else None,
        language=language if request.args.get("language") else None,
    )
    return make_response(redirect(place, code=303))


@admin.post("/newsletter/preview/<what>", endpoint="preview_newsletter")
def preview_newsletter_(what: str) -> AnyResponse:
    """Show the sign-up page, or the confirmation email, with the content of the form. Stores nothing."""
    parts = runtime()
    identity = _identity()
    language = _language(identity)
    form = NewsletterForm()
    session = db.session()
    try:
        edited = try_edit(session, parts.settings, identity, _given(form), language)
    except FieldsInvalid as fault:
        stop_writing()
        return _page(form, identity, language, status=_tell(form, fault))
    offered = topics_to_offer(identity.newsletter_id)
    stop_writing()
    if what == "email":
        sender = replace(parts.sender(identity.newsletter_id), identity=edited)
        names = [each.shown_in(language).name for each in offered[:SAMPLE_TOPICS]] or ["-"]
        content = parts.messages.build_sample(sender, language, parts.now(), names)
        body = message_from_bytes(content, policy=policy.default).get_body(("html",))
        return mail_answer(body.get_content() if body else "")
    if what == "subject":
        own = replace(parts.renderer.of_newsletter(session, identity.newsletter_id), identity=edited)
        return make_response(
            render_template(
                "admin/preview_subject.html",
                subjects=sample_subjects(own, language, parts.now()),
                language=language,
            )
        )
    if what != "signup":
        abort(404)
    g.newsletter = edited
    with force_locale(parse_language(language)):
        return signup_page(SignupForm(edited, offered, posted=False), offered)


@admin.get("/newsletters/add")
def new_newsletter() -> Response:
    """Show an empty form, with the postal address, languages and time zone of the first newsletter."""
    blank = _blank()
    return _page(NewsletterForm(None, data=as_text(blank, blank.languages[0])), None, blank.languages[0])


@admin.post("/newsletters/add", endpoint="add_newsletter")
def add_newsletter_() -> Response:
    """Add a newsletter, and show its page; show the form again with what is wrong."""
    parts = runtime()
    form = NewsletterForm()
    session = db.session()
    given = _given(form)
    try:
        made = add_newsletter(
            session,
            parts.settings,
            slug=given.pop("slug", ""),
            fields=given,
            logo=_logo_file(form),
            actor=actor(),
            now=parts.now(),
        ).slug
    except FieldsInvalid as fault:
        stop_writing()
        return _page(form, None, _blank().languages[0], status=_tell(form, fault))
    session.commit()
    parts.identities.forget()
    flash("The newsletter was added. Give it topics on the page Topics.", "ok")
    return make_response(redirect(url_for("admin.newsletter", newsletter=made), code=303))


def _identity(newsletter_id: int | None = None) -> Identity:
    """Return the newsletter that the query names, as it is now."""
    parts = runtime()
    # What another process has changed within the last second must show here.
    parts.identities.forget()
    wanted = newsletter_id or chosen_newsletter(db.session()).id
    return parts.identities.recent(parts.reading, wanted)


def _blank() -> Identity:
    parts = runtime()
    return new_identity(db.session(), parts.settings, len(list_newsletters(db.session())) - 1)


def _given(form: NewsletterForm) -> dict[str, str]:
    """Return the texts of the form's fields. A field that was not sent is not changed."""
    return {name: form[name].data or "" for name in FIELDS if name in request.form}


def _logo_file(form: NewsletterForm) -> bytes | None:
    """Return the file that was chosen, or None."""
    file = form.logo.data
    return file.read(MOST_BYTES + 1) if file and file.filename else None


def _tell(form: NewsletterForm, fault: NewsletterError) -> int:
    """Put what is wrong beside its field, or at the top; return the status of the response."""
    if not isinstance(fault, FieldsInvalid):
        form.form_errors.append(str(fault))
        return 409
    for name, words in fault.faults.items():
        if name in form:
            form[name].errors = [words]
        else:
            form.form_errors.append(words)
    return 422


def _language(identity: Identity) -> str:
    asked = text_of("language") or ""
    return asked if asked in identity.languages else identity.languages[0]


def _page(form: NewsletterForm, identity: Identity | None, language: str, status: int = 200) -> Response:
    """Return the page with `form`, of a newsletter or of one that is being added."""
    session = db.session()
    chosen = chosen_newsletter(session)
    of_this: dict[str, Any] = {"newsletter": chosen.slug} if identity is not None and chosen.slug else {}
    languages = [
        (url_for("admin.newsletter", language=each, **of_this), language_name(each), each == language)
        for each in (identity.languages if identity else ())
    ]
    page = render_template(
        "admin/newsletter.html",
        form=form,
        languages=languages,
        language=language,
        several=bool(chosen.options) or identity is None,
        newsletters=chosen.options if identity else (),
        newsletter=chosen.slug,
        name=identity.name if identity else None,
        slug=identity.slug if identity else None,
        saved_logo=identity.logo if identity else None,
        earlier=earlier_texts(session, identity.newsletter_id, language) if identity else (),
        of_this=of_this,
    )
    return make_response(page, status)
