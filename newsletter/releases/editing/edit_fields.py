"""Edit a stored release, or write a new one, by the fields of an editor's form."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.errors import FieldsInvalid, InputError, StateConflict
from newsletter.images.store import keep_image
from newsletter.languages import UNKNOWN_LANGUAGE
from newsletter.models import Release, ReleaseState
from newsletter.releases.decide import LATEST, NOON, PlainText
from newsletter.releases.editing.body import from_markdown, to_markdown
from newsletter.releases.editing.edit import find_release
from newsletter.releases.editing.embargo import read_zone
from newsletter.releases.revisions.revise import revise
from newsletter.releases.revisions.store import Texts
from newsletter.releases.store import add_release, first_zone
from newsletter.releases.topics.choose import choose_topics

# The fields of the form, all as text. A field that is not given is not changed.
FIELDS = (
    "title", "publisher", "summary", "body", "date", "time", "zone", "language", "email_title",
    "email_summary", "image", "image_alt",
)  # fmt: skip
LONGEST = {
    "title": 500, "publisher": 300, "summary": 2000, "email_title": 500, "email_summary": 2000,
    "image_alt": 500,
}  # fmt: skip
_NAMES = {"title": "title", "publisher": "publisher", "summary": "summary", "email_title": "title",
          "email_summary": "summary", "image_alt": "description"}  # fmt: skip
LONGEST_URL = 2_000
_SUMMARY_COLUMNS = 240
# A language tag (BCP 47).
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*")


@dataclass(frozen=True)
class Written:
    """A release that an editor wrote, as `add_release` takes it."""

    texts: Texts
    published: date | None
    markup: PlainText = PlainText()
    doubts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    canonical_url: str | None = None

    @property
    def title(self) -> str:
        return self.texts.title

    @property
    def publisher(self) -> str:
        return self.texts.publisher

    @property
    def language(self) -> str:
        return self.texts.language

    @property
    def paragraphs(self) -> tuple[str, ...]:
        return tuple(self.texts.body_text.split("\n\n"))

    @property
    def body(self) -> str:
        return self.texts.body_text

    @property
    def summary(self) -> str:
        return self.texts.summary

    @property
    def published_at(self) -> datetime:
        return self.texts.published_at

    @property
    def body_html(self) -> str:
        return self.texts.body_html

    @property
    def image_hash(self) -> str | None:
        return self.texts.image_hash

    @property
    def image_alt(self) -> str:
        return self.texts.image_alt


def form_values(release: Release, zone: ZoneInfo) -> dict[str, str]:
    """Return a release as the fields of the form."""
    texts = Texts.of(release)
    local = texts.published_at.astimezone(zone)
    has_time = texts.published_at.timetz() != NOON and local.date() == texts.published_on
    return {
        "title": texts.title,
        "publisher": texts.publisher,
        "summary": texts.summary,
        "body": to_markdown(texts.body_html),
        "date": texts.published_on.isoformat(),
        "time": f"{local:%H:%M}" if has_time else "",
        "zone": zone.key,
        "language": "" if texts.language == UNKNOWN_LANGUAGE else texts.language,
        "email_title": texts.email_title,
        "email_summary": texts.email_summary,
        "image": texts.image_hash or "",
        "image_alt": texts.image_alt,
    }


def edit_release(
    session: Session,
    public_id: str,
    given: Mapping[str, str],
    *,
    topics: Collection[str] | None = None,
    revision: int | None = None,
    actor: str,
    now: datetime,
) -> bool:
    """Change a release's texts and topics; return whether anything changed. The texts get a new revision.

    `topics` are slugs; None leaves them alone. `revision` is the one that the editor saw. Raises NotFound,
    FieldsInvalid, InputError for a text that another release has, and StateConflict if another editor has
    changed the release since. Commit at once: taking sequences is the last write.
    """
    release = find_release(session, public_id)
    if revision is not None and revision != release.revision:
        raise StateConflict("Another editor has changed this release meanwhile. Load the form again.")
    before = Texts.of(release)
    shown = form_values(release, first_zone(session))
    texts = read_texts(
        shown | {key: value for key, value in given.items() if key in FIELDS}, before, shown, now
    )
    if texts.image_hash != before.image_hash:
        keep_image(session, texts.image_hash, now)
    changed = revise(session, release, texts, made_by=actor, now=now)
    if topics is not None:
        changed |= choose_topics(session, release, topics, actor, now)
    return changed


def write_release(
    session: Session,
    given: Mapping[str, str],
    *,
    topics: Collection[str] = (),
    canonical_url: str = "",
    actor: str,
    now: datetime,
) -> Release:
    """Store a release that an editor wrote, held until an editor makes it ready; return it.

    It gets `topics`, and those whose rules match. `canonical_url` is the page that it was fetched from.
    Raises FieldsInvalid, and StateConflict if it is stored already. Commits nothing.
    """
    zone = first_zone(session)
    today = now.astimezone(zone).date()
    blank = Texts("", "", datetime.combine(today, NOON), today, UNKNOWN_LANGUAGE, "", "", "")
    shown = {**dict.fromkeys(FIELDS, ""), "date": "", "zone": zone.key}
    texts = read_texts(shown | dict(given), blank, shown, now)
    keep_image(session, texts.image_hash, now)
    url = canonical_url if canonical_url.startswith(("http://", "https://")) else ""
    written = Written(texts, texts.published_on, canonical_url=url[:LONGEST_URL] or None)
    release, is_new = add_release(session, written, now=now, topics=topics, state=ReleaseState.HELD)
    if not is_new:
        raise StateConflict("A release with this title, publisher and text is stored already.")
    release.email_title, release.email_summary = texts.email_title, texts.email_summary
    for each in release.holds:
        each.set_by = actor[:120]
    session.flush()
    return release


def read_texts(given: Mapping[str, str], before: Texts, shown: Mapping[str, str], now: datetime) -> Texts:
    """Return the texts that a form gives. `shown` is what it had for `before`. Raises FieldsInvalid. Pure."""
    faults: dict[str, str] = {}
    values = {name: _line(given[name], name, faults) for name in LONGEST}
    if not any(map(str.isalnum, values["title"])):
        faults["title"] = "Write the headline of the release."
    texts = replace(
        before,
        title=values["title"],
        publisher=values["publisher"],
        summary=values["summary"],
        email_title=values["email_title"],
        email_summary=values["email_summary"],
        language=_language(given["language"], faults),
        image_hash=given["image"] or None,
        image_alt=values["image_alt"] if given["image"] else "",
    )
    is_new_image = given["image"] != shown["image"] or bool(shown["image_alt"])
    if texts.image_hash and not texts.image_alt and is_new_image:
        faults["image_alt"] = "Describe the image in a sentence, for people who do not see it."
    if given["body"].replace("\r\n", "\n").strip() != shown["body"].strip() or not before.body_text:
        try:
            body = from_markdown(given["body"])
        except InputError as fault:
            faults["body"] = str(fault)
        else:
            texts = replace(texts, body_html=body.html, body_text=body.text)
    if any(given[name] != shown[name] for name in ("date", "time", "zone")) or not shown["date"]:
        texts = _with_date(texts, given, now, faults)
    if faults:
        raise FieldsInvalid(faults)
    if not texts.summary:
        texts = replace(texts, summary=_first_words(texts.body_text))
    return texts


def _line(value: str, name: str, faults: dict[str, str]) -> str:
    line = " ".join(value.replace("\0", "").split())
    if len(line) > LONGEST[name]:
        faults[name] = f"This {_NAMES[name]} is too long: at most {LONGEST[name]} characters."
    return line


def _language(value: str, faults: dict[str, str]) -> str:
    tag = value.strip()
    if not tag:
        return UNKNOWN_LANGUAGE
    if len(tag) > 16 or not _TAG.fullmatch(tag):
        faults["language"] = "Write the language as a tag, such as en or pt-BR."
    return tag


def _with_date(texts: Texts, given: Mapping[str, str], now: datetime, faults: dict[str, str]) -> Texts:
    """Return the texts with the date and time of the form. Without a time, it is noon UTC in the order."""
    try:
        zone = read_zone(given["zone"] or "UTC")
    except InputError as fault:
        faults["zone"] = str(fault)
        return texts
    today = now.astimezone(zone).date()
    try:
        day = date.fromisoformat(given["date"]) if given["date"] else today
    except ValueError:
        faults["date"] = "Write the date as year-month-day."
        return texts
    if not date(1900, 1, 1) <= day <= today + LATEST:
        faults["date"] = f"A date can be at most {LATEST.days} days ahead. To send it later, use an embargo."
        return texts
    if not given["time"]:
        return replace(texts, published_on=day, published_at=datetime.combine(day, NOON))
    try:
        hour = time.fromisoformat(given["time"])
    except ValueError:
        faults["time"] = "Write the time as hours and minutes, such as 09:30."
        return texts
    moment = datetime.combine(day, hour.replace(tzinfo=None), zone).astimezone(UTC)
    return replace(texts, published_on=day, published_at=moment)


def _first_words(text: str) -> str:
    words = " ".join(text.split())
    if len(words) <= _SUMMARY_COLUMNS:
        return words
    return words[:_SUMMARY_COLUMNS].rsplit(" ", 1)[0] + "…"


def sentence_case(title: str) -> str | None:
    """Return a title in capitals as a sentence; None if it is not in capitals. Pure.

    Names lose their capitals too, so a person looks at the result.
    """
    letters = [each for each in title if each.isalpha()]
    cased = [each for each in letters if each.lower() != each.upper()]
    if len(cased) < 8 or any(each.islower() for each in cased):
        return None
    lowered = title.lower()
    for at, each in enumerate(lowered):
        if each.isalpha():
            return lowered[:at] + each.upper() + lowered[at + 1 :]
    return None
