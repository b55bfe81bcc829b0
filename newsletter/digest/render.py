"""Render an issue's parts (frame, headings, releases), each once per language, as encoded fragments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.identity import Identity, load_identity
from newsletter.links import Links
from newsletter.mail.assemble import Encoding, FramePart, choose_encoding, digest_marks, encode_fragment
from newsletter.mail.templates import Piece, TemplateSet
from newsletter.messages.build import SiteFacts
from newsletter.messages.edition import Encoded
from newsletter.models import Frequency, Release, Topic
from newsletter.settings import Settings


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """The values of an issue that templates use."""

    title: str
    date: date


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """The values of a release that templates use."""

    title: str
    publisher: str
    published_at: datetime
    summary: str
    url: str


@dataclass(frozen=True)
class NewsletterRenderer:
    """What rendering the digests of one newsletter needs."""

    templates: TemplateSet
    links: Links
    identity: Identity

    @property
    def languages(self) -> Sequence[str]:
        """The languages of digests. The first is used for subscribers with any other language."""
        return self.identity.languages

    def issue_facts(self, title: str, moment: datetime) -> IssueFacts:
        """Return an issue's title, and its date in the newsletter's time zone."""
        return IssueFacts(title, moment.astimezone(ZoneInfo(self.identity.time_zone)).date())


@dataclass(frozen=True)
class DigestRenderer:
    """The parts of an installation that rendering needs."""

    templates: TemplateSet
    links: Links
    settings: Settings

    def of_newsletter(self, session: Session, newsletter_id: int) -> NewsletterRenderer:
        """Return the renderer of a newsletter as it is now. Raises NotFound."""
        identity = load_identity(session, self.settings, newsletter_id)
        return NewsletterRenderer(self.templates, self.links, identity)


def render_edition(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    topics: Iterable[Topic],
    releases: Sequence[Release],
) -> Mapping[str, Encoded]:
    """Return every part of an issue in one language, by its name (models/tables/issue.py, Fragment)."""
    context = _context(renderer, issue, language)
    pieces: dict[str, Piece] = {}

    def render(part: str, template: str, **more: object) -> None:
        pieces[part] = renderer.templates.render_piece(f"digest/{template}", language, context | more)

    for topic in topics:
        render(f"topic:{topic.id}", "heading", topic=topic)
        for frequency in Frequency:
            render(f"reason:{topic.id}:{frequency}", "reason_topic", topic=topic, frequency=frequency)
    pieces |= _release_pieces(renderer, issue, language, releases)
    render("contents", "contents_heading")
    render("reason", "reason")
    frame = renderer.templates.render("digest", language, context | digest_marks())
    texts = choose_encoding([frame.text, *(piece.text for piece in pieces.values())])
    pages = choose_encoding([frame.html, *(piece.html for piece in pieces.values())])
    parts = _encoded(pieces, texts, pages)
    parts["frame"] = Encoded(FramePart(frame.text, texts).dump(), FramePart(frame.html, pages).dump())
    parts["subject"] = Encoded(frame.subject.encode(), b"")
    return parts


def render_more(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    releases: Sequence[Release],
    frame: Encoded,
    before: int,
) -> Mapping[str, Encoded]:
    """Return the parts of more releases, for an issue with a rendered `frame` and `before` releases."""
    pieces = _release_pieces(renderer, issue, language, releases, before)
    return _encoded(pieces, FramePart.load(frame.text).encoding, FramePart.load(frame.html).encoding)


def _context(renderer: NewsletterRenderer, issue: IssueFacts, language: str) -> dict[str, object]:
    site = SiteFacts.of(renderer.identity, language, renderer.links.public_url)
    return {"site": site, "issue": issue, "timezone": renderer.identity.time_zone}


def _release_pieces(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    releases: Sequence[Release],
    before: int = 0,
) -> dict[str, Piece]:
    """Return the pieces of each release, and a piece "N more" for each possible number of omitted ones."""
    context = _context(renderer, issue, language)
    pieces = {}
    for at, release in enumerate(releases, start=before + 1):
        shown = context | {"release": _facts(renderer, release)}
        for name in ("release", "contents", "preheader"):
            pieces[f"{name}:{release.id}"] = renderer.templates.render_piece(
                f"digest/{name}", language, shown
            )
        left_out = context | {"count": at, "url": renderer.links.archive()}
        pieces[f"more:{at}"] = renderer.templates.render_piece("digest/more", language, left_out)
    return pieces


def _encoded(pieces: Mapping[str, Piece], texts: Encoding, pages: Encoding) -> dict[str, Encoded]:
    return {
        part: Encoded(encode_fragment(piece.text, texts), encode_fragment(piece.html, pages))
        for part, piece in pieces.items()
    }


def _facts(renderer: NewsletterRenderer, release: Release) -> ReleaseFacts:
    return ReleaseFacts(
        release.title,
        release.publisher,
        release.published_at,
        release.summary,
        renderer.links.release(release.public_id),
    )
