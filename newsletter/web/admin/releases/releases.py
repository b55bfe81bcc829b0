"""The release pages: find, show, hold, exclude, make ready and pin releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import InputError
from newsletter.images.store import find_image, find_images
from newsletter.models import Release, ReleaseState, Topic, db
from newsletter.models.paging import Page
from newsletter.releases.correction_notice.send import count_told, find_notice
from newsletter.releases.duplicates.queries import (
    count_suggested,
    merged_among,
    merged_into,
    others_of,
    places_of,
)
from newsletter.releases.editing.edit import ReleaseAction, change_release, correct_release
from newsletter.releases.from_sources.approve import count_waiting
from newsletter.releases.holds import doubtful_fields, is_embargoed, say_doubts
from newsletter.releases.publishing.public import is_public
from newsletter.releases.queries import carried, find_release, find_seen, issues_with, list_releases
from newsletter.releases.search.find import Filters, search_releases
from newsletter.releases.search.highlight import excerpt, mark
from newsletter.releases.store import first_zone
from newsletter.releases.topics.manage import list_topics
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import newsletter_names
from newsletter.web.admin.query_string import choice_of, page_number, text_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

LONGEST_TITLE = 1000
PER_PAGE = 50
DONE = {
    ReleaseAction.READY: "is ready and goes out with the next digest",
    ReleaseAction.HOLD: "is held until an editor makes it ready",
    ReleaseAction.EXCLUDE: "is excluded from every digest",
    ReleaseAction.PIN: "is pinned and comes first",
    ReleaseAction.UNPIN: "is no longer pinned",
}
# These actions take a release off the public pages. Each is asked about if people have seen it.
WITHDRAWING = {"hold", "exclude", "delete", "embargo"}


@admin.get("/releases")
def releases() -> str:
    """Show the releases that match the filters."""
    session = db.session()
    filters = _filters()
    topics = list_topics(session)
    found, words, is_more = _found(filters, topics)
    sent = carried(session, [release.id for release in found.items])
    merged = merged_among(session, [release.id for release in found.items])
    images = find_images(session, (release.image_hash for release in found.items))
    rows = [
        {
            "public_id": release.public_id,
            "title": release.title,
            "marked_title": mark(release.title, words),
            "excerpt": excerpt(release.body_text, words) if words else [],
            "publisher": release.publisher,
            "published_on": release.published_on,
            "state": release.state,
            "doubts": doubtful_fields(release),
            "pinned": release.pinned,
            "deleted_at": release.deleted_at,
            "topics": [link.topic.name for link in release.topic_links],
            "sent": release.id in sent,
            "merged": release.id in merged,
            "image": images.get(release.image_hash or ""),
        }
        for release in found.items
    ]
    return render_template(
        "admin/releases.html",
        releases=rows,
        topics=topics,
        filters=filters,
        pagination=found,
        is_more=is_more,
        waiting=count_waiting(session),
        suggested=count_suggested(session),
    )


def _found(
    filters: Mapping[str, str | None], topics: Sequence[Topic]
) -> tuple[Page[Release], tuple[str, ...], bool]:
    """Return a page of releases, the words of the search in them, and whether there are more than counted.

    A search finds whole words in all of the text. Without a hit, it looks for the typed characters in titles
    and publishers.
    """
    session, page = db.session(), page_number()
    state, since = choice_of(ReleaseState, filters["state"]), _day(filters["since"])
    topic = next((each for each in topics if each.slug == filters["topic"]), None)
    deleted = filters["state"] == "deleted"
    if filters["q"] and not deleted and (topic or not filters["topic"]):
        chosen = Filters(topic_id=topic.id if topic else None, since=since, state=state)
        hits = search_releases(session, filters["q"], chosen, page=page, per_page=PER_PAGE)
        if hits.page.total:
            return hits.page, hits.words, hits.is_more
    found = list_releases(
        session,
        search=filters["q"] or "",
        state=state,
        deleted=deleted,
        topic=filters["topic"] or "",
        since=since,
        page=page,
        per_page=PER_PAGE,
    )
    return found, (), False


@admin.get("/releases/<public_id>")
def release(public_id: str) -> str:
    """Show one release."""
    return show_release(public_id)


def show_release(public_id: str, typed: Mapping[str, str] | None = None, fault: str = "") -> str:
    """Return the page of a release.

    After a wrong embargo was typed, `typed` has its `until` and `zone`, and `fault` says what is wrong.
    """
    session, now = db.session(), runtime().now()
    found = find_release(session, public_id)
    doubts = doubtful_fields(found)
    said = say_doubts(doubts)
    notice = find_notice(session, found)
    zone = first_zone(session)
    embargo = found.embargo_until if is_embargoed(found, now) else None
    shown = {"zone": zone.key, "until": f"{embargo.astimezone(zone):%Y-%m-%dT%H:%M}" if embargo else ""}
    return render_template(
        "admin/release.html",
        release=found,
        image=find_image(session, found.image_hash),
        doubts=doubts,
        doubt_words=said[:1].upper() + said[1:],
        topics=[{"name": link.topic.name, "sequence": link.sequence} for link in found.topic_links],
        issues=issues_with(session, found.id),
        newsletters=newsletter_names(session),
        typed=typed or shown,
        embargo_fault=fault,
        is_public=is_public(found, now),
        notice=notice,
        told=count_told(session, notice) if notice else {},
        embargo=embargo,
        stays=merged_into(session, found.id),
        places=places_of(session, found.id),
        others=others_of(session, found.id),
    )


@admin.get("/releases/<public_id>/withdraw")
def withdraw_release(public_id: str) -> str:
    """Ask before a release that people have seen is taken off the public pages: say who has it."""
    action = request.args.get("action")
    session = db.session()
    seen = find_seen(session, public_id)
    found = seen[0] if seen else find_release(session, public_id)
    return render_template(
        "admin/withdraw_release.html",
        release=found,
        recipients=seen[1] if seen else None,
        action=action if action in WITHDRAWING else "hold",
        embargo={name: text_of(name) or "" for name in ("until", "zone")},
        back=_back(),
    )


def is_sure() -> bool:
    """Return whether the page that says who has a release was shown."""
    return bool(request.form.get("sure"))


def ask_first(public_id: str, action: str, **more: Any) -> Response:
    """Return a redirect to the page that asks before `action`. `more` is for its query."""
    place = url_for("admin.withdraw_release", public_id=public_id, action=action, **more)
    return make_response(redirect(place, code=303))


@admin.post("/releases/<public_id>", endpoint="change_release")
def change_release_(public_id: str) -> Response:
    """Apply the button's action, and return to the page where it was pressed."""
    action = choice_of(ReleaseAction, request.form.get("action"))
    if action is None:
        abort(400)
    session = db.session()
    if action in WITHDRAWING and not is_sure() and find_seen(session, public_id):
        return ask_first(public_id, action.value, **_back())
    changed = change_release(session, public_id, action, actor(), runtime().now())
    title, done = changed.title, DONE[action]
    if action is ReleaseAction.READY and changed.state is ReleaseState.HELD:
        done = "stays held until its embargo ends"
    session.commit()  # at once: until the commit, the row of the sequence counter stays locked
    flash(f"“{title}” {done}.", "ok")
    back = _back()
    if "back" in back:
        place = url_for("admin.release", public_id=public_id)
    else:
        place = url_for("admin.releases", **back)
    return make_response(redirect(place, code=303))


