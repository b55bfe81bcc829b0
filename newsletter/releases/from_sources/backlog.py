"""Releases that were old when their source was added: public, and emailed only if an editor says so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import StateConflict
from newsletter.models import Release, ReleaseState
from newsletter.releases.editing.edit import find_release
from newsletter.releases.holds import renew_sequences


def send_after_all(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """Let a release that was kept back be emailed: its pairs get sequences now, or when it is ready.

    It may have been old when its source was added, or a changed rule may have put it under a topic. This is
    the only way to give such a pair a sequence. Raises NotFound, and StateConflict if every pair has one.
    Taking sequences is the last write, so commit at once.
    """
    release = find_release(session, public_id)
    fresh = [link for link in release.topic_links if link.sequence is None]
    was_ready = release.state is ReleaseState.READY
    if not release.is_kept_back and not (was_ready and fresh):
        raise StateConflict(f"Release {public_id} was not kept back: its topics' subscribers get it anyway.")
    release.is_kept_back = False
    audit.record(session, actor, "release.send-after-all", release.public_id, now)
    session.flush()
    if was_ready:
        renew_sequences(session, fresh)
    return release
