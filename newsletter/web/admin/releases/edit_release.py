"""The editor's pages of a stored release: edit, preview, embargo, delete, and compare its texts."""

from __future__ import annotations

from itertools import pairwise

from flask import Response, flash, make_response, render_template, request

from newsletter.errors import FieldsInvalid, InputError, StateConflict
from newsletter.images.store import find_image
from newsletter.models import db
from newsletter.releases.editing.body import from_markdown
from newsletter.releases.editing.delete import delete_release, undo_delete
from newsletter.releases.editing.edit_fields import edit_release, form_values
from newsletter.releases.editing.embargo import embargo_moment, lift_embargo, read_zone, set_embargo
from newsletter.releases.queries import find_release, find_seen
from newsletter.releases.revisions.differences import differences
from newsletter.releases.revisions.store import Texts
from newsletter.releases.store import first_zone
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import ReleaseForm
from newsletter.web.admin.releases.release_form import (
    chosen_topics,
    given_fields,
    go_to_release,
    in_sentence_case,
    release_page,
    take_image,
    tell_faults,
)
from newsletter.web.admin.releases.releases import ask_first, is_sure, show_release
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing

# A time or the name of a zone.
LONGEST_EMBARGO = 100


@admin.get("/releases/<public_id>/edit", endpoint="edit_release_form")
def show_edit_form(public_id: str) -> Response:
    """Show a release in a form."""
    session = db.session()
    found = find_release(session, public_id)
    shown = form_values(found, first_zone(session)) | {"revision": str(found.revision)}
    return release_page(
        ReleaseForm(None, data=shown), {link.topic.slug for link in found.topic_links}, public_id=public_id
    )


@admin.post("/releases/<public_id>/edit", endpoint="edit_release")
def edit_release_(public_id: str) -> Response:
    """Store the changes as a new revision, and show the release; show the form again with what is wrong."""
    form, chosen = ReleaseForm(), chosen_topics()
    revision = form.revision.data or ""
    if request.form.get("action") == "sentence-case":
        return in_sentence_case(form, chosen, public_id)
    try:
        take_image(form)
        session = db.session()
        changed = edit_release(
            session,
            public_id,
            given_fields(form),
            topics=chosen,
            revision=int(revision) if revision.isdecimal() and len(revision) < 9 else 0,
            actor=actor(),
            now=runtime().now(),
        )
    except (InputError, StateConflict) as fault:
        stop_writing()
        return release_page(form, chosen, public_id=public_id, status=tell_faults(form, fault))
    session.commit()  # at once: until the commit, the row of the sequence counter stays locked
    flash("The release was changed." if changed else "Nothing has changed.", "ok")
    return go_to_release(public_id)


@admin.post("/releases/preview")
def preview_release() -> str:
    """Return the release in the form as it will be shown. Stores only an image that was chosen."""
    form = ReleaseForm()
    has_file = bool(form.image_file.data)
    try:
        take_image(form)
    except FieldsInvalid as refused:
        tell_faults(form, refused)
    stop_writing()
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
        image=find_image(db.session(), form.image.data),
        image_alt=form.image_alt.data or "",
        form=form if has_file else None,
    )


@admin.post("/releases/<public_id>/embargo", endpoint="embargo_release")
def embargo_release_(public_id: str) -> Response:
    """Set, change or end the embargo of a release."""
    session, now = db.session(), runtime().now()
    typed = {name: request.form.get(name, "")[:LONGEST_EMBARGO] for name in ("until", "zone")}
    try:
        if request.form.get("action") == "lift":
            lift_embargo(session, public_id, actor(), now)
            done = "The embargo is over."
        else:
            until = embargo_moment(typed["until"], read_zone(typed["zone"]))
            asks = not is_sure() and find_seen(session, public_id)
            set_embargo(session, public_id, until, actor(), now)
            if asks:
                session.rollback()
                return ask_first(public_id, "embargo", **typed)
            done = "The release is under embargo. Nothing of it is public until then."
    except InputError as fault:
        stop_writing()
        return make_response(show_release(public_id, typed, str(fault)), 422)
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "bad")
    else:
        session.commit()
        flash(done, "ok")
    return go_to_release(public_id)


@admin.post("/releases/<public_id>/delete", endpoint="delete_release")
def delete_release_(public_id: str) -> Response:
    """Delete a release, or bring it back."""
    session, now = db.session(), runtime().now()
    try:
        if request.form.get("action") == "undo":
            undo_delete(session, public_id, actor(), now)
            done = "The release is back as it was."
        elif not is_sure() and find_seen(session, public_id):
            return ask_first(public_id, "delete")
        else:
            delete_release(session, public_id, actor(), now)
            done = "The release is deleted. You can bring it back on this page."
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "bad")
    else:
        session.commit()
        flash(done, "ok")
    return go_to_release(public_id)


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
