"""The pages of duplicates: the list of releases that may be the same, and two releases side by side."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.models import PairState, db
from newsletter.releases.duplicates.merge import mark_different, merge_releases, undo_merge
from newsletter.releases.duplicates.queries import compare_pair, list_pairs, merged_among, releases_of, split
from newsletter.releases.queries import find_release, list_releases
from newsletter.releases.revisions.differences import differences
from newsletter.releases.revisions.store import Texts
from newsletter.releases.search.find import Filters, search_releases
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import page_number, text_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

PER_PAGE = 50
# Without words, the page lists the releases that are dated at most this many days away.
NEAR = timedelta(days=3)
MOST_FOUND = 20
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


@admin.get("/releases/<public_id>/same")
def find_same(public_id: str) -> Response | str:
    """Find the release that is the same as this one: by its address, its ID or its words."""
    session = db.session()
    release = find_release(session, public_id)
    words = text_of("q") or ""
    named = words.split("?")[0].rstrip("/").rpartition("/")[2]
    if " " not in named and _is_another(public_id, named):
        return make_response(
            redirect(url_for("admin.compare_releases", public_id=public_id, other_id=named), code=303)
        )
    if words:
        found = search_releases(session, words, Filters(), per_page=MOST_FOUND + 1).page.items
    else:
        since = release.published_on - NEAR
        found = list_releases(
            session, since=since, until=release.published_on + NEAR, per_page=MOST_FOUND + 1
        ).items
    merged = merged_among(session, [each.id for each in found])
    others = [
        each for each in found if each.id not in merged and each.id != release.id and not each.deleted_at
    ]
    return render_template("admin/find_same.html", release=release, words=words, others=others[:MOST_FOUND])


def _is_another(public_id: str, named: str) -> bool:
    if named == public_id:
        return False
    try:
        find_release(db.session(), named)
    except NotFound:
        return False
    return True


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
                mark_different(session, public_id, other_id, actor(), now)
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
