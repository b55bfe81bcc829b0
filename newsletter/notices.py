"""What the owner is told. Each open matter is one row, shown on the overview and emailed once.

To tell of something new, add a member to NoticeKind: its title, its sentence, its remedy. A sentence may
name `{subject}` and whatever `tell_owner` was given as detail. Neither ever holds a subscriber's address or
a token: the row outlives both. `outbox/owner_email.py` sends the emails.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.models import Notice, insert_new


class NoticeKind(enum.Enum):
    """Every kind of matter: its key, a title, what happened, what to do, and whether sending stands still."""

    SIGNUPS_HELD = (
        "signups_held",
        "Many sign-ups at once",
        (
            "New addresses come faster than your settings allow. Sign-ups that wait: {held}. After {burst} "
            "confirmations to new addresses, {per_hour} more go out each hour. A sign-up that has waited "
            "for {hold_hours} hours is dropped. People who confirmed before notice nothing."
        ),
        (
            "You need not do anything. If you know where these people come from, let the sign-ups go, "
            "else drop them: newsletter subscriber held"
        ),
    )
    RELAY_REFUSES = (
        "relay_refuses",
        "The relay refuses addresses that exist",
        (
            "The relay {subject} said of {refused} addresses that they do not exist. That is too many to be "
            "believed, so its issues are paused. Nobody was taken off the list."
        ),
        (
            "Ask the relay's operator. If the relay was wrong and is mended, send these emails again. If "
            "these addresses are really gone, say so, and they get no more email. Both buttons are on the "
            "page “Refused addresses”, both commands under: newsletter bounce held"
        ),
        True,
    )
    DOMAIN_REFUSES = (
        "domain_refuses",
        "A domain refuses addresses that exist",
        (
            "The domain {subject} said of {refused} addresses that they do not exist. That is too many to be "
            "believed, so emails to this domain wait. Nobody was taken off the list."
        ),
        (
            "Find out whether the domain still takes email. Then say on the page “Refused addresses” whether "
            "these addresses are really gone or are to be sent to again, or use: newsletter bounce held"
        ),
        True,
    )
    ISSUE_REFUSED = (
        "issue_refused",
        "An issue reached nobody",
        (
            "The relay refused {refused} emails of the issue {title} and accepted none. It last said: "
            "{said}. The issue is paused. Nobody was taken off the list."
        ),
        (
            "Find out why they were refused. Then say on the page “Refused addresses” whether to send these "
            "emails again, or that the refusals are final. Final ends the issue, and addresses that do not "
            "exist get no more email. Both commands are under: newsletter bounce held"
        ),
        True,
    )
    CONFIRMATIONS_REFUSED = (
        "confirmations_refused",
        "Confirmations are refused",
        (
            "The relay said of the last {refused} addresses that signed up that they do not exist, and "
            "accepted no confirmation in between. Nobody was suppressed, and nothing else waits."
        ),
        (
            "If these were invented addresses, you need not do anything. If people tell you that they get no "
            "confirmation, ask the relay's operator."
        ),
    )

    SENDER_REFUSED = (
        "sender_refused",
        "The relay refuses our sender address",
        (
            "The relay {subject} refuses the address that emails come from. It said: {said}. Nothing is "
            "rejected: confirmations and issues wait, and now and then one email is tried."
        ),
        "{mend} To check it: newsletter relay check",
        True,
    )
    HELLO_REFUSED = (
        "hello_refused",
        "The relay refuses our name",
        (
            "The relay {subject} refuses the name that we give in EHLO. It said: {said}. Nothing is "
            "rejected: confirmations and issues wait, and now and then one email is tried."
        ),
        "{mend} To check it: newsletter relay check",
        True,
    )
    ACCOUNT_REFUSED = (
        "account_refused",
        "The relay refuses our account",
        (
            "The relay {subject} does not let our account send. It said: {said}. Nothing is "
            "rejected: confirmations and issues wait, and now and then one email is tried."
        ),
        "{mend} To check it: newsletter relay check",
        True,
    )
    CONSENT_LEDGER = (
        "consent_ledger",
        "The ledger of consent does not fit its signed head",
        (
            "Once a day the ledger is compared with its signed head, the file consent-head.jsonl in the data "
            "folder. This time they differ: {what} The head stays as it is, because it is the proof."
        ),
        (
            "To see each fault: newsletter consent verify --all. If nobody has worked on the database, keep "
            "a copy of it and of the head, and restore a backup. This notice goes when they fit again."
        ),
    )

    def __init__(self, key: str, title: str, sentence: str, remedy: str, urgent: bool = False) -> None:
        self.key = key
        self.title = title
        self.sentence = sentence
        self.remedy = remedy
        self.urgent = urgent


_KINDS = {kind.key: kind for kind in NoticeKind}


class Words(NamedTuple):
    """A notice as people read it."""

    title: str
    sentence: str
    remedy: str
    urgent: bool


def tell_owner(session: Session, kind: NoticeKind, subject: str, now: datetime, **detail: Any) -> bool:
    """Open a notice unless one of this kind and subject is open; return whether it is new. Commits nothing.

    An open one keeps its place, takes the new `detail`, and is not emailed again.
    """
    fresh = insert_new(session, Notice).values(
        kind=kind.key, subject=subject, detail=detail, opened_at=now, seen_at=now
    )
    if session.scalar(fresh.returning(Notice.id)) is not None:
        return True
    session.execute(update(Notice).where(*_open(kind, subject)).values(detail=detail, seen_at=now))
    return False


def settle(session: Session, kind: NoticeKind, subject: str, now: datetime) -> bool:
    """Close the open notice of this kind and subject; return whether there was one. Commits nothing."""
    closed = update(Notice).where(*_open(kind, subject)).values(settled_at=now)
    return session.connection().execute(closed).rowcount > 0


def settle_quiet(session: Session, kind: NoticeKind, before: datetime, now: datetime) -> int:
    """Close the open notices of this kind that were last reported before then; return how many."""
    quiet = update(Notice).where(*_open(kind), Notice.seen_at < before)
    return session.connection().execute(quiet.values(settled_at=now)).rowcount


def find_open(session: Session, kind: NoticeKind, subject: str) -> Notice | None:
    """Return the open notice of this kind and subject, or None."""
    return session.scalars(select(Notice).where(*_open(kind, subject))).one_or_none()


def open_notices(session: Session, kind: NoticeKind | None = None) -> list[Notice]:
    """Return the open notices (of one kind), the newest first."""
    wanted = select(Notice).where(*(_open(kind) if kind else (Notice.settled_at.is_(None),)))
    return list(session.scalars(wanted.order_by(Notice.opened_at.desc(), Notice.id.desc())))


def words(notice: Notice) -> Words:
    """Return a notice in plain English. Never fails, whichever version of this code wrote the row."""
    kind = _KINDS.get(notice.kind)
    if kind is None:
        return Words(notice.kind, f"{notice.kind} {notice.subject}".strip(), "", urgent=False)
    known = _Detail({**notice.detail, "subject": notice.subject})
    return Words(
        kind.title, kind.sentence.format_map(known), kind.remedy.format_map(known), urgent=kind.urgent
    )


class _Detail(dict[str, Any]):
    """What a sentence names; a detail that an older version did not store reads as unknown."""

    def __missing__(self, key: str) -> str:
        return "unknown"


def as_record(notice: Notice) -> Mapping[str, Any]:
    """Return a notice as plain values, for commands and pages."""
    said = words(notice)
    return {
        "id": notice.id,
        "kind": notice.kind,
        "subject": notice.subject,
        "opened_at": notice.opened_at,
        "title": said.title,
        "sentence": said.sentence,
        "remedy": said.remedy,
        "urgent": said.urgent,
    }


def _open(kind: NoticeKind, subject: str | None = None) -> tuple[Any, ...]:
    named = () if subject is None else (Notice.subject == subject,)
    return (Notice.settled_at.is_(None), Notice.kind == kind.key, *named)
