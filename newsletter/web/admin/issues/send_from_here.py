"""The page on which a person says that this installation is the one that sends, and no restored copy."""

from __future__ import annotations

from flask import flash, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response

from newsletter.errors import StateConflict
from newsletter.models import db
from newsletter.outbox import copies
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime


@admin.get("/send-from-here")
def ask_send_from_here() -> str:
    """Say why digests wait, and ask."""
    return render_template("admin/send_from_here.html", why=copies.held_because(db.session()))


@admin.post("/send-from-here")
def send_from_here() -> Response:
    """Let digests go from this installation."""
    session, parts = db.session(), runtime()
    try:
        copies.send_from_here(session, parts.settings.data_dir, actor(), parts.now())
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "warn")
    else:
        session.commit()
        parts.wake("bulk")
        flash("Digests go from here.", "ok")
    return make_response(redirect(url_for("admin.overview"), code=303))
