"""Erase a person from the database, SQLite's log, and the demo's stored emails."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from newsletter.models.scrub import empty_log
from newsletter.runtime import Runtime
from newsletter.subscribers.privacy.erase import Erased, erase, stop_first
from newsletter.web.mailbox.stored_emails import forget_recipient, mailbox_folder


def erase_everywhere(
    parts: Runtime, session: Session, public_id: str, how: str, actor: str | None = None
) -> Erased:
    """Erase a person and commit, then clean the files. Raises NotFound and StateConflict.

    `how` and `actor` as in subscribers/privacy/erase.py.
    """
    may_tell = stop_first(session, parts.tokens, public_id, parts.now())
    session.commit()
    done = erase(session, parts.tokens, public_id, how, parts.now(), actor, may_tell=may_tell)
    session.commit()
    bind = session.get_bind()
    session.close()
    empty_log(bind if isinstance(bind, Engine) else bind.engine)
    if parts.settings.demo:
        forget_recipient(mailbox_folder(parts.settings.data_dir), done.addresses)
    return done
