"""The archive pages: releases for everyone, and one subscriber's issue in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template, request

from newsletter.digest.archive import read_issue
from newsletter.errors import NotFound, TokenError
from newsletter.models import Release, db
from newsletter.models.paging import LAST_PAGE
from newsletter.releases.public import find_public, list_public
from newsletter.subscribers.offered_topics import OfferedTopic, offered_topics
from newsletter.tokens import Purpose
from newsletter.web.archive.feed import atom_feed
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.security import guard_tokens, mail_answer
from newsletter.web.http.this_newsletter import (
    all_newsletters,
    is_only_one,
    named_newsletter,
    this_newsletter,
)

archive = Blueprint("archive", __name__)

PER_PAGE = 20


@archive.get("/releases")
@archive.get("/n/<newsletter>/releases")
def index() -> str:
    """Show the releases, the newest first: all, or those of one newsletter or one topic."""
    newsletter_id = _newsletter_asked_for()
    topics = _topics(newsletter_id)
    slug = request.args.get("topic", "")
    topic = next((each for each in topics if each.slug == slug), None)
    if slug and topic is None:
        raise NotFound("no such topic")
    page = request.args.get("page", 1, type=int)
    if not 1 <= page <= LAST_PAGE:
        raise NotFound("no such page")
    found = list_public(
        db.session(),
        runtime().now(),
        topic=slug,
        newsletter_id=newsletter_id,
        page=page,
        per_page=PER_PAGE,
    )
    if page > max(1, found.pages):
        raise NotFound("no such page")
    # The page about all newsletters offers the newsletters, because their topics may be many.
    shared = newsletter_id is None and not is_only_one()
    return render_template(
        "web/releases.html",
        groups=_by_day(found.items),
        topics=[] if shared else topics,
        topic=topic,
        newsletters=_newsletters() if shared else [],
        pagination=found,
    )


def _newsletter_asked_for() -> int | None:
    """Return the newsletter of the URL. None if there is one: it has all releases, also those in no topic."""
    named = None if is_only_one() else named_newsletter()
    return None if named is None else named.newsletter_id


def _topics(newsletter_id: int | None) -> list[OfferedTopic]:
    language = page_language()
    return [
        topic.shown_in(language)
        for topic in offered_topics(db.session())
        if newsletter_id is None or topic.newsletter_id == newsletter_id
    ]


def _newsletters() -> list[tuple[str, str]]:
    """Return the slug and the name of every newsletter."""
    language = page_language()
    return [(each.slug, each.texts_in(language).name) for each in all_newsletters()]


def _by_day(releases: Sequence[Release]) -> list[tuple[date, list[Release]]]:
    days = groupby(releases, key=lambda release: release.published_on)
    return [(day, list(those)) for day, those in days]


@archive.get("/releases.atom")
@archive.get("/n/<newsletter>/releases.atom")
def feed() -> Response:
    """Return the newest releases as an Atom feed: all, or those of one newsletter or one topic."""
    parts = runtime()
    newsletter_id = _newsletter_asked_for()
    slug = request.args.get("topic", "")
    topic = next((each for each in _topics(newsletter_id) if each.slug == slug), None)
    if slug and topic is None:
        raise NotFound("no such topic")
    found = list_public(db.session(), parts.now(), topic=slug, newsletter_id=newsletter_id, per_page=PER_PAGE)
    named = named_newsletter()
    name = named.name if named else urlsplit(parts.settings.public_url).netloc
    newsletter = this_newsletter().slug if newsletter_id else ""
    body = atom_feed(
        found.items,
        title=f"{name}: {topic.name}" if topic else name,
        page=parts.links.archive(slug, newsletter),
        feed=parts.links.feed(slug, newsletter),
        links=parts.links,
        time_zone=this_newsletter().time_zone,
    )
    return Response(body, mimetype="application/atom+xml")


@archive.get("/releases/<public_id>")
def release(public_id: str) -> str:
    """Show one release that is public now."""
    found = find_public(db.session(), public_id, runtime().now())
    shown = {
        "public_id": found.public_id,
        "title": found.title,
        "publisher": found.publisher,
        "published_on": found.published_on,
        "language": found.language,
        "body_html": found.body_html,
        "summary": found.summary,
        "canonical_url": _web_address(found.canonical_url),
    }
    return render_template(
        "web/release.html",
        release=shown,
        topics=[
            {"slug": link.topic.slug, "name": link.topic.name_in(page_language())}
            for link in found.topic_links
        ],
    )


def _web_address(url: str | None) -> str | None:
    """Return `url` if it is http or https; None for javascript: and other schemes."""
    try:
        return url if url and urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None


@archive.get("/issues/<token>")
def issue(token: str) -> Response:
    """Show the issue of one subscriber, as it was in their email."""
    parts = runtime()
    try:
        payload = parts.tokens.read(Purpose.VIEW, token, parts.now())
    except TokenError as fault:
        raise NotFound("no such issue") from fault
    match payload:
        case [str(subscriber_public_id), int(delivery_id)]:
            html = read_issue(db.session(), parts.messages, subscriber_public_id, delivery_id, parts.now())
        case _:
            raise NotFound("no such issue")
    return guard_tokens(mail_answer(html))
