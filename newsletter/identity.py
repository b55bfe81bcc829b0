"""What identifies a newsletter to its subscribers: name, sender, languages and look, from its row.

Messages, digests, pages and consent records all need it, so it is below the stages
(docs/decisions/0012-a-newsletter-is-a-row.md).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.languages import translations
from newsletter.mail.palette import Palette, palette_of
from newsletter.models import (
    FIRST_NEWSLETTER,
    ClickCounting,
    EmailImages,
    Frequency,
    Newsletter,
    NewsletterText,
    StoredLogo,
)
from newsletter.settings import Settings

# Pages may show what a newsletter was this long ago. So a sign-up, which must be quick, seldom reads it.
REREAD_SECONDS = 1.0

# Pages and emails show a logo at half its pixels, for sharp screens, unless it is small.
LOGO_BOX = (240, 64)
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Texts:
    """A newsletter's texts in one language. An empty `consent` stands for the usual wording, and an empty
    `subject` for the usual subject of issues.

    `version` is the newsletter's version that brought these texts. The same texts are equal in any version.
    """

    name: str
    tagline: str
    consent: str = ""
    subject: str = ""
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Logo:
    """A newsletter's logo. `pixels` are its width and height. Its bytes are read by `hash`."""

    hash: str
    media_type: str
    pixels: tuple[int, int]

    @property
    def file_name(self) -> str:
        """The last part of its URL."""
        return f"{self.hash}.{_EXTENSIONS[self.media_type]}"

    @property
    def width(self) -> int:
        """The width at which it is shown."""
        return self._shown()[0]

    @property
    def height(self) -> int:
        """The height at which it is shown."""
        return self._shown()[1]

    def _shown(self) -> tuple[int, int]:
        (width, height), (most_width, most_height) = self.pixels, LOGO_BOX
        scale = min(1.0, most_width / width, most_height / height)
        return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True)
class Identity:
    """One newsletter at one `version`: all that its emails and pages say about it.

    While the version is 0, its row has no content, and these are the values of the settings.
    """

    newsletter_id: int
    slug: str
    version: int
    from_address: str
    from_name: str
    reply_to: str | None
    postal_address: str
    # The first is used for everybody with any other language.
    languages: tuple[str, ...]
    time_zone: str
    default_frequency: Frequency
    position: int
    # The chosen colours as #rrggbb, by their field in mail/palette.py, Palette.
    colours: Mapping[str, str]
    texts: Mapping[str, Texts]
    logo: Logo | None = None
    email_images: EmailImages = EmailImages.OFF
    click_counting: ClickCounting = ClickCounting.OFF

    @property
    def name(self) -> str:
        """The name in the first language."""
        return self.texts_in(self.languages[0]).name

    @property
    def sender_name(self) -> str:
        """The name beside the From address."""
        return self.from_name or self.name

    @cached_property
    def sender_domain(self) -> str:
        """The domain of the From address."""
        return self.from_address.rpartition("@")[2]

    @property
    def palette(self) -> Palette:
        """The chosen colours, and computed ones in place of those that were not chosen."""
        return palette_of(self.colours)

    @property
    def contact(self) -> str:
        """The address that people can write to."""
        return self.reply_to or self.from_address

    def language_in_links(self, language: str) -> str:
        """Return the language for links to pages that do not know who opens them.

        "" if their pages have no other language.
        """
        is_only = self.newsletter_id == FIRST_NEWSLETTER and len(self.languages) == 1
        return "" if is_only else language

    def texts_in(self, language: str) -> Texts:
        """Return the texts in a language. Without texts of its own, it has the name of the first language.

        It then has no tagline, because a sentence in another language is worse than none. Only the default
        tagline has translations.
        """
        found = self.texts.get(language)
        if found is not None:
            return found
        first = self.texts.get(self.languages[0]) or next(iter(self.texts.values()))
        if language == self.languages[0]:
            return first
        if not first.tagline:
            return replace(first, subject="")
        translated = translations(language).gettext(first.tagline)
        return Texts(first.name, "" if translated == first.tagline else translated)


def identity_of_settings(settings: Settings) -> Identity:
    """Return the identity that the settings describe."""
    return Identity(
        newsletter_id=FIRST_NEWSLETTER,
        slug="news",
        version=0,
        from_address=settings.from_address,
        from_name=settings.from_name,
        reply_to=settings.reply_to,
        postal_address=settings.postal_address,
        languages=settings.languages,
        time_zone=settings.time_zone,
        default_frequency=Frequency.WEEKLY,
        position=0,
        colours={},
        texts={settings.languages[0]: Texts(settings.site_name, settings.tagline)},
    )


