"""Render an issue's parts (frame, headings, releases), each once per language, as encoded fragments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import TemplateInvalid
from newsletter.identity import Identity, load_identity
from newsletter.images.store import find_images
from newsletter.languages import UNKNOWN_LANGUAGE, parse_language, text_direction
from newsletter.links import Links
from newsletter.mail.assemble import FramePart, digest_marks
from newsletter.mail.headers import one_line
from newsletter.mail.plaintext import shorten
from newsletter.mail.templates import Piece, TemplateSet
from newsletter.mail.transfer_encoding import Encoding, choose_encoding, encode_fragment
from newsletter.messages.build import SiteFacts
from newsletter.messages.counted_links import CountedLinks, Place
from newsletter.messages.digests.edition import LEAD, Encoded
from newsletter.messages.digests.note import Note
from newsletter.messages.digests.subject import fill_template
from newsletter.messages.templates.own import Filled, Wanted, fill_own, fill_usual
from newsletter.messages.templates.parts import USUAL_TEMPLATES, OwnTemplates
from newsletter.messages.templates.process import template_process
from newsletter.messages.templates.stored import newest_templates, templates_of_issue
from newsletter.models import (
    EmailImages,
    Frequency,
    Issue,
    Release,
    ReleaseRevision,
    StoredImage,
    Topic,
)
from newsletter.models.hand_order import HandOrder, write_places
from newsletter.models.rendition_key import name_of, read_name
from newsletter.settings import Settings
from newsletter.tokens import Tokens

# Columns of a headline in the subject. Phones show about 40 characters of a subject, others 70.
SUBJECT_COLUMNS = 60
# Columns of a summary in a digest in which the whole summaries do not fit.
BRIEF_COLUMNS = 200
# The most pixels at which an issue shows an image: the width of its text, and what a phone shows at once.
IMAGE_BOX = (536, 480)


@dataclass(frozen=True, slots=True)
class IssueFacts:
    """The values of an issue that templates use."""

    title: str
    date: date
    is_test: bool = False
    note: Note | None = None
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The image of a release as templates use it: its absolute URL, and the size at which it is shown."""

    url: str
    alt: str
    width: int
    height: int


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
    image: ImageFacts | None = None

    @property
    def start(self) -> str:
        """The side on which its lines begin. Outlook supports left and right only."""
        return "right" if self.direction == "rtl" else "left"


@dataclass(frozen=True, slots=True)
class Revision:
    """A release with the texts of one revision. `name` names it in keys and in fragments."""

    name: str
    release: Release
    texts: Release | ReleaseRevision
    image: StoredImage | None = None


@dataclass(frozen=True)
class NewsletterRenderer:
    """What rendering the digests of one newsletter needs."""

    templates: TemplateSet
    links: Links
    identity: Identity
    own: OwnTemplates = USUAL_TEMPLATES
    # What was wrong with the owner's templates, so that the usual ones were used.
    failures: list[TemplateInvalid] = field(default_factory=list, compare=False)
    # None: links are not counted.
    counted: CountedLinks | None = None
    make_tokens: Callable[[], Tokens] | None = None

    @property
    def languages(self) -> Sequence[str]:
        """The languages of digests. The first is used for subscribers with any other language."""
        return self.identity.languages

    def issue_facts(
        self, title: str, moment: datetime, *, is_test: bool = False, note: Note | None = None
    ) -> IssueFacts:
        """Return an issue's title, its date in the newsletter's time zone, and the editor's note."""
        return IssueFacts(title, moment.astimezone(ZoneInfo(self.identity.time_zone)).date(), is_test, note)

    def with_templates_of(self, session: Session, issue: Issue) -> NewsletterRenderer:
        """Return this renderer with the templates of an issue, which keeps those that it begins with."""
        own = templates_of_issue(session, issue)
        issue.template_version = own.version
        return replace(self, own=own, failures=[])

    def counting(self, issue: Issue) -> NewsletterRenderer:
        """Return this renderer with counted links, for the subscribers who agreed to them."""
        assert self.make_tokens is not None
        counted = CountedLinks(self.make_tokens(), self.links, issue.public_id, issue.created_at)
        return replace(self, counted=counted)

    def link_to(self, release: Release, place: Place, language: str) -> str:
        """Return the link to a release from an issue in `language`."""
        spoken = self.identity.language_in_links(language)
        if self.counted is not None:
            return self.counted.release(release.public_id, place, spoken)
        return self.links.in_language(spoken).release(release.public_id)

    def fill(
        self, language: str, pieces: Mapping[str, Wanted], frames: Mapping[str, Mapping[str, object]]
    ) -> Filled:
        """Return pieces and frames with the owner's templates; with the usual ones if those fail."""
        if self.own:
            try:
                return fill_own(template_process(), self.templates, self.own, language, pieces, frames)
            except TemplateInvalid as fault:
                self.failures.append(fault)
        return fill_usual(self.templates, language, pieces, frames)

    def facts_of(self, issue: Issue, note: Note | None = None) -> IssueFacts:
        """Return the values of a stored issue."""
        began = issue.starts_at or issue.created_at
        facts = self.issue_facts(issue.title, began, is_test=issue.is_test, note=note)
        return replace(facts, is_urgent=issue.urgent_release_id is not None)


