"""The page to write a new release: type it, paste it, or fetch it from a URL."""

from __future__ import annotations

from flask import Response, flash, request

from newsletter.errors import FetchError, InputError, ReleaseUnreadable, StateConflict
from newsletter.images.encoder import ImageEncoder
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.fetch_image import fetch_image
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.document import fetch_release
from newsletter.ingest.press.parse import PressRelease, parse_press
from newsletter.ingest.retrieve import Limits
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.models import db
from newsletter.releases.decide import to_html
from newsletter.releases.editing.body import to_markdown
from newsletter.releases.editing.edit_fields import write_release
from newsletter.releases.holds import say_doubts
from newsletter.releases.store import first_zone
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import ReleaseForm
from newsletter.web.admin.releases.release_form import (
    chosen_topics,
    given_fields,
    go_to_release,
    in_sentence_case,
    keep_encoded,
    release_page,
    take_image,
    tell_faults,
)
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing

LONGEST_PASTE = 400_000
# Somebody waits for the page, so a slow server gets less time than when a source is polled.
WAITED = Limits(seconds=8, silent_seconds=5)


@admin.get("/releases/new")
def new_release() -> Response:
    """Show an empty form, and fields to paste a release into, or to fetch one from a URL."""
    zone = first_zone(db.session())
    return release_page(ReleaseForm(None, data={"zone": zone.key}), set())


@admin.post("/releases/new", endpoint="write_release")
def write_release_() -> Response:
    """Store a release that was written; or read one that was pasted or fetched, and show it in the form."""
    action = request.form.get("action")
    if action == "paste":
        return _read_pasted()
    if action == "fetch":
        return _read_fetched()
    form, chosen = ReleaseForm(), chosen_topics()
    if action == "sentence-case":
        return in_sentence_case(form, chosen)
    try:
        take_image(form)
        session = db.session()
        made = write_release(
            session,
            given_fields(form),
            topics=chosen,
            canonical_url=form.canonical_url.data or "",
            actor=actor(),
            now=runtime().now(),
        )
    except (InputError, StateConflict) as fault:
        stop_writing()
        return release_page(form, chosen, status=tell_faults(form, fault))
    public_id = made.public_id
    session.commit()
    flash("The release is stored and held. Make it ready when it may be sent.", "ok")
    return go_to_release(public_id)


def _read_pasted() -> Response:
    pasted = request.form.get("pasted", "")
    zone = first_zone(db.session())
    today = runtime().now().astimezone(zone).date()
    stop_writing()
    try:
        if len(pasted) > LONGEST_PASTE:
            raise ReleaseUnreadable("The text", f"it has more than {LONGEST_PASTE:,} characters")
        press = parse_press(pasted, "The text", today)
    except ReleaseUnreadable as fault:
        flash(f"{fault}. Fill in the form instead.", "bad")
        return release_page(ReleaseForm(None, data={"zone": zone.key, "body": pasted}), set(), status=422)
    return _shown(press, {"body": press.body})


def _read_fetched() -> Response:
    """Fetch a page and its image through the guard, and show the release in the form. Stores no release."""
    url = request.form.get("url", "").strip()
    zone = first_zone(db.session())
    today = runtime().now().astimezone(zone).date()
    # Nothing is written while a server is waited for.
    stop_writing()
    retriever = make_retriever(runtime().settings, WAITED)
    try:
        with IsolatedReader() as reader:
            found = fetch_release(retriever, reader, url, today)
        if "text" in found.doubts:
            raise ReleaseUnreadable(url, say_doubts(["text"]))
    except ReleaseUnreadable as fault:
        flash(f"{fault}.", "bad")
        data = {"zone": zone.key, "canonical_url": url}
        return release_page(ReleaseForm(None, data=data), set(), status=422)
    body = to_markdown(found.body_html or to_html(found.paragraphs, found.markup))
    more = {"body": body, "canonical_url": found.canonical_url or url}
    if isinstance(found, Item) and found.image_url:
        try:
            with ImageEncoder() as encoder:
                encoded = fetch_image(retriever, encoder, found.image_url)
        except (FetchError, InputError) as fault:
            flash(f"The image of the page was not taken: {fault}", "warn")
        else:
            db.session().info["writes"] = True
            more |= {"image": keep_encoded(encoded), "image_alt": found.image_alt}
            stop_writing()
    return _shown(found, more)


def _shown(found: PressRelease | Item, more: dict[str, str]) -> Response:
    """Show what was read in the form, with a word beside each field that is a guess."""
    zone = first_zone(db.session())
    moment = found.published_at.astimezone(zone) if found.published_at else None
    read = {
        "title": found.title,
        "publisher": found.publisher,
        "summary": found.summary,
        "date": found.published.isoformat() if found.published else "",
        "time": f"{moment:%H:%M}" if moment and moment.date() == found.published else "",
        "zone": zone.key,
        "language": "" if found.language == "und" else found.language,
    }
    guesses = {"title", "publisher", "date", "language", *({"image_alt"} & more.keys())}
    return release_page(ReleaseForm(None, data=read | more), set(), guesses=guesses)
