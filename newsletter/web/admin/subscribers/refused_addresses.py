"""The page about refused addresses: the owner decides whether they are gone."""

from __future__ import annotations

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from newsletter.errors import NotFound, StateConflict
from newsletter.models import db
from newsletter.notices import as_record
from newsletter.outbox.refused import owner_decisions
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

SHOWN = 100


@admin.get("/refused")
def refused() -> str:
    """Show the open questions, with the first addresses of each."""
    session = db.session()
    asked = [
        {
            **as_record(question.notice),
            "number": question.number,
            "refusals": owner_decisions.list_refusals(session, question, SHOWN),
        }
        for question in owner_decisions.questions(session)
    ]
    return render_template("admin/refused_addresses.html", questions=asked)


@admin.post("/refused/<int:notice_id>")
def answer_refused(notice_id: int) -> Response:
    """Suppress the refused addresses, or send to them again, depending on the button."""
    session, parts = db.session(), runtime()
    number = request.form.get("number", type=int)
    action = request.form.get("action")
    if number is None or action not in {"gone", "again"}:
        abort(400)
    try:
        if action == "gone":
            new = owner_decisions.really_gone(session, parts.tokens, notice_id, number, actor(), parts.now())
            words = f"{new} addresses get no more emails."
        else:
            queued = owner_decisions.send_again(session, notice_id, number, actor(), parts.now())
            words = f"{queued} emails will be sent again."
    except (NotFound, StateConflict) as fault:
        session.rollback()
        flash(str(fault), "warn")
    else:
        session.commit()
        parts.wake("bulk")
        flash(words, "ok")
    return make_response(redirect(url_for("admin.refused"), code=303))