def load_identity(session: Session, settings: Settings, newsletter_id: int) -> Identity:
    """Return the identity of a newsletter. Raises NotFound."""
    row = session.get(Newsletter, newsletter_id, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no newsletter {newsletter_id}.")
    if row.version == 0:
        return replace(
            identity_of_settings(settings), newsletter_id=row.id, slug=row.slug, position=row.position
        )
    return Identity(
        newsletter_id=row.id,
        slug=row.slug,
        version=row.version,
        from_address=row.from_address,
        from_name=row.from_name,
        reply_to=row.reply_to,
        postal_address=row.postal_address,
        languages=tuple(row.languages),
        time_zone=row.time_zone,
        default_frequency=row.default_frequency,
        position=row.position,
        colours=dict(row.colours),
        texts=load_texts(session, row.id),
        logo=load_logo(session, row.logo_hash) if row.logo_hash else None,
        email_images=row.email_images,
        click_counting=row.click_counting,
    )


def load_logo(session: Session, logo_hash: str) -> Logo:
    """Return what a stored logo is, without its bytes. Raises NotFound."""
    columns = select(StoredLogo.hash, StoredLogo.media_type, StoredLogo.width, StoredLogo.height)
    found = session.execute(columns.where(StoredLogo.hash == logo_hash)).one_or_none()
    if found is None:
        raise NotFound(f"There is no logo {logo_hash}.")
    return Logo(found.hash, found.media_type, (found.width, found.height))


def load_texts(session: Session, newsletter_id: int) -> dict[str, Texts]:
    """Return the newest texts of a newsletter, by language."""
    versions = (
        select(
            NewsletterText.language,
            NewsletterText.name,
            NewsletterText.tagline,
            NewsletterText.consent,
            NewsletterText.subject,
            NewsletterText.version,
        )
        .where(NewsletterText.newsletter_id == newsletter_id)
        .order_by(NewsletterText.version)
    )
    return {
        language: Texts(name, tagline, consent, subject, version)
        for language, name, tagline, consent, subject, version in session.execute(versions)
    }


class Identities:
    """The identities of all newsletters, as this process last read them. Threads may share it.

    `elapsed` is its clock, in seconds.
    """

    def __init__(self, settings: Settings, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._elapsed = elapsed
        self._known: Mapping[int, Identity] = {}
        self._numbers: tuple[int, ...] = ()
        self._read_at = float("-inf")

    def of(self, session: Session, newsletter_id: int | None) -> Identity:
        """Return the identity as it was last read.

        None gives the first newsletter: it speaks in emails that belong to none, such as notices to the
        owner. Raises NotFound.
        """
        wanted = newsletter_id or FIRST_NEWSLETTER
        known = self._known.get(wanted)
        if known is None:
            known = load_identity(session, self._settings, wanted)
            self._known = {**self._known, wanted: known}
        return known

    def refresh(self, session: Session) -> None:
        """Read again what has changed since it was read. If nothing has, this is one small query."""
        self._read_at = self._elapsed()
        rows = session.execute(select(Newsletter.id, Newsletter.version))
        versions = {number: version for number, version in rows}
        self._numbers = tuple(sorted(versions))
        self._known = {
            number: known for number, known in self._known.items() if versions.get(number) == known.version
        }
        self.of(session, FIRST_NEWSLETTER)

    def every(self, session: Session) -> list[Identity]:
        """Return the identities of all newsletters as they were last read, by id."""
        if not self._numbers:
            self.refresh(session)
        return [self.of(session, number) for number in self._numbers]

    def recent(self, reading: Callable[[], Session], newsletter_id: int = FIRST_NEWSLETTER) -> Identity:
        """Return the identity as it was a second ago or later.

        If the database does not answer, it is the one that was last read, or else the one of the settings.
        So a page that reports this fault has the newsletter's name. Raises NotFound.
        """
        known = self._known.get(newsletter_id)
        if known is not None and self._elapsed() - self._read_at < REREAD_SECONDS:
            return known
        try:
            with reading() as session:
                self.refresh(session)
                return self.of(session, newsletter_id)
        except SQLAlchemyError as fault:
            log.warning("event=newsletter_not_read fault=%s", type(fault).__name__)
            return known or identity_of_settings(self._settings)

    def recent_ones(self, reading: Callable[[], Session]) -> list[Identity]:
        """Return the identities of all newsletters as they were a second ago or later, by id.

        If the database does not answer, they are those that were last read, or else the one of the settings.
        """
        first, known = self.recent(reading), self._known
        if self._numbers and known.keys() >= set(self._numbers):
            return [known[number] for number in self._numbers]
        try:
            with reading() as session:
                return self.every(session)
        except SQLAlchemyError:
            return [self._known[number] for number in sorted(self._known)] or [first]

    def forget(self) -> None:
        """Read every identity again before it is used: this process has changed one."""
        self._known = {}
        self._numbers = ()
