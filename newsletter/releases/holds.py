"""Hold a release with a reason, and make it ready when its last hold ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.mail.clean_html import LONGEST_HTML
from newsletter.models import (
    HoldReason,
    Release,
    ReleaseHold,
    ReleaseState,
    ReleaseTopic,
    links_to_renew,
    take_sequences,
)
from newsletter.releases.revisions.store import note_public

# The names of doubtful fields for people.
_FIELDS = {"published": "date"}


def hold(
    release: Release,
    reason: HoldReason,
    set_by: str,
    now: datetime,
    *,
    fields: Sequence[str] = (),
    until: datetime | None = None,
) -> None:
    """Hold a release. A second hold with the same reason changes nothing."""
    if all(each.reason is not reason for each in release.holds):
        named = ",".join(fields)
        made = ReleaseHold(reason=reason, fields=named, until=until, set_by=set_by[:120], created_at=now)
        release.holds.append(made)
    if release.state is not ReleaseState.EXCLUDED:
        release.state = ReleaseState.HELD


def is_embargoed(release: Release, now: datetime) -> bool:
    """Return whether nothing of a release may be public yet."""
    return release.embargo_until is not None and release.embargo_until > now


def hold_for_embargo(release: Release, set_by: str, now: datetime) -> None:
    """Hold a release until the end of its embargo."""
    hold(release, HoldReason.EMBARGO, set_by, now, until=release.embargo_until)
    for each in release.holds:
        if each.reason is HoldReason.EMBARGO:
            each.until = release.embargo_until


def make_ready(session: Session, release: Release, now: datetime) -> None:
    """Make a release ready and end its holds. New sequences are the last write before the commit.

    Issues may have been sent without it meanwhile. Selection leaves out subscribers who have got it.
    """
    release.state = ReleaseState.READY
    release.holds.clear()
    release.made_public_at = release.made_public_at or _public_moment(release, now)
    note_public(release, now)
    session.flush()
    renew_sequences(session, links_to_renew(release))


def _public_moment(release: Release, now: datetime) -> datetime:
    """Return when a release becomes public: now, or at its own date if it is part of a source's backlog."""
    return min(release.published_at, now) if release.is_kept_back else now


def lock_release(session: Session, release_id: int) -> Release:
    """Return a release with a row lock, and with its holds as they are now.

    On PostgreSQL, another transaction may be adding a hold. The caller has to see it before it ends another.
    """
    chosen = select(Release).where(Release.id == release_id).with_for_update()
    release = session.scalars(chosen.execution_options(populate_existing=True)).one()
    session.expire(release, ["holds", "topic_links"])
    return release


def end_hold(session: Session, release: Release, reason: HoldReason, now: datetime) -> bool:
    """End the hold of a locked release with this reason, and make the release ready if it has no other.

    Returns whether there was such a hold. Sequences are the last write, so commit at once.
    """
    ended = [each for each in release.holds if each.reason is reason]
    for each in ended:
        release.holds.remove(each)
    session.flush()
    if ended and not release.holds and release.state is ReleaseState.HELD:
        make_ready(session, release, now)
    return bool(ended)


def doubtful_fields(release: Release) -> list[str]:
    """Return the names of the fields that a person should look at."""
    named = (each.fields for each in release.holds if each.reason is HoldReason.DOUBT)
    return [field for fields in named for field in fields.split(",") if field]


def say_doubts(fields: Sequence[str]) -> str:
    """Return what may be wrong with these doubtful fields, in words for people."""
    said = []
    if guessed := [_FIELDS.get(each, each) for each in fields if each != "text"]:
        said.append(f"the {' and the '.join(guessed)} may be wrong")
    if "text" in fields:
        said.append(f"the text is not complete: its end was left out after {LONGEST_HTML:,} characters")
    return "; ".join(said)


def renew_sequences(session: Session, links: Sequence[ReleaseTopic]) -> None:
    """Give each of these pairs a new sequence, so that the next issue includes the release.

    This is the last write before the commit, because it locks the counter until then. Commits nothing.
    """
    if not links:
        return
    session.flush()
    first = take_sequences(session, len(links))
    for at, link in enumerate(links):
        link.sequence = first + at
        link.first_sequence = link.first_sequence or link.sequence
    session.flush()


def is_mailable(release: Release) -> bool:
    """Return whether pairs that are added to a release get sequences at once.

    They do if it was ever ready and is not kept back (from_sources/backlog.py). When a held release becomes
    ready again, only the pairs that have a sequence get a new one.
    """
    was_ready = release.state is ReleaseState.READY or any(link.sequence for link in release.topic_links)
    return was_ready and not release.is_kept_back
