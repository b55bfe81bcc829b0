"""The page that tells those who have an earlier text of a release about its correction."""

from __future__ import annotations

from flask import Response, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import InputError, StateConflict
from newsletter.models import Release, ReleaseState, db
from newsletter.releases.correction_notice.content import LONGEST_SENTENCE, changes_between
from newsletter.releases.correction_notice.recipients import count_reach, earlier_texts
from newsletter.releases.correction_notice.send import ask_notice, find_notice
from newsletter.releases.queries import find_release
from newsletter.releases.revisions.store import Texts
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing


@admin.get("/releases/<public_id>/notice", endpoint="ask_notice")
def show_notice(public_id: str) -> str:
    """Show how many people have an earlier text, what an email would say, and the form."""
    return _page(find_release(db.session(), public_id))


@admin.post("/releases/<public_id>/notice", endpoint="send_notice")
def send_notice(public_id: str) -> Response:
    """Ask for the notice, and show the release; show the form again with what is wrong."""
    session, revision = db.session(), request.form.get("revision", "")
    says = request.form.get("sentence", "") if request.form.get("says") == "sentence" else ""
    try:
        if request.form.get("says") == "sentence" and not says.strip():
            raise InputError("Write the sentence, or choose the differences.")
        ask_notice(
            session,
            public_id,
            sentence=says,
            revision=int(revision) if revision.isdecimal() and len(revision) < 9 else 0,
            actor=actor(),
            now=runtime().now(),
        )
    except (InputError, StateConflict) as fault:
        stop_writing()
        status = 409 if isinstance(fault, StateConflict) else 422
        return make_response(_page(find_release(session, public_id), says, str(fault)), status)
    session.commit()
    runtime().wake("single")
    flash("The notice is being sent to those who have an earlier text.", "ok")
    return make_response(redirect(url_for("admin.release", public_id=public_id), code=303))


def _page(found: Release, sentence: str = "", fault: str = "") -> str:
    session = db.session()
    earlier = earlier_texts(found)
    newest = max(earlier, default=0)
    return render_template(
        "admin/correction_notice.html",
        release=found,
        reach=count_reach(session, found),
        is_public=found.state is ReleaseState.READY,
        notice=find_notice(session, found),
        changes=changes_between(earlier[newest], Texts.of(found)) if newest else [],
        sentence=sentence,
        longest=LONGEST_SENTENCE,
        fault=fault,
    )
