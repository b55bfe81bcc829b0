"""The page of one release, with what search engines and other sites read of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import render_template

from newsletter.images.store import find_image
from newsletter.models import Release, db
from newsletter.releases.duplicates.queries import linked_releases
from newsletter.releases.publishing.public import find_public
from newsletter.web.archive.blueprint import archive
from newsletter.web.archive.caching import cacheable
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.this_newsletter import this_newsletter


@archive.get("/releases/<public_id>")
@cacheable
def release(public_id: str) -> str:
    """Show one release that is public now."""
    found = find_public(db.session(), public_id, runtime().now())
    own = runtime().links.release(found.public_id)
    shown = {
        "public_id": found.public_id,
        "title": found.title,
        "publisher": found.publisher,
        "published_on": found.published_on,
        "updated_at": found.updated_at,
        "language": found.language,
        "body_html": found.body_html,
        "summary": found.summary,
        "canonical_url": web_address(found.canonical_url),
        "url": own,
        "image": shown_image(found),
    }
    return render_template(
        "web/release.html",
        release=shown,
        article=article(found, own, shown_image(found)),
        twins=[
            {"public_id": each.public_id, "title": each.title, "language": each.language}
            for each in linked_releases(db.session(), found.id, runtime().now())
        ],
        topics=[
            {"slug": link.topic.slug, "name": link.topic.name_in(page_language())}
            for link in found.topic_links
        ],
    )


@dataclass(frozen=True)
class ShownImage:
    """A release's image as pages, feeds and search engines get it. `url` is absolute."""

    url: str
    file_name: str
    width: int
    height: int
    alt: str


def shown_image(found: Release) -> ShownImage | None:
    """Return the image of a release, if it has one with a description."""
    image = find_image(db.session(), found.image_hash) if found.image_alt else None
    if image is None:
        return None
    url = runtime().links.image(image.file_name)
    return ShownImage(url, image.file_name, image.width, image.height, found.image_alt)


def article(found: Release, url: str, image: ShownImage | None) -> dict[str, Any]:
    """Return a release as a NewsArticle of schema.org.

    The template writes it as JSON in which no character can end the script element.
    """
    # A release has a date and no time, and a date alone is a valid value.
    zone = ZoneInfo(this_newsletter().time_zone)
    noon = datetime.combine(found.published_on, time(12), zone)
    facts: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": found.title[:110],
        "datePublished": noon.isoformat(),
        "url": url,
        "mainEntityOfPage": web_address(found.canonical_url) or url,
        "isAccessibleForFree": True,
    }
    if found.updated_at is not None:
        facts["dateModified"] = found.updated_at.astimezone(zone).isoformat()
    if found.language != "und":
        facts["inLanguage"] = found.language
    if image is not None:
        facts["image"] = {
            "@type": "ImageObject",
            "url": image.url,
            "width": image.width,
            "height": image.height,
        }
    if found.summary:
        facts["description"] = found.summary
    if found.publisher:
        facts["author"] = facts["publisher"] = {"@type": "Organization", "name": found.publisher}
    return facts


def web_address(url: str | None) -> str | None:
    """Return `url` if it is http or https; None for javascript: and other schemes."""
    try:
        return url if url and urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None
