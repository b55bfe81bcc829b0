"""What programs look for: robots.txt, the sitemap and the icon."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from flask import Response, current_app

from newsletter.errors import NotFound
from newsletter.models import db
from newsletter.releases.publishing.sitemap import PART_IDS, count_parts, releases_of_part
from newsletter.web.archive.blueprint import archive
from newsletter.web.archive.caching import cacheable
from newsletter.web.archive.choice import shown_topics
from newsletter.web.http.extensions import runtime
from newsletter.web.http.this_newsletter import all_newsletters, is_only_one

_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
# Pages that are somebody's own, or endless. Search engines also find "noindex" on them.
_NOT_FOR_ROBOTS = ("/admin", "/releases?q=", "/*/releases?q=", "/subscribe/", "/challenge")


@archive.get("/robots.txt")
@cacheable
def robots() -> Response:
    """Tell search engines where the sitemap is, and what they need not read."""
    lines = ["User-agent: *", *(f"Disallow: {each}" for each in _NOT_FOR_ROBOTS)]
    lines += ["", f"Sitemap: {runtime().links.sitemap()}", ""]
    return Response("\n".join(lines), mimetype="text/plain")


@archive.get("/sitemap.xml")
@cacheable
def sitemap() -> Response:
    """List the parts of the sitemap. The first one has the lists, the others have the releases."""
    links = runtime().links
    parts = [links.sitemap_part(number) for number in range(count_parts(db.session()) + 1)]
    places = "".join(f"<sitemap><loc>{escape(each)}</loc></sitemap>" for each in parts)
    return _xml(f'<sitemapindex xmlns="{_NAMESPACE}">{places}</sitemapindex>')


@archive.get("/sitemap-<int:part>.xml")
@cacheable
def sitemap_part(part: int) -> Response:
    """List the addresses of a part: at most 50,000, which is the limit of the format."""
    links, session = runtime().links, db.session()
    if part == 0:
        return _xml(_urlset((each, "") for each in _lists()))
    if part > count_parts(session):
        raise NotFound("there is no such part")
    found = releases_of_part(session, part, runtime().now())
    return _xml(
        _urlset((links.release(each.public_id), each.changed_at.date().isoformat()) for each in found)
    )


def _lists() -> list[str]:
    """Return the addresses of the lists: of all releases, of newsletters and of topics."""
    links = runtime().links
    found = [links.home(), links.archive()]
    for each in all_newsletters():
        slug = "" if is_only_one() else each.slug
        found += [links.newsletter(slug), links.archive("", slug)] if slug else []
        found += [links.archive(topic.slug, slug) for topic in shown_topics(each.newsletter_id)]
    return found[:PART_IDS]


def _urlset(addresses: object) -> str:
    urls = "".join(
        f"<url><loc>{escape(place)}</loc>{f'<lastmod>{day}</lastmod>' if day else ''}</url>"
        for place, day in addresses  # type: ignore[attr-defined]
    )
    return f'<urlset xmlns="{_NAMESPACE}">{urls}</urlset>'


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', mimetype="application/xml")


@archive.get("/favicon.ico")
@cacheable
def favicon() -> Response:
    """Return the icon, for programs that do not read the page's link to it."""
    icon = Path(current_app.static_folder or "") / "favicon.ico"
    return Response(icon.read_bytes(), mimetype="image/vnd.microsoft.icon")
