"""Sample issues, with which templates are tried before they are saved. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from newsletter.messages.digests.edition import Edition, Encoded
from newsletter.messages.digests.note import read_note
from newsletter.messages.digests.render import IssueFacts, NewsletterRenderer, Revision, render_edition
from newsletter.models import Frequency, Release, Topic
from newsletter.models.rendition_key import FIRST_REVISION, Section, write_key

DAY = date(2026, 3, 10)
HOME = "https://news.example/"
# What each subscriber has of their own, as it comes out in a preview.
FIELDS = dict.fromkeys(("browser_url", "preferences_url", "unsubscribe_url"), HOME)
_TEXT = (
    "The harbour authority has opened the new quay five weeks early. Ferries to the islands leave from there "
    "from Monday on.\n\nThe old quay is closed for repairs until the autumn."
)
_ARABIC = "\u0627\u0641\u062a\u062a\u0627\u062d \u0631\u0635\u064a\u0641 \u062c\u062f\u064a\u062f"
_JAPANESE = "\u65b0\u3057\u3044\u5cb8\u58c1\u304c\u4e94\u9031\u9593\u65e9\u304f\u958b\u304b\u308c\u308b"
# Title, publisher, summary and language. The last ones are what templates fail at.
_RELEASES = (
    ("Sea cable switched on five weeks early", "Port of Halmstrand", _TEXT, "en"),
    ("New timetable for the night ferry", "Island Ferries", _TEXT, "en"),
    ("Harbour museum opens on Sundays", "", _TEXT, "en"),
    ("Neuer Kai f\u00fcr F\u00e4hren er\u00f6ffnet", "Hafenamt", _TEXT, "de"),
    (_JAPANESE, "", _JAPANESE * 4, "ja"),
    (_ARABIC, _ARABIC, _ARABIC * 4, "ar"),
    ("A release without a summary", "Port of Halmstrand", "", ""),
    ("x" * 200, "y" * 200, "z" * 400, "en"),
    ("Fish & chips < \"bread\" 'butter' </td><script>alert(1)</script>", "<b>", "<!-- {{ 7 * 7 }}", "en"),
    ("Sea level rises", "Port of Halmstrand", _TEXT * 3, "en"),
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A sample issue: what it is for people, its number of releases, and the facts about it."""

    label: str
    releases: int
    is_special: bool = False


SAMPLES: Mapping[str, Sample] = {
    "ten": Sample("Ten releases", len(_RELEASES)),
    "one": Sample("One urgent release with a note, as a test", 1, is_special=True),
}


@dataclass(frozen=True)
class SampleEmail:
    """A sample issue in one language, as an email."""

    html: str
    text: str
    html_bytes: int


def render_sample(renderer: NewsletterRenderer, sample: Sample, language: str) -> SampleEmail:
    """Return a sample issue with the renderer's templates."""
    edition = Edition("sample", render_parts(renderer, sample, language))
    names = tuple(range(1, sample.releases + 1))
    half = (len(names) + 1) // 2
    sections = [Section(1, Frequency.WEEKLY, names[:half]), Section(2, Frequency.DAILY, names[half:])]
    key = write_key(tuple(each for each in sections if each.release_ids))
    return SampleEmail(edition.html(key, FIELDS), edition.text(key, FIELDS), edition.html_bytes(key))


def render_parts(renderer: NewsletterRenderer, sample: Sample, language: str) -> Mapping[str, Encoded]:
    """Return every part of a sample issue."""
    facts = IssueFacts("No. 12", DAY)
    if sample.is_special:
        note = read_note("A note with **bold** words and [a link](https://news.example/).", "en")
        facts = replace(facts, is_test=True, is_urgent=True, note=note)
    topics = [Topic(id=1, name="Ferries and quays"), Topic(id=2, name="Museums & markets")]
    return render_edition(renderer, facts, language, topics, _releases(sample.releases))


def _releases(number: int) -> Sequence[Revision]:
    made = []
    for at, (title, publisher, summary, language) in enumerate(_RELEASES[:number], start=1):
        day = DAY - timedelta(days=at)
        release = Release(
            id=at,
            public_id=f"sample-{at}",
            title=title,
            publisher=publisher,
            summary=summary,
            language=language,
            published_on=day,
            published_at=datetime(day.year, day.month, day.day, tzinfo=UTC),
            pinned=False,
            revision=FIRST_REVISION,
            email_title="",
            email_summary="",
        )
        made.append(Revision(str(at), release, release))
    return made
