"""The pages of duplicates: the list of releases that may be the same, and two releases side by side."""

from __future__ import annotations

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.models import PairState, db
from newsletter.releases.duplicates.merge import merge_releases, part_releases, undo_merge
from newsletter.releases.duplicates.queries import compare_pair, list_pairs, releases_of, split
from newsletter.releases.revisions.differences import differences
from newsletter.releases.revisions.store import Texts
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import page_number
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

PER_PAGE = 50
DONE = {
    PairState.MERGED: "The releases are merged. You can undo that on this page.",
    PairState.LINKED: "Both were sent already, so the archive links them.",
}


@admin.get("/releases/duplicates")
def duplicates() -> str:
    """Show the releases that may be the same."""
    session = db.session()
    found = list_pairs(session, page=page_number(), per_page=PER_PAGE)
    by_id = releases_of(session, found.items)
    rows = [
        {"earlier": by_id[each.earlier_id], "later": by_id[each.later_id], "differs": split(each.differs)}
        for each in found.items
    ]
    return render_template("admin/duplicates.html", pairs=rows, pagination=found)


@admin.get("/releases/<public_id>/same/<other_id>")
def compare_releases(public_id: str, other_id: str) -> str:
    """Show two releases side by side, what differs, and who has got which."""
    try:
        found = compare_pair(db.session(), public_id, other_id)
    except InputError as fault:
        raise NotFound(str(fault)) from fault
    return render_template(
        "admin/compare_releases.html",
        found=found,
        sides=[(found.earlier, found.earlier_recipients), (found.later, found.later_recipients)],
        differences=differences(Texts.of(found.earlier), Texts.of(found.later)),
    )


@admin.post("/releases/<public_id>/same/<other_id>")
def decide_duplicate(public_id: str, other_id: str) -> Response:
    """Merge two releases, say that they are different, or undo a merge. `public_id` is the one that stays."""
    session, now = db.session(), runtime().now()
    try:
        match request.form.get("action"):
            case "merge":
                done = DONE[merge_releases(session, public_id, other_id, actor(), now)]
            case "different":
                part_releases(session, public_id, other_id, actor(), now)
                done = "They are different. They are not suggested again."
            case "undo":
                undo_merge(session, other_id, actor(), now)
                done = "The merge is undone. Both releases are as they were before."
            case _:
                abort(400)
    except (InputError, StateConflict) as fault:
        session.rollback()
        flash(str(fault), "bad")
    else:
        session.commit()  # at once: until the commit, the row of the sequence counter stays locked
        flash(done, "ok")
    place = url_for("admin.compare_releases", public_id=public_id, other_id=other_id)
    return make_response(redirect(place, code=303))
