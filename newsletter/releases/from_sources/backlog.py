"""Releases that were old when their source was added: public, and mailed only if an editor says so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import StateConflict
from newsletter.models import Release, ReleaseState
from newsletter.releases.edit import find_release
from newsletter.releases.holds import renew_sequences


def send_after_all(session: Session, public_id: str, actor: str, now: datetime) -> Release:
    """Let a release that was kept back be mailed: its pairs get sequences now, or when it is ready.

    This is the only way to give such a pair a sequence. Raises NotFound, and StateConflict if the release was
    not kept back. Taking sequences is the last write, so commit at once.
    """
    release = find_release(session, public_id)
    if not release.is_kept_back:
        raise StateConflict(f"Release {public_id} was not kept back: its topics' subscribers get it anyway.")
    release.is_kept_back = False
    audit.record(session, actor, "release.send-after-all", release.public_id, now)
    session.flush()
    if release.state is ReleaseState.READY:
        renew_sequences(session, release.topic_links)
    return release