@dataclass(frozen=True)
class DigestRenderer:
    """The parts of an installation that rendering needs."""

    templates: TemplateSet
    links: Links
    settings: Settings

    def of_newsletter(self, session: Session, newsletter_id: int) -> NewsletterRenderer:
        """Return the renderer of a newsletter as it is now. Raises NotFound."""
        identity = load_identity(session, self.settings, newsletter_id)
        own = newest_templates(session, newsletter_id)
        settings = self.settings
        return NewsletterRenderer(
            self.templates,
            self.links,
            identity,
            own,
            make_tokens=lambda: Tokens(settings.secret_keys, settings.confirm_days),
        )


def load_revisions(session: Session, names: Iterable[str]) -> list[Revision]:
    """Return the releases with these names, in the order of their ids (`rendition_key.name_of`).

    The present text of a release is in its own row. Earlier texts are in rows of `ReleaseRevision`.
    """
    wanted = sorted(map(read_name, names))
    chosen = select(Release).where(Release.id.in_({release_id for release_id, _ in wanted}))
    releases = {each.id: each for each in session.scalars(chosen)}
    found = []
    for release_id, number in wanted:
        release = releases[release_id]
        texts = (
            release if release.revision == number else session.get_one(ReleaseRevision, (release_id, number))
        )
        found.append(Revision(name_of(release_id, number), release, texts))
    images = find_images(session, [each.texts.image_hash for each in found if each.texts.image_alt])
    return [replace(each, image=images.get(each.texts.image_hash or "")) for each in found]


def render_edition(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    topics: Iterable[Topic],
    releases: Sequence[Revision],
    order: HandOrder = (),
) -> Mapping[str, Encoded]:
    """Return every part of an issue in one language, by its name (models/tables/issue.py, Fragment)."""
    context = _context(renderer, issue, language)
    wanted = _topic_pieces(renderer, issue, language, topics)
    for number, section in enumerate(order):
        wanted[f"section:{number}"] = Wanted("digest/heading", context | {"topic": section})
    wanted |= _release_pieces(renderer, issue, language, releases)
    wanted["contents"] = Wanted("digest/contents_heading", context)
    wanted["reason"] = Wanted("digest/reason", context)
    marked = context | digest_marks() | {"headline": "", "count": 0}
    cuts = {"frame": marked | {"is_cut": False}, "frame_cut": marked | {"is_cut": True}}
    pieces, frames = renderer.fill(language, wanted, cuts)
    frame = frames["frame"]
    texts = choose_encoding([frame.text, *(piece.text for piece in pieces.values())])
    pages = choose_encoding([frame.html, *(piece.html for piece in pieces.values())])
    parts = _encoded(pieces, texts, pages)
    for name, each in frames.items():
        parts[name] = Encoded(FramePart(each.text, texts).dump(), FramePart(each.html, pages).dump())
    if order:
        parts["order"] = Encoded(write_places(order), b"")
    return parts | _subject_parts(renderer, issue, language, releases)


def render_more(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    releases: Sequence[Revision],
    frame: Encoded,
    before: int,
) -> Mapping[str, Encoded]:
    """Return the parts of more releases, for an issue with a rendered `frame` and `before` releases."""
    wanted = _release_pieces(renderer, issue, language, releases, before)
    pieces, _ = renderer.fill(language, wanted, {})
    parts = _encoded(pieces, FramePart.load(frame.text).encoding, FramePart.load(frame.html).encoding)
    return parts | _subject_parts(renderer, issue, language, releases, before)


def render_headings(
    renderer: NewsletterRenderer, issue: IssueFacts, language: str, topics: Iterable[Topic], frame: Encoded
) -> Mapping[str, Encoded]:
    """Return the parts of topics that were added after an issue with this `frame` was rendered."""
    pieces, _ = renderer.fill(language, _topic_pieces(renderer, issue, language, topics), {})
    return _encoded(pieces, FramePart.load(frame.text).encoding, FramePart.load(frame.html).encoding)


def _topic_pieces(
    renderer: NewsletterRenderer, issue: IssueFacts, language: str, topics: Iterable[Topic]
) -> dict[str, Wanted]:
    """Return the heading of each topic, and why a subscriber of each frequency gets it."""
    context = _context(renderer, issue, language)
    wanted = {}
    for topic in topics:
        shown = context | {"topic": topic}
        wanted[f"topic:{topic.id}"] = Wanted("digest/heading", shown)
        for frequency in Frequency:
            named = shown | {"frequency": frequency}
            wanted[f"reason:{topic.id}:{frequency}"] = Wanted("digest/reason_topic", named)
    return wanted


