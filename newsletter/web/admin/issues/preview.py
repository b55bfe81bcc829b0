"""The digest preview: show it, send it as a test to one address, or send the issue to all."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from wtforms.fields.choices import SelectChoice

from newsletter.digest.by_hand import read_start
from newsletter.digest.issues import find_opened, open_issue
from newsletter.digest.issues import send_test as enqueue_test
from newsletter.digest.preview import Preview, nothing_to_show
from newsletter.digest.preview import preview as make_preview
from newsletter.digest.reach import count_by_frequency, count_reach
from newsletter.errors import AddressInvalid, InputError, NotFound, TokenError
from newsletter.languages import language_name
from newsletter.limits.keys import limit_key
from newsletter.limits.spend import spend
from newsletter.mail.addresses import parse_address
from newsletter.messages.digests.note import NOTE_BYTES, Note, read_note
from newsletter.models import (
    Frequency,
    IssueState,
    Newsletter,
    current_sequence,
    db,
)
from newsletter.releases.topics.manage import list_topics
from newsletter.throttle import Limit
from newsletter.tokens import Purpose
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import ChosenNewsletter, chosen_newsletter
from newsletter.web.admin.forms import SendForm, TestForm
from newsletter.web.admin.query_string import choice_of, choices_of, text_of
from newsletter.web.admin.session import actor
from newsletter.web.http.errors import error_page
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import mail_answer

VIEWS = ("html", "text", "phone")
LABELS = {frequency: frequency.words.capitalize() for frequency in Frequency}
# A form that sends to any address needs a limit, even behind a sign-in.
TESTS = Limit(20, 60 * 60)


@dataclass(frozen=True)
class PreviewRequest:
    """The digest to preview: topics of a newsletter with one frequency, or the digest of one subscriber."""

    newsletter: ChosenNewsletter
    topics: tuple[str, ...]
    frequency: Frequency
    subscriber: str


@admin.get("/preview")
def preview() -> Response:
    """Show the next digest of a newsletter, and the forms that send it."""
    frequencies = choices_of(Frequency, request.args.getlist("send"))
    return _page(frequencies, SendForm(formdata=None))


@admin.get("/preview/body")
def preview_body() -> Response:
    """Return the HTML of the digest alone, for the frame."""
    try:
        shown = _preview(db.session(), _preview_request())
    except (NotFound, AddressInvalid):
        shown = None
    if shown is None:
        abort(404)
    return mail_answer(shown.html)


@admin.post("/preview/test")
def send_test() -> Response:
    """Enqueue the previewed digest for one address."""
    form = TestForm()
    if not form.validate():
        return _page([], SendForm(formdata=None), test_form=form, status=422)
    parts, session = runtime(), db.session()
    try:
        recipient = parse_address(form.email.data)
    except AddressInvalid as fault:
        form.email.errors = [str(fault)]
        return _page([], SendForm(formdata=None), test_form=form, status=422)
    note, note_language = form.test_note.data or "", form.test_note_language.data or ""
    try:
        read_note(note, note_language)
    except InputError as fault:
        form.test_note.errors = [str(fault)]
        return _page([], SendForm(formdata=None), test_form=form, status=422)
    wanted = _preview_request()
    shown = _preview(session, wanted)
    if shown is None:
        abort(404)
    if spend(session, limit_key(parts.tokens, "test", actor()), TESTS, parts.now()):
        return error_page(429, "Too many tests were sent. Please wait a few minutes.")
    enqueue_test(
        session,
        parts.renderer,
        shown.selection,
        recipient=recipient.text,
        actor=actor(),
        now=parts.now(),
        newsletter_id=wanted.newsletter.id,
        note=note,
        note_language=note_language,
        order=shown.order,
    )
    session.commit()
    parts.wake("single")
    flash(f"The test is being sent to {recipient.text}.", "ok")
    return _see(url_for("admin.preview", **_args(wanted)))


@admin.post("/preview/note")
def preview_note() -> Response:
    """Return the HTML of the digest with the note that is in the form. Stores nothing."""
    form = SendForm()
    try:
        note = read_note(form.note.data or "", form.note_language.data or "")
        shown = _preview(db.session(), _preview_request(), note)
    except (InputError, NotFound) as fault:
        return error_page(422, str(fault))
    if shown is None:
        abort(404)
    return mail_answer(shown.html)


@admin.post("/preview/send")
def send_issue() -> Response:
    """Open the issue if the typed number was the number of subscribers on the page, and still is."""
    parts, session = runtime(), db.session()
    form = SendForm()
    sealed = _read_sealed(form.key.data or "")
    if sealed is None:
        return error_page(409, "This page was open for too long. Reload it and try again.")
    key, newsletter_id, shown, names = sealed
    opened = find_opened(session, key)
    if opened is not None:  # a second click, or a request repeated after a timeout
        return _see(url_for("admin.issue", public_id=opened.public_id))
    frequencies = choices_of(Frequency, names)
    reach = count_reach(session, frequencies, current_sequence(session), newsletter_id)
    now_subscribers = reach.would_reach_now
    time_zone = parts.sender(newsletter_id).identity.time_zone
    status = _find_faults(form, shown, now_subscribers, time_zone)
    if status:
        return _page(frequencies, form, status=status)
    try:
        issue = open_issue(
            session,
            frequencies,
            actor=actor(),
            now=parts.now(),
            request_key=key,
            own_hour=form.own_hour.data,
            newsletter_id=newsletter_id,
            note=form.note.data or "",
            note_language=form.note_language.data or "",
            starts_at=read_start(form.starts_at.data or "", time_zone, parts.now()),
        )
        session.flush()
    except IntegrityError:
        # The same form was sent twice at the same moment, and the other request was first.
        session.rollback()
        first = find_opened(session, key)
        if first is None:
            raise
        return _see(url_for("admin.issue", public_id=first.public_id))
    place, words = url_for("admin.issue", public_id=issue.public_id), _OPENED[issue.state]
    session.commit()
    parts.wake("bulk")
    flash(words, "ok")
    return _see(place)


_OPENED = {
    IssueState.PREPARING: "The issue is being sent.",
    IssueState.SCHEDULED: "The issue is planned.",
    IssueState.HELD: "The issue waits until another person approves it.",
}


def _find_faults(form: SendForm, shown: int, now_subscribers: int, time_zone: str) -> int:
    """Put the faults of a form beside its fields; return the status of the answer, 0 if there is none."""
    status = 0
    if not form.validate() or form.number.data.strip() != str(shown):
        form.number.errors = [f"Please type the number of subscribers, {now_subscribers}, to send."]
        status = 422
    elif now_subscribers != shown:
        form.number.errors = [
            f"The number has changed from {shown} to {now_subscribers}. Please type the new number."
        ]
        status = 409
    try:
        read_note(form.note.data or "", form.note_language.data or "")
    except InputError as fault:
        form.note.errors = [str(fault)]
        status = 422
    try:
        read_start(form.starts_at.data or "", time_zone, runtime().now())
    except InputError as fault:
        form.starts_at.errors = [str(fault)]
        status = 422
    return status


def _read_sealed(token: str) -> tuple[str, int, int, list[str]] | None:
    """Return the key, the newsletter's id, the number and the frequencies that a form sealed.

    None if the form is too old. It is also too old if it is of a version that had one newsletter.
    """
    parts = runtime()
    try:
        what, key, newsletter_id, shown, *names = parts.tokens.read(Purpose.FORM, token, parts.now())
    except (TokenError, ValueError):  # a token from a public form has fewer parts
        return None
    if what != "send":
        abort(400)
    return (key, newsletter_id, shown, names) if isinstance(shown, int) else None


def _page(
    frequencies: list[Frequency], form: SendForm, *, test_form: TestForm | None = None, status: int = 200
) -> Response:
    session = db.session()
    wanted = _preview_request()
    trouble, shown = None, None
    try:
        shown = _preview(session, wanted)
    except (NotFound, AddressInvalid) as fault:
        trouble = str(fault)
    if shown is None and trouble is None:
        trouble = nothing_to_show(wanted.topics, for_subscriber=bool(wanted.subscriber))
    view = request.args.get("view")
    test_form = test_form or TestForm(formdata=None)
    offered = runtime().renderer.of_newsletter(session, wanted.newsletter.id).languages
    test_form.test_note_language.choices = [SelectChoice(each, language_name(each)) for each in offered]
    page = render_template(
        "admin/preview.html",
        newsletters=wanted.newsletter.options,
        topics=list_topics(session, wanted.newsletter.id),
        frequencies=[(frequency.value, LABELS[frequency]) for frequency in Frequency],
        chosen={
            "newsletter": wanted.newsletter.slug,
            "topics": wanted.topics,
            "frequency": wanted.frequency.value,
            "reader": wanted.subscriber,
        },
        view=view if view in VIEWS else "html",
        problem=trouble,
        facts=_facts(shown, wanted) if shown else None,
        text=shown.text if shown else "",
        test_form=test_form,
        send=_send_context(session, wanted.newsletter.id, frequencies, form),
    )
    return make_response(page, status)


def _send_context(
    session: Session, newsletter_id: int, frequencies: list[Frequency], form: SendForm
) -> dict[str, Any]:
    parts = runtime()
    chose = count_by_frequency(session, newsletter_id)
    reach = None
    if frequencies:
        reach = count_reach(session, frequencies, current_sequence(session), newsletter_id)
        # The sealed form carries what was counted and shown. Its key opens one issue only.
        names = [each.value for each in frequencies]
        sealed = ["send", secrets.token_urlsafe(18), newsletter_id, reach.would_reach_now, *names]
        form.key.data = parts.tokens.make(Purpose.FORM, sealed, parts.now())
        form.number.data = ""
        offered = parts.renderer.of_newsletter(session, newsletter_id).languages
        form.note_language.choices = [SelectChoice(each, language_name(each)) for each in offered]
    return {
        "options": [
            {"value": each.value, "label": LABELS[each], "readers": chose.get(each, 0)} for each in Frequency
        ],
        "chosen": [each.value for each in frequencies],
        "words": [each.words for each in frequencies],
        "reach": reach,
        "form": form,
        "note_bytes": NOTE_BYTES,
        "time_zone": parts.sender(newsletter_id).identity.time_zone,
        "slug": session.get_one(Newsletter, newsletter_id).slug,
    }


def _preview(session: Session, wanted: PreviewRequest, note: Note | None = None) -> Preview | None:
    """Return the requested digest. Raises NotFound and AddressInvalid, with texts for the editor."""
    parts = runtime()
    if wanted.subscriber:
        # Everything that is due for that subscriber, at any frequency.
        key = parse_address(wanted.subscriber).canonical
        return make_preview(
            session,
            parts.renderer,
            frequencies=list(Frequency),
            now=parts.now(),
            email_key=key,
            newsletter_id=wanted.newsletter.id,
            note=note,
        )
    return make_preview(
        session,
        parts.renderer,
        frequencies=[wanted.frequency],
        now=parts.now(),
        topics=wanted.topics,
        newsletter_id=wanted.newsletter.id,
        note=note,
    )


def _facts(shown: Preview, wanted: PreviewRequest) -> dict[str, Any]:
    return {
        "subject": shown.subject,
        "html_bytes": shown.html_bytes,
        "releases": len(shown.releases),
        "reach": None if wanted.subscriber else shown.reach,
        "words": wanted.frequency.words,
        "is_sample": shown.is_sample,
    }


def _preview_request() -> PreviewRequest:
    newsletter = chosen_newsletter(db.session())
    topics = tuple(dict.fromkeys(slug[:64] for slug in request.args.getlist("topic")[:100] if slug))
    frequency = choice_of(Frequency, request.args.get("frequency"))
    frequency = frequency or _usual_frequency(db.session(), newsletter.id)
    return PreviewRequest(newsletter, topics, frequency, text_of("reader") or "")


def _usual_frequency(session: Session, newsletter_id: int) -> Frequency:
    """Return the frequency that most subscribers of a newsletter chose; weekly if there are none."""
    chose = count_by_frequency(session, newsletter_id)
    return max(chose, key=lambda each: chose[each]) if chose else Frequency.WEEKLY


def _args(wanted: PreviewRequest) -> dict[str, Any]:
    view = request.args.get("view")
    return {
        "newsletter": wanted.newsletter.slug,
        "topic": wanted.topics,
        "frequency": wanted.frequency.value,
        "reader": wanted.subscriber or None,
        "view": view if view in VIEWS else None,
    }


def _see(place: str) -> Response:
    return make_response(redirect(place, code=303))
