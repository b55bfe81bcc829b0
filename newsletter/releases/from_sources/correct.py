"""Correct a release by the text that its source has now: not too often, and never against an editor."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from newsletter.errors import InputError
from newsletter.models import Release, ReleaseState
from newsletter.releases.decide import published_moment, to_html
from newsletter.releases.revisions.revise import revise
from newsletter.releases.revisions.store import Texts
from newsletter.releases.store import ParsedRelease

# The `made_by` of a revision that came from a source. Every other value names a person.
SOURCE = "source"
# A release may be corrected at every fetch in the first hour after it was public, then once in this time.
FIRST_HOUR = timedelta(hours=1)
APART = timedelta(hours=6)
# After this many corrections by its source, a person decides about the next one.
MOST = 3


class Correction(enum.StrEnum):
    """What became of a changed text.

    LATER: it is tried again, because the last correction was less than six hours ago. The others below keep
    the stored text. EDITED: a person has corrected the release. RESTLESS: its source has corrected it three
    times. REFUSED: another release has this text, or the title is empty. TOO_LONG: a field was cut, and the
    release is public already.
    """

    MADE = "made"
    SAME = "same"
    LATER = "later"
    EDITED = "edited"
    RESTLESS = "restless"
    REFUSED = "refused"
    TOO_LONG = "too_long"


class Made(NamedTuple):
    """A revision: when it was made, and by whom."""

    at: datetime
    by: str


def judge_correction(made: Sequence[Made], public_at: datetime | None, now: datetime) -> Correction:
    """Return whether a source may correct a release (MADE), or why not. `made` has its corrections so far.

    Pure.
    """
    if any(each.by != SOURCE for each in made):
        return Correction.EDITED
    if len(made) >= MOST:
        return Correction.RESTLESS
    is_young = public_at is None or now - public_at <= FIRST_HOUR
    if made and not is_young and now - made[-1].at < APART:
        return Correction.LATER
    return Correction.MADE


def correct_from_source(
    session: Session, release: Release, press: ParsedRelease, now: datetime
) -> Correction:
    """Give a release, which is locked, the text of its source as a revision, if that is allowed.

    Commit at once: a topic that matches newly takes a sequence.
    """
    texts = _texts(release, press, now)
    if texts == Texts.of(release):
        return Correction.SAME
    if press.doubts and release.state is ReleaseState.READY:
        return Correction.TOO_LONG
    # The first revision is the text that the release came with.
    made = [Made(each.made_at, each.made_by) for each in release.revisions[1:]]
    judged = judge_correction(made, release.made_public_at, now)
    if judged is not Correction.MADE:
        return judged
    try:
        changed = revise(session, release, texts, made_by=SOURCE, now=now, doubts=press.doubts)
    except InputError:
        return Correction.REFUSED
    return Correction.MADE if changed else Correction.SAME


def _texts(release: Release, press: ParsedRelease, now: datetime) -> Texts:
    """Return the texts of a source. What only emails show stays, and so does a date that it does not give.

    The caller has chosen the image: a new one, the present one, or none.
    """
    day = press.published or release.published_on
    moment = release.published_at if day == release.published_on else published_moment(day, now)
    return Texts(
        title=press.title,
        publisher=press.publisher[:300],
        published_at=press.published_at or moment,
        published_on=day,
        language=press.language,
        body_html=press.body_html or to_html(press.paragraphs, press.markup),
        body_text=press.body,
        summary=press.summary,
        email_title=release.email_title,
        email_summary=release.email_summary,
        image_hash=press.image_hash,
        image_alt=press.image_alt if press.image_hash else "",
    )