def _context(renderer: NewsletterRenderer, issue: IssueFacts, language: str) -> dict[str, object]:
    site = SiteFacts.of(renderer.identity, language, renderer.links.public_url)
    return {"site": site, "issue": issue, "timezone": renderer.identity.time_zone}


def _release_pieces(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    releases: Sequence[Revision],
    before: int = 0,
) -> dict[str, Wanted]:
    """Return the pieces of each release, and those with "N more" for each possible number."""
    context = _context(renderer, issue, language)
    wanted = {}
    for at, release in enumerate(releases, start=before + 1):
        facts = _facts(renderer, release, language)
        shown = context | {"release": facts}
        for name in ("release", "contents", "preheader", "opening"):
            wanted[f"{name}:{release.name}"] = Wanted(f"digest/{name}", shown)
        if renderer.counted is not None:
            listed = replace(facts, url=renderer.link_to(release.release, Place.CONTENTS, language))
            wanted[f"contents:{release.name}"] = Wanted("digest/contents", context | {"release": listed})
        brief = context | {
            "release": replace(facts, summary=shorten(facts.summary, BRIEF_COLUMNS), image=None)
        }
        wanted[f"brief:{release.name}"] = Wanted("digest/release", brief)
        for name in ("more", "contents_more"):
            wanted[f"{name}:{at}"] = Wanted(f"digest/{name}", context | {"count": at})
    return wanted


def _subject_parts(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    releases: Sequence[Revision],
    before: int = 0,
) -> dict[str, Encoded]:
    """Return the headline of each release, and a pattern of the subject for each number of further releases.

    The second value of a headline is its place in the order: whether it is pinned, then its date. Edition
    uses it if not all releases fit.
    """
    context = _context(renderer, issue, language)
    parts = {}
    for more, release in enumerate(releases, start=before):
        pattern = _subject_pattern(renderer, issue, language, context, more)
        parts[f"subject:{more}"] = Encoded(pattern.encode(), b"")
        order = f"{int(release.release.pinned)} {release.texts.published_at.isoformat()}"
        headline = shorten(one_line(_facts(renderer, release, language).title), SUBJECT_COLUMNS)
        parts[f"headline:{release.name}"] = Encoded(headline.encode(), order.encode())
    return parts


def _subject_pattern(
    renderer: NewsletterRenderer,
    issue: IssueFacts,
    language: str,
    context: Mapping[str, object],
    more: int,
) -> str:
    """Return the subject with LEAD in place of the headline: the usual one, or by the owner's template."""

    def usual(headline: str, count: int) -> str:
        given = {**context, "headline": headline, "count": count}
        return renderer.templates.render_subject("digest", language, given)

    template = renderer.identity.texts_in(language).subject
    if not template:
        return usual(LEAD, more)
    values = {
        "headline": LEAD,
        "more": usual(LEAD, more).partition(LEAD)[2],
        "newsletter": renderer.identity.texts_in(language).name,
        "date": format_date(issue.date, "long", locale=parse_language(language)),
        "number": issue.title,
    }
    # Without a headline, the usual subject is the mark of a test, or nothing.
    return f"{usual('', 0)} {fill_template(template, values)}".strip()


def sample_subjects(renderer: NewsletterRenderer, language: str, moment: datetime) -> list[str]:
    """Return the subjects of an issue with one release and of one with ten, as a preview for the owner."""
    issue = renderer.issue_facts("No. 12", moment)
    context = _context(renderer, issue, language)
    patterns = (_subject_pattern(renderer, issue, language, context, more) for more in (0, 9))
    return [each.replace(LEAD, "Sea cable switched on five weeks early") for each in patterns]


def _encoded(pieces: Mapping[str, Piece], texts: Encoding, pages: Encoding) -> dict[str, Encoded]:
    return {
        part: Encoded(encode_fragment(piece.text, texts), encode_fragment(piece.html, pages))
        for part, piece in pieces.items()
    }


def _facts(renderer: NewsletterRenderer, revision: Revision, language: str) -> ReleaseFacts:
    texts = revision.texts
    title = texts.email_title or texts.title
    return ReleaseFacts(
        title,
        texts.publisher,
        texts.published_on,
        texts.email_summary or texts.summary,
        renderer.link_to(revision.release, Place.RELEASE, language),
        "" if texts.language == UNKNOWN_LANGUAGE else texts.language,
        text_direction(texts.language, title),
        _image(renderer, revision),
    )


def _image(renderer: NewsletterRenderer, revision: Revision) -> ImageFacts | None:
    """Return the image of a release, if issues of this newsletter show images."""
    image = revision.image
    if image is None or renderer.identity.email_images is EmailImages.OFF:
        return None
    scale = min(1.0, IMAGE_BOX[0] / image.email_width, IMAGE_BOX[1] / image.email_height)
    return ImageFacts(
        renderer.links.image(image.email_file_name),
        revision.texts.image_alt,
        max(1, round(image.email_width * scale)),
        max(1, round(image.email_height * scale)),
    )
