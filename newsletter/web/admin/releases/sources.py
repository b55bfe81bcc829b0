"""The pages of sources: list them, try an address, add it, see a source's history, pause and remove it."""

from __future__ import annotations

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import InputError, StateConflict
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Limits
from newsletter.ingest.sources import manage
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.ingest.sources.trial import Trial, try_address, try_page
from newsletter.models import FullText, Lane, SourceKind, db
from newsletter.releases.decide import Candidate
from newsletter.releases.from_sources.backlog import send_after_all
from newsletter.releases.holds import say_doubts
from newsletter.releases.rules.match_topics import topics_for
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing

# Somebody waits for the page, so a slow server gets less time than when it is polled.
TRIAL = Limits(seconds=8, silent_seconds=5)
SHOWN = 10
LONGEST_URL = 2_000
FULL_TEXTS = [
    (FullText.AUTO.value, "from the item's page, if the feed has only a teaser"),
    (FullText.ALWAYS.value, "always from the item's page"),
    (FullText.NEVER.value, "from the feed"),
]
BACKLOGS = [
    ("none", "nothing"),
    ("3", "the newest 3"),
    ("7d", "those of the last 7 days"),
    ("30d", "those of the last 30 days"),
    ("all", "everything"),
]


@admin.get("/sources")
def sources() -> str:
    """Show the sources, those that fail first."""
    session = db.session()
    counted = manage.count_items(session)
    found = manage.list_sources(session)
    return render_template("admin/sources.html", sources=found, counted=counted, url="")


@admin.post("/sources/try")
def try_source() -> str | tuple[str, int]:
    """Show which releases a source would bring, and a form to add it."""
    url = request.form.get("url", "").strip()
    selector, pattern = _link_rules()
    as_page = request.form.get("as_page") == "1"
    session, retriever = db.session(), make_retriever(runtime().settings, TRIAL)
    # Nothing is written while a server is waited for.
    stop_writing()
    try:
        trial = try_page(retriever, url, selector, pattern) if as_page else try_address(retriever, url)
    except InputError as fault:
        counted, found = manage.count_items(session), manage.list_sources(session)
        page = render_template(
            "admin/sources.html",
            sources=found,
            counted=counted,
            url=url,
            fault=str(fault),
            selector=selector,
            pattern=pattern,
        )
        return page, 422
    return render_template(
        "admin/try_source.html",
        trial=trial,
        rows=_rows(trial),
        backlogs=BACKLOGS,
        full_texts=FULL_TEXTS,
        selector=selector,
        pattern=pattern,
    )


@admin.post("/sources")
def add_source() -> Response:
    """Add a source, and show its page."""
    session, parts = db.session(), runtime()
    try:
        added = manage.add_source(
            session,
            request.form.get("url", ""),
            name=request.form.get("name", ""),
            site_url=request.form.get("site_url", "")[:LONGEST_URL],
            kind=SourceKind.PAGE if request.form.get("as_page") == "1" else SourceKind.FEED,
            backlog=request.form.get("backlog", "none"),
            full_text=_full_text(),
            link_selector=_link_rules()[0],
            link_pattern=_link_rules()[1],
            allowed=Allowed.of(parts.settings.fetch_allow),
            actor=actor(),
            now=parts.now(),
        )
    except (InputError, StateConflict) as fault:
        session.rollback()
        flash(str(fault), "bad")
        return make_response(redirect(url_for("admin.sources"), code=303))
    public_id = added.public_id
    session.commit()
    flash("The source is added. It is fetched within a minute.", "ok")
    return _to_source(public_id)


@admin.get("/sources/<public_id>")
def source(public_id: str) -> str:
    """Show one source with its health, its history and its newest items."""
    session = db.session()
    found = manage.find_source(session, public_id)
    return render_template(
        "admin/source.html",
        source=found,
        is_folder=found.kind is SourceKind.FOLDER,
        is_page=found.kind is SourceKind.PAGE,
        full_texts=FULL_TEXTS,
        count=manage.count_items(session).get(found.id, 0),
        history=manage.history(session, found.id),
        items=manage.newest_items(session, found.id),
    )


@admin.post("/sources/<public_id>")
def change_source(public_id: str) -> Response:
    """Do what the button says: pause, resume, fetch now, change or remove the source."""
    session, parts = db.session(), runtime()
    action = request.form.get("action")
    try:
        if action == "pause":
            manage.pause_source(session, public_id, actor(), parts.now())
            words = "The source is paused."
        elif action == "resume":
            manage.resume_source(session, public_id, actor(), parts.now())
            words = "The source is fetched within a minute."
        elif action == "poll":
            manage.poll_soon(session, public_id, parts.now())
            words = "The source is fetched within a minute."
        elif action == "edit":
            words = _edit(public_id)
        elif action == "remove":
            words = f"“{manage.remove_source(session, public_id, actor(), parts.now())}” is removed."
        else:
            abort(400)
    except (InputError, StateConflict) as fault:
        session.rollback()
        flash(str(fault), "bad")
        return _to_source(public_id)
    session.commit()
    flash(words, "ok")
    if action == "remove":
        return make_response(redirect(url_for("admin.sources"), code=303))
    return _to_source(public_id)


@admin.post("/releases/<public_id>/send-after-all")
def send_release_after_all(public_id: str) -> Response:
    """Email a release that was old when its source was added."""
    session, parts = db.session(), runtime()
    try:
        title = send_after_all(session, public_id, actor(), parts.now()).title
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "bad")
    else:
        session.commit()  # at once: until the commit, the row of the sequence counter stays locked
        parts.wake(Lane.BULK)
        flash(f"“{title}” comes with the next digest.", "ok")
    return make_response(redirect(url_for("admin.release", public_id=public_id), code=303))


def _edit(public_id: str) -> str:
    interval = request.form.get("interval_minutes", type=int)
    settle = request.form.get("settle_minutes", type=int)
    if interval is None or settle is None:
        raise InputError("Interval and settling are numbers of minutes.")
    manage.edit_source(
        db.session(),
        public_id,
        name=request.form.get("name", ""),
        publisher=request.form.get("publisher", ""),
        interval_minutes=interval,
        settle_minutes=settle,
        needs_approval=bool(request.form.get("needs_approval")),
        full_text=_full_text(),
        link_selector=_link_rules()[0],
        link_pattern=_link_rules()[1],
        actor=actor(),
        now=runtime().now(),
    )
    return "The source is changed."


def _full_text() -> FullText:
    chosen = request.form.get("full_text", FullText.AUTO.value)
    if chosen not in {each.value for each in FullText}:
        raise InputError("The choice of full texts is auto, always or never.")
    return FullText(chosen)


def _link_rules() -> tuple[str, str]:
    return request.form.get("selector", ""), request.form.get("pattern", "")


def _rows(trial: Trial) -> list[dict[str, object]]:
    """Return the first items with the slugs of the topics that they would come under."""
    shown = trial.items[:SHOWN]
    texts = [Candidate(each.title, each.publisher, each.body, each.language, each.tags) for each in shown]
    found = topics_for(db.session(), texts)
    return [
        {"item": item, "topics": topics, "doubts": say_doubts(item.doubts)}
        for item, topics in zip(shown, found, strict=True)
    ]


def _to_source(public_id: str) -> Response:
    return make_response(redirect(url_for("admin.source", public_id=public_id), code=303))
