"""The releases of sources that need approval: a list, and a button for each and for all."""

from __future__ import annotations

from flask import Response, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import NotFound, StateConflict
from newsletter.models import ReleaseState, db
from newsletter.releases.from_sources.approve import (
    approve,
    count_waiting,
    names_of_sources,
    waiting_for_approval,
)
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

SHOWN = 100


@admin.get("/approvals")
def approvals() -> str:
    """Show the releases that wait for approval, the oldest first."""
    session = db.session()
    found = waiting_for_approval(session, SHOWN)
    return render_template(
        "admin/approvals.html",
        releases=found,
        sources=names_of_sources(session, found),
        count=count_waiting(session),
    )


@admin.post("/approvals", endpoint="approve_releases")
def approve_releases() -> Response:
    """Approve the releases that the pressed button names."""
    session, now = db.session(), runtime().now()
    approved, held = 0, 0
    for public_id in request.form.getlist("release")[:SHOWN]:
        try:
            release = approve(session, public_id, actor(), now)
        except (NotFound, StateConflict):  # another editor was faster
            session.rollback()
            continue
        approved += 1
        held += release.state is ReleaseState.HELD
        session.commit()  # at once: until the commit, the row of the sequence counter stays locked
    words = f"Approved: {approved}."
    flash(f"{words} Still held for another reason: {held}." if held else words, "ok")
    return make_response(redirect(url_for("admin.approvals"), code=303))