@admin.post("/releases/<public_id>/correction")
def correct_release_(public_id: str) -> Response:
    """Correct the fields of a release that is held for a doubt, and make it ready."""
    session = db.session()
    published = _day(request.form.get("published"))
    if published is None:
        flash("The date is not valid. Write it as year-month-day.", "bad")
        return make_response(redirect(url_for("admin.release", public_id=public_id), code=303))
    try:
        corrected = correct_release(
            session,
            public_id,
            title=request.form.get("title", "")[:LONGEST_TITLE],
            publisher=request.form.get("publisher", "")[:300],
            published=published,
            actor=actor(),
            now=runtime().now(),
        )
    except InputError as fault:
        session.rollback()
        flash(str(fault), "bad")
    else:
        title, ready = corrected.title, corrected.state is ReleaseState.READY
        session.commit()  # at once: until the commit, the row of the sequence counter stays locked
        flash(f"“{title}” {DONE[ReleaseAction.READY] if ready else 'is corrected and still held'}.", "ok")
    return make_response(redirect(url_for("admin.release", public_id=public_id), code=303))


def _back() -> dict[str, Any]:
    """Return the query that leads back to the page where a button was pressed."""
    if request.args.get("back") == "release":
        return {"back": "release"}
    return {name: value for name, value in _filters().items() if value} | {"page": page_number()}


def _filters() -> dict[str, str | None]:
    return {name: text_of(name) for name in ("q", "state", "topic", "since")}


def _day(text: str | None) -> date | None:
    """Return a date written as 2026-03-05; None if it is not a valid day."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
