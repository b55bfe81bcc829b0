"""Send a release urgently: a page says how many people get it, and a second one asks for that number."""

from __future__ import annotations

from flask import Response, flash, make_response, redirect, render_template, request, url_for

from newsletter.digest.urgent import UrgentReach, count_urgent
from newsletter.errors import StateConflict
from newsletter.models import db
from newsletter.releases.editing.urgent import mark_urgent, unmark_urgent, why_not_urgent
from newsletter.releases.queries import find_release
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing


@admin.get("/releases/<public_id>/urgent", endpoint="ask_urgent")
def ask_urgent(public_id: str) -> str:
    """Say how many people would get a release at once, what waits, and what an urgent email is."""
    return _page(public_id)


@admin.post("/releases/<public_id>/urgent", endpoint="send_urgent")
def send_urgent(public_id: str) -> Response:
    """Take the mark back; or ask for the number of people, and mark the release if it is right."""
    session, now = db.session(), runtime().now()
    try:
        if request.form.get("action") == "unmark":
            unmark_urgent(session, public_id, actor(), now)
            done = "The release is no longer urgent. The next issue brings it."
        else:
            typed = request.form.get("typed")
            reach = count_urgent(session, find_release(session, public_id))
            if typed is None:
                stop_writing()
                return make_response(_page(public_id, asks=True, reach=reach))
            if typed.strip().replace(",", "") != str(reach.would_get):
                stop_writing()
                fault = f"Type {reach.would_get}, the number of people who get it."
                return make_response(_page(public_id, asks=True, reach=reach, fault=fault), 422)
            found = mark_urgent(session, public_id, reach.would_get, actor(), now)
            waits = bool(found.holds)
            done = (
                "It is sent urgently when its last hold ends." if waits else "It is being sent to everybody."
            )
    except StateConflict as fault:
        stop_writing()
        return make_response(_page(public_id, fault=str(fault)), 409)
    session.commit()  # at once: until the commit, the row of the sequence counter stays locked
    runtime().wake("bulk")
    flash(done, "ok")
    return make_response(redirect(url_for("admin.release", public_id=public_id), code=303))


def _page(public_id: str, *, asks: bool = False, reach: UrgentReach | None = None, fault: str = "") -> str:
    session = db.session()
    found = find_release(session, public_id)
    return render_template(
        "admin/urgent.html",
        release=found,
        reach=reach or count_urgent(session, found),
        refused=why_not_urgent(session, found),
        asks=asks,
        fault=fault,
    )
