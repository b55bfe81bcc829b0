"""The editor's pages: write, edit, preview, embargo and delete a release, and compare its texts."""

from __future__ import annotations

from itertools import pairwise

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from newsletter.errors import FieldsInvalid, InputError, NewsletterError, ReleaseUnreadable, StateConflict
from newsletter.ingest.press.parse import parse_press
from newsletter.models import db
from newsletter.releases.editing.body import from_markdown
from newsletter.releases.editing.delete import delete_release, undo_delete
from newsletter.releases.editing.edit_fields import (
    FIELDS,
    edit_release,
    form_values,
    sentence_case,
    write_release,
)
from newsletter.releases.editing.embargo import embargo_moment, lift_embargo, read_zone, set_embargo
from newsletter.releases.queries import find_release
from newsletter.releases.revisions.differences import differences
from newsletter.releases.revisions.store import Texts
from newsletter.releases.store import first_zone
from newsletter.releases.topics.manage import list_topics
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import ReleaseForm
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing

LONGEST_PASTE = 400_000


@admin.get("/releases/new")
def new_release() -> Response:
    """Show an empty form, and a field to paste a release into."""
    zone = first_zone(db.session())
    return _page(ReleaseForm(None, data={"zone": zone.key}), set())


@admin.post("/releases/new", endpoint="write_release")
def write_release_() -> Response:
    """Store a release that was written; or read one that was pasted, and show it in the form."""
    if request.form.get("action") == "paste":
        return _read_pasted()
    form, chosen, session = ReleaseForm(), _chosen(), db.session()
    try:
        made = write_release(session, _given(form), topics=chosen, actor=actor(), now=runtime().now())
    except (InputError, StateConflict) as fault:
        stop_writing()
        return _page(form, chosen, status=_tell(form, fault))
    public_id = made.public_id
    session.commit()
    flash("The release is stored and held. Make it ready when it may be sent.", "ok")
    return _go_to(public_id)


def _read_pasted() -> Response:
    pasted = request.form.get("pasted", "")[:LONGEST_PASTE]
    session = db.session()
    zone = first_zone(session)
    today = runtime().now().astimezone(zone).date()
    try:
        press = parse_press(pasted, "The text", today)
    except ReleaseUnreadable as fault:
        stop_writing()
        flash(f"{fault}. Fill in the form instead.", "bad")
        return _page(ReleaseForm(None, data={"zone": zone.key, "body": pasted}), set(), status=422)
    stop_writing()
    read = {
        "title": press.title,
        "publisher": press.publisher,
        "summary": press.summary,
        "body": press.body,
        "date": press.published.isoformat() if press.published else "",
        "zone": zone.key,
        "language": "" if press.language == "und" else press.language,
    }
    return _page(ReleaseForm(None, data=read), set(), guesses={"title", "publisher", "date", "language"})


@admin.get("/releases/<public_id>/edit", endpoint="edit_release_form")
def show_edit_form(public_id: str) -> Response:
    """Show a release in a form."""
    session = db.session()
    found = find_release(session, public_id)
    shown = form_values(found, first_zone(session)) | {"revision": str(found.revision)}
    return _page(
        ReleaseForm(None, data=shown), {link.topic.slug for link in found.topic_links}, public_id=public_id
    )


@admin.post("/releases/<public_id>/edit", endpoint="edit_release")
def edit_release_(public_id: str) -> Response:
    """Store the changes as a new revision, and show the release; show the form again with what is wrong."""
    form, chosen, session = ReleaseForm(), _chosen(), db.session()
    revision = form.revision.data or ""
    try:
        changed = edit_release(
            session,
            public_id,
            _given(form),
            topics=chosen,
            revision=int(revision) if revision.isdecimal() and len(revision) < 9 else 0,
            actor=actor(),
            now=runtime().now(),
        )
    except (InputError, StateConflict) as fault:
        stop_writing()
        return _page(form, chosen, public_id=public_id, status=_tell(form, fault))
    session.commit()  # at once: until the commit, the row of the sequence counter stays locked
    flash("The release was changed." if changed else "Nothing has changed.", "ok")
    return _go_to(public_id)


