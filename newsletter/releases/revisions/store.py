"""Store the texts of a release, one revision for each correction, and note which of them became public."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime

from newsletter.models import Release, ReleaseRevision, ReleaseState
from newsletter.models.rendition_key import FIRST_REVISION
from newsletter.releases.decide import content_hash


@dataclass(frozen=True, slots=True)
class Texts:
    """What a correction can change about a release. `body_html` is sanitised.

    `email_title` and `email_summary` replace title and summary in emails, unless they are "". `image_hash`
    names the lead image, and `image_alt` says what it shows.
    """

    title: str
    publisher: str
    published_at: datetime
    published_on: date
    language: str
    body_html: str
    body_text: str
    summary: str
    email_title: str = ""
    email_summary: str = ""
    image_hash: str | None = None
    image_alt: str = ""

    @classmethod
    def of(cls, stored: Release | ReleaseRevision) -> Texts:
        """Return the texts of a stored release or revision."""
        return cls(**{each.name: getattr(stored, each.name) for each in fields(cls)})

    @property
    def hash(self) -> str:
        """The hash that identifies a release with these texts."""
        return content_hash(self.title, self.publisher, self.body_text)


# What only emails show.
_IN_EMAILS = {"email_title", "email_summary"}


def hash_of(release: Release, texts: Texts) -> str:
    """Return the content hash of a release with these texts.

    If what identifies it did not change, the hash stays: a notice that recurs with the same text has one of
    its own.
    """
    return release.content_hash if texts.hash == Texts.of(release).hash else texts.hash


def add_revision(release: Release, texts: Texts, made_by: str, now: datetime) -> ReleaseRevision:
    """Give a release new texts, and keep the ones it had. Commits nothing."""
    if not release.revisions:
        # Only releases that are corrected have rows, so that texts are not stored twice.
        first = _row(FIRST_REVISION, Texts.of(release), release.content_hash, release.created_at, "")
        first.made_public_at = release.made_public_at
        release.revisions.append(first)
    release.content_hash = hash_of(release, texts)
    for name, value in asdict(texts).items():
        setattr(release, name, value)
    release.revision += 1
    made = _row(release.revision, texts, release.content_hash, now, made_by)
    release.revisions.append(made)
    if release.state is ReleaseState.READY:
        note_public(release, now)
    return made


def note_public(release: Release, now: datetime) -> None:
    """Note that visitors see the present text now. If they saw another one before, it is an update."""
    if not release.revisions:
        return
    *earlier, present = release.revisions
    if present.made_public_at is not None:
        return
    present.made_public_at = now
    seen = [each for each in earlier if each.made_public_at is not None]
    if seen and _of_pages(seen[-1]) != _of_pages(present):
        release.updated_at = now


def _of_pages(revision: ReleaseRevision) -> dict[str, object]:
    shown = asdict(Texts.of(revision))
    return {name: value for name, value in shown.items() if name not in _IN_EMAILS}


def _row(number: int, texts: Texts, hash_: str, made_at: datetime, made_by: str) -> ReleaseRevision:
    return ReleaseRevision(
        number=number, **asdict(texts), content_hash=hash_, made_at=made_at, made_by=made_by[:320]
    )
