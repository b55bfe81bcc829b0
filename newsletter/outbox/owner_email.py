"""The owner is emailed each notice once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import AddressInvalid
from newsletter.mail.addresses import parse_address
from newsletter.models import AdminUser, Notice
from newsletter.notices import words
from newsletter.outbox.enqueue import enqueue_notice

# Faults that open hundreds of notices at once must not become hundreds of emails in one minute.
AT_ONCE = 20


def email_notices(session: Session, owner: str | None, now: datetime) -> int:
    """Enqueue an email for each open notice that has had none; return how many. Commits nothing.

    `owner` is the address to write to. Without one, every account is written to.
    """
    recipients = [owner] if owner else _accounts(session)
    if not recipients:
        return 0  # an account that is made later hears of it
    new = (
        select(Notice)
        .where(Notice.emailed_at.is_(None), Notice.settled_at.is_(None))
        .order_by(Notice.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    notices = list(session.scalars(new))
    for notice in notices:
        said = words(notice)
        for recipient in recipients:
            enqueue_notice(
                session,
                recipient=recipient,
                template="notice",
                context={"title": said.title, "sentence": said.sentence, "remedy": said.remedy},
                purpose_key=f"notice:{notice.id}",
                language="en",
                now=now,
            )
        notice.emailed_at = now
    session.flush()
    return len(notices)


def _accounts(session: Session) -> list[str]:
    found = []
    for email in session.scalars(select(AdminUser.email).order_by(AdminUser.email)):
        try:
            found.append(parse_address(email).text)
        except AddressInvalid:
            continue  # an account may be named admin@localhost
    return found
