"""The page that shows the issue of a date to the approver, with the button that approves it."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from newsletter.calendar.instants import zone_of
from newsletter.calendar.store import find_calendar
from newsletter.digest.preview import Preview
from newsletter.digest.preview import preview as make_preview
from newsletter.digest.schedule import approval
from newsletter.errors import InputError, StateConflict, TokenError
from newsletter.languages import language_name
from newsletter.messages.digests.note import NOTE_BYTES
from newsletter.models import db
from newsletter.newsletters.queries import find_newsletter
from newsletter.tokens import Purpose
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import ApproveForm
from newsletter.web.admin.session import actor
from newsletter.web.http.errors import error_page
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import mail_answer


@admin.get("/newsletters/<slug>/approve/<slot>")
def approve(slug: str, slot: str) -> Response:
    """Show the issue of a date as it would be now."""
    return _page(slug, _read_date(slot), ApproveForm(formdata=None))


@admin.get("/newsletters/<slug>/approve/<slot>/body")
def approve_body(slug: str, slot: str) -> Response:
    """Return the HTML of the issue of a date, up to a sequence, for the frame."""
    session = db.session()
    to = request.args.get("to", "")
    to_sequence = int(to) if to.isascii() and to.isdigit() and len(to) < 19 else None
    shown = _preview(session, find_newsletter(session, slug).id, _read_date(slot), to_sequence)
    if shown is None:
        abort(404)
    return mail_answer(shown.html)


@admin.post("/newsletters/<slug>/approve/<slot>")
def approve_issue(slug: str, slot: str) -> Response:
    """Approve the issue of a date with the releases that the page showed, or withdraw its approval."""
    session, parts, form, day = db.session(), runtime(), ApproveForm(), _read_date(slot)
    if request.form.get("action") == "withdraw":
        return _withdraw(slug, day)
    try:
        what, for_slug, for_slot, to_sequence, shown_at, order_version = parts.tokens.read(
            Purpose.FORM, form.key.data or "", parts.now()
        )
    except (TokenError, ValueError):
        return error_page(409, "This page was open for too long. Reload it and try again.")
    if (what, for_slug, for_slot) != ("approve", slug, str(day)):
        abort(400)
    newsletter_id = find_newsletter(session, slug).id
    try:
        approval.approve(
            session,
            newsletter_id,
            day,
            to_sequence,
            datetime.fromtimestamp(shown_at, UTC),
            actor=actor(),
            now=parts.now(),
            note=form.note.data or "",
            note_language=form.note_language.data or "",
            order_version=order_version,
        )
    except InputError as fault:
        form.note.errors = [str(fault)]
        session.rollback()
        return _page(slug, day, form, 422)
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "warn")
        return make_response(redirect(url_for("admin.schedule", slug=slug), code=303))
    session.commit()
    parts.wake("bulk")
    flash(f"The issue for {day} is approved.", "ok")
    return make_response(redirect(url_for("admin.schedule", slug=slug), code=303))


def _withdraw(slug: str, day: date) -> Response:
    session = db.session()
    newsletter_id = find_newsletter(session, slug).id
    try:
        approval.withdraw(session, newsletter_id, day, actor=actor(), now=runtime().now())
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "warn")
    else:
        session.commit()
        flash(f"The approval for {day} is withdrawn. The issue waits for another one.", "ok")
    return make_response(redirect(url_for("admin.approve", slug=slug, slot=day), code=303))


def _read_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        abort(404)


def _preview(session: Session, newsletter_id: int, slot: date, to_sequence: int | None) -> Preview | None:
    frequencies = approval.frequencies_on(session, newsletter_id, slot)
    if not frequencies:
        return None
    parts = runtime()
    return make_preview(
        session,
        parts.renderer,
        frequencies=frequencies,
        now=parts.now(),
        newsletter_id=newsletter_id,
        to_sequence=to_sequence,
        slot=slot,
        for_anybody=True,
    )


def _page(slug: str, slot: date, form: ApproveForm, status: int = 200) -> Response:
    session, parts = db.session(), runtime()
    newsletter_id, now = find_newsletter(session, slug).id, parts.now()
    row, calendar = (
        approval.find_approval(session, newsletter_id, slot),
        find_calendar(session, newsletter_id),
    )
    if row is None or calendar is None:
        abort(404)
    parts.identities.forget()
    identity = parts.identities.recent(parts.reading, newsletter_id)
    to_sequence = row.to_sequence if row.approved_at else None
    shown = _preview(session, newsletter_id, slot, to_sequence)
    form.note_language.choices = [(each, language_name(each)) for each in identity.languages]
    if shown is not None:
        sealed = ["approve", slug, str(slot), shown.to_sequence, int(now.timestamp()), shown.order_version]
        form.key.data = parts.tokens.make(Purpose.FORM, sealed, now)
    zone = zone_of(calendar.time_zone)
    page = render_template(
        "admin/approve.html",
        identity=identity,
        slot=slot,
        approval=row,
        first_at=f"{row.first_at.astimezone(zone):%a %Y-%m-%d %H:%M} ({zone.key})",
        frequencies=[each.words for each in approval.frequencies_on(session, newsletter_id, slot)],
        shown=shown,
        note_bytes=NOTE_BYTES,
        form=form,
        can_withdraw=bool(row.approved_at)
        and not row.ended_at
        and not approval.has_begun(session, newsletter_id, slot),
    )
    return make_response(page, status)
