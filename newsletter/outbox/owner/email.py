"""Email each notice to the owner once, and forward emails to postmaster@ and abuse@."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import AddressInvalid, ServiceError
from newsletter.mail.addresses import parse_address
from newsletter.models import AdminUser, Notice
from newsletter.notices import words
from newsletter.outbox.enqueue import enqueue_notice

# Emails in one run. A fault that opens hundreds of notices must not send hundreds of emails in one minute.
AT_ONCE = 20
# The page that the button of an email opens, unless the notice has a page of its own.
ADMIN_PAGE = "/admin/"
# The largest part of a message that is attached. Abuse reports have a few kilobytes.
MOST_ATTACHED_BYTES = 256 * 1024


def email_notices(session: Session, owner: str | None, now: datetime) -> int:
    """Enqueue an email for each open notice that was not emailed yet; return how many. Commits nothing.

    `owner` is the owner's address. Without one, every account gets the email. A notice with the detail
    `send_to` goes to that address.
    """
    usual = [owner] if owner else _accounts(session)
    new = (
        select(Notice)
        .where(Notice.emailed_at.is_(None), Notice.settled_at.is_(None))
        .order_by(Notice.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    notices = list(session.scalars(new))
    told = 0
    for notice in notices:
        said = words(notice)
        recipients = [notice.detail["send_to"]] if notice.detail.get("send_to") else usual
        if not recipients:
            continue  # it stays open, so an account that is created later gets it
        for recipient in recipients:
            enqueue_notice(
                session,
                recipient=recipient,
                template="notice",
                context={
                    "title": said.title,
                    "sentence": said.sentence,
                    "remedy": said.remedy,
                    "page": notice.detail.get("page", ADMIN_PAGE),
                },
                purpose_key=f"notice:{notice.id}",
                language="en",
                now=now,
            )
        notice.emailed_at = now
        told += 1
    session.flush()
    return told


def forward_to_owner(session: Session, owner: str | None, role: str, raw: bytes, now: datetime) -> bool:
    """Enqueue an email to the owner, or to every account, with the message that somebody sent to `role`@.

    Returns whether the message is new. Commits nothing. Raises ServiceError if there is no owner's address
    and no account with one.
    """
    recipients = [owner] if owner else _accounts(session)
    if not recipients:
        raise ServiceError("There is no owner's address and no account to send this email to.")
    context = {
        "title": f"Somebody wrote to {role}@",
        "sentence": (
            f"An email to {role}@ of your return-path domain is attached as it came, up to its first "
            f"{MOST_ATTACHED_BYTES // 1024} KB. Open it with care: anybody can write to this address."
        ),
        "remedy": "Answer it yourself if it asks for an answer. Complaints and faults are reported this way.",
        "attached": base64.b64encode(raw[:MOST_ATTACHED_BYTES]).decode("ascii"),
    }
    digest = hashlib.sha256(raw).hexdigest()[:32]
    new = [
        enqueue_notice(
            session,
            recipient=recipient,
            template="notice",
            context=context,
            purpose_key=f"owner:{digest}",
            language="en",
            now=now,
        )
        for recipient in recipients
    ]
    return any(new)


def _accounts(session: Session) -> list[str]:
    found = []
    for email in session.scalars(select(AdminUser.email).order_by(AdminUser.email)):
        try:
            found.append(parse_address(email).text)
        except AddressInvalid:
            continue  # the name of an account may be no valid address, such as admin@localhost
    return found
