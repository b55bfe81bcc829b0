"""Render an issue's parts (frame, headings, releases), each once per language, as encoded fragments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.identity import Identity, load_identity
from newsletter.languages import UNKNOWN_LANGUAGE, text_direction
from newsletter.links import Links
from newsletter.mail.assemble import Encoding, FramePart, choose_encoding, digest_marks, encode_fragment
from newsletter.mail.headers import one_line
from newsletter.mail.plaintext import shorten
from newsletter.mail.templates import Piece, TemplateSet
from newsletter.messages.build import SiteFacts
from newsletter.messages.edition import LEAD, Encoded
from newsletter.models import Frequency, Release, Topic
from newsletter.settings import Settings

# Columns of a headline in the subject. Phones show about 40 characters of a subject, others 70.
SUBJECT_COLUMNS = 60
# Columns of a summary in a digest in which the whole summaries do not fit.
BRIEF_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """The values of an issue that templates use."""

    title: str
    date: date
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """The values of a release that templates use."""

    title: str
    publisher: str
    published_on: date
    summary: str
    url: str
    # The tag of its language, "" if it is unknown.
    language: str
    direction: str

    @property
    def start(self) -> str:
        """The side on which its lines begin. Outlook supports left and right only."""
        return "right" if self.direction == "rtl" else "left"


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

    def issue_facts(self, title: str, moment: datetime, *, is_test: bool = False) -> IssueFacts:
        """Return an issue's title, and its date in the newsletter's time zone."""
        return IssueFacts(title, moment.astimezone(ZoneInfo(self.identity.time_zone)).date(), is_test)


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
    context |= digest_marks() | {"headline": "", "count": 0}
    frames = {
        name: renderer.templates.render("digest", language, context | {"is_cut": is_cut})
        for name, is_cut in (("frame", False), ("frame_cut", True))
    }
    frame = frames["frame"]
    texts = choose_encoding([frame.text, *(piece.text for piece in pieces.values())])
    pages = choose_encoding([frame.html, *(piece.html for piece in pieces.values())])
    parts = _encoded(pieces, texts, pages)
    for name, each in frames.items():
        parts[name] = Encoded(FramePart(each.text, texts).dump(), FramePart(each.html, pages).dump())
    return parts | _subject_parts(renderer, issue, language, releases)


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
    parts = _encoded(pieces, FramePart.load(frame.text).encoding, FramePart.load(frame.html).encoding)
    return parts | _subject_parts(renderer, issue, language, releases, before)


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
    """Return the pieces of each release, and those with "N more" for each possible number."""
    context = _context(renderer, issue, language)
    pieces = {}
    for at, release in enumerate(releases, start=before + 1):
        facts = _facts(renderer, release)
        shown = context | {"release": facts}
        for name in ("release", "contents", "preheader", "opening"):
            pieces[f"{name}:{release.id}"] = renderer.templates.render_piece(
                f"digest/{name}", language, shown
            )
        brief = context | {"release": replace(facts, summary=shorten(facts.summary, BRIEF_COLUMNS))}
        pieces[f"brief:{release.id}"] = renderer.templates.render_piece("digest/release", language, brief)
        for name in ("more", "contents_more"):
            pieces[f"{name}:{at}"] = renderer.templates.render_piece(
                f"digest/{name}", language, context | {"count": at}
            )
    return pieces


def _subject_parts(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    releases: Sequence[Release],
    before: int = 0,
) -> dict[str, Encoded]:
    """Return the headline of each release, and a pattern of the subject for each number of further ones.

    Beside a headline stands what orders releases when not all fit (Edition).
    """
    context = _context(renderer, issue, language)
    parts = {}
    for more, release in enumerate(releases, start=before):
        pattern = renderer.templates.render_subject(
            "digest", language, context | {"headline": LEAD, "count": more}
        )
        parts[f"subject:{more}"] = Encoded(pattern.encode(), b"")
        order = f"{int(release.pinned)} {release.published_at.isoformat()}"
        headline = shorten(one_line(release.title), SUBJECT_COLUMNS)
        parts[f"headline:{release.id}"] = Encoded(headline.encode(), order.encode())
    return parts


def _encoded(pieces: Mapping[str, Piece], texts: Encoding, pages: Encoding) -> dict[str, Encoded]:
    return {
        part: Encoded(encode_fragment(piece.text, texts), encode_fragment(piece.html, pages))
        for part, piece in pieces.items()
    }


def _facts(renderer: NewsletterRenderer, release: Release) -> ReleaseFacts:
    return ReleaseFacts(
        release.title,
        release.publisher,
        release.published_on,
        release.summary,
        renderer.links.release(release.public_id),
        "" if release.language == UNKNOWN_LANGUAGE else release.language,
        text_direction(release.language, release.title),
    )