@admin.post("/releases/preview")
def preview_release() -> str:
    """Return the text of the form as it will be shown. Stores nothing."""
    stop_writing()
    form = ReleaseForm()
    try:
        body, fault = from_markdown(form.body.data or "").html, ""
    except InputError as wrong:
        body, fault = "", str(wrong)
    return render_template(
        "admin/_release_preview.html",
        title=form.title.data or "",
        body=body,
        fault=fault,
        language=form.language.data or "",
    )


@admin.post("/releases/<public_id>/embargo", endpoint="embargo_release")
def embargo_release_(public_id: str) -> Response:
    """Set, change or end the embargo of a release."""
    session, now = db.session(), runtime().now()
    try:
        if request.form.get("action") == "lift":
            lift_embargo(session, public_id, actor(), now)
            done = "The embargo is over."
        else:
            zone = read_zone(request.form.get("zone", ""))
            until = embargo_moment(request.form.get("until", ""), zone)
            set_embargo(session, public_id, until, actor(), now)
            done = "The release is under embargo. Nothing of it is public until then."
    except (InputError, StateConflict) as fault:
        session.rollback()
        flash(str(fault), "bad")
    else:
        session.commit()
        flash(done, "ok")
    return _go_to(public_id)


@admin.post("/releases/<public_id>/delete", endpoint="delete_release")
def delete_release_(public_id: str) -> Response:
    """Delete a release, or bring it back."""
    session, now = db.session(), runtime().now()
    try:
        if request.form.get("action") == "undo":
            undo_delete(session, public_id, actor(), now)
            done = "The release is back as it was."
        else:
            delete_release(session, public_id, actor(), now)
            done = "The release is deleted. You can bring it back on this page."
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "bad")
    else:
        session.commit()
        flash(done, "ok")
    return _go_to(public_id)


@admin.get("/releases/<public_id>/revisions")
def release_revisions(public_id: str) -> str:
    """Show what each correction of a release changed, the newest first."""
    found = find_release(db.session(), public_id)
    changes = [
        {
            "number": after.number,
            "made_at": after.made_at,
            "made_by": after.made_by,
            "differences": differences(Texts.of(before), Texts.of(after)),
        }
        for before, after in pairwise(found.revisions)
    ]
    return render_template("admin/release_revisions.html", release=found, changes=changes[::-1])


def _page(
    form: ReleaseForm,
    chosen: set[str],
    *,
    public_id: str | None = None,
    guesses: set[str] = frozenset(),  # type: ignore[assignment]
    status: int = 200,
) -> Response:
    page = render_template(
        "admin/edit_release.html",
        form=form,
        topics=_topics(db.session()),
        chosen=chosen,
        public_id=public_id,
        guesses=guesses,
        in_sentence_case=sentence_case(form.title.data or ""),
    )
    return make_response(page, status)


def _topics(session: Session) -> list[tuple[str, str]]:
    return [(each.slug, each.name) for each in list_topics(session)]


def _chosen() -> set[str]:
    return set(request.form.getlist("topics"))


def _given(form: ReleaseForm) -> dict[str, str]:
    return {name: form[name].data or "" for name in FIELDS if name in request.form}


def _tell(form: ReleaseForm, fault: NewsletterError) -> int:
    """Put what is wrong beside its field, or at the top; return the status of the response."""
    if isinstance(fault, FieldsInvalid):
        for name, words in fault.faults.items():
            form[name].errors = [words]
        return 422
    form.form_errors.append(str(fault))
    return 409 if isinstance(fault, StateConflict) else 422


def _go_to(public_id: str) -> Response:
    return make_response(redirect(url_for("admin.release", public_id=public_id), code=303))
