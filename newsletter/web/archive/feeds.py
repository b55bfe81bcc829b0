"""The addresses of the feeds: all releases, those of a newsletter, and those of a topic, in three formats."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import NotFound
from newsletter.images.store import find_images
from newsletter.models import db
from newsletter.releases.publishing.archive import newest_public
from newsletter.web.archive.blueprint import archive
from newsletter.web.archive.caching import cacheable
from newsletter.web.archive.choice import asked_newsletter, find_topic, owner_of_topic
from newsletter.web.archive.feed import FORMATS, Channel
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.this_newsletter import (
    is_only_one,
    named_newsletter,
    newsletter_of,
    this_newsletter,
)

# Enough entries for a program that reads the feed once a day.
MOST_ENTRIES = 50
KIND = "<any(atom, rss, json):kind>"


@archive.get(f"/releases.{KIND}")
@archive.get(f"/n/<newsletter>/releases.{KIND}")
@cacheable
def feed(kind: str) -> Response:
    """Return the releases that became public last as a feed. Old addresses have the topic as a parameter."""
    return _feed(kind, request.args.get("topic", ""))


@archive.get(f"/topics/<topic>.{KIND}")
@archive.get(f"/n/<newsletter>/topics/<topic>.{KIND}")
@cacheable
def topic_feed(topic: str, kind: str) -> AnyResponse:
    """Return the releases of a topic as a feed."""
    if asked_newsletter() is None and not is_only_one():
        owner = newsletter_of(owner_of_topic(topic) or 0)
        if owner is None:
            raise NotFound("no such topic")
        place = url_for("archive.topic_feed", newsletter=owner.slug, topic=topic, kind=kind)
        return redirect(place, code=308)
    return _feed(kind, topic)


def _feed(kind: str, slug: str) -> Response:
    parts = runtime()
    newsletter_id = asked_newsletter()
    topic = find_topic(slug, newsletter_id) if slug else None
    found = newest_public(
        db.session(),
        parts.now(),
        MOST_ENTRIES,
        topic_id=topic.topic_id if topic else None,
        newsletter_id=newsletter_id,
    )
    named = named_newsletter()
    name = named.texts_in(page_language()).name if named else urlsplit(parts.settings.public_url).netloc
    newsletter = this_newsletter().slug if newsletter_id else ""
    channel = Channel(
        title=f"{name}: {topic.name}" if topic else name,
        page=parts.links.archive(slug, newsletter),
        feed=parts.links.feed(slug, newsletter, kind),
        language=page_language(),
        time_zone=this_newsletter().time_zone,
        links=parts.links,
        images=find_images(db.session(), [each.image_hash for each in found]),
    )
    chosen = FORMATS[kind]
    return Response(chosen.write(found, channel), mimetype=chosen.media_type)
